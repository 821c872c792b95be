"""BPF links: programs on netdevs that nobody else can replace or take off, through libbpf.

The kernel has them for XDP since 5.9, for TC (then called TCX) since 6.6. File descriptors are plain ints owned by the
caller. Every function raises OSError when the kernel refuses."""

import ctypes
import errno
import os

ATTACH_XDP = 37
ATTACH_TCX_INGRESS = 46
ATTACH_TCX_EGRESS = 47

_libbpf = ctypes.CDLL("libbpf.so.1", use_errno=True)


class _CreateOptions(ctypes.Structure):
    """`struct bpf_link_create_opts` of libbpf 1.0, without what is for other kinds of links."""

    _fields_ = (("sz", ctypes.c_size_t), ("flags", ctypes.c_uint32))


class _LinkInfo(ctypes.Structure):
    """The head of `struct bpf_link_info` for links on netdevs."""

    _fields_ = (
        ("type", ctypes.c_uint32),
        ("id", ctypes.c_uint32),
        ("program_id", ctypes.c_uint32),
        ("padding", ctypes.c_uint32),
        ("ifindex", ctypes.c_uint32),
        ("rest", ctypes.c_uint8 * 236),
    )


def _check(result: int) -> int:
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result


def create(program_fd: int, ifindex: int, attach_type: int, flags: int = 0) -> int | None:
    """Puts a program on a netdev; answers the fd of the link, None on a kernel without links of this type."""
    options = _CreateOptions(ctypes.sizeof(_CreateOptions), flags)
    try:
        return _check(_libbpf.bpf_link_create(program_fd, ifindex, attach_type, ctypes.byref(options)))
    except OSError as e:
        if e.errno == errno.EINVAL:
            return None
        raise


def update(link_fd: int, program_fd: int) -> None:
    """Replaces the program; no packet meets neither."""
    _check(_libbpf.bpf_link_update(link_fd, program_fd, None))


def detach(link_fd: int) -> None:
    """Takes the program off, wherever the netdev is now; one that is gone is fine."""
    _libbpf.bpf_link_detach(link_fd)


def ifindex(link_fd: int) -> int:
    """The netdev that the program is on; 0 when it is on none any more."""
    info = _LinkInfo()
    size = ctypes.c_uint32(ctypes.sizeof(info))
    _check(_libbpf.bpf_obj_get_info_by_fd(link_fd, ctypes.byref(info), ctypes.byref(size)))
    return int(info.ifindex)
