"""The kernel's BPF objects (maps, programs, pins) through libbpf.

File descriptors are plain ints owned by the caller. Every function raises OSError when the kernel refuses.
"""

import ctypes
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_libbpf = ctypes.CDLL("libbpf.so.1", use_errno=True)

PROG_TYPE_SCHED_CLS = 3
PROG_TYPE_XDP = 6

MAP_TYPE_ARRAY = 2
MAP_TYPE_PROG_ARRAY = 3
MAP_TYPE_PERF_EVENT_ARRAY = 4
MAP_TYPE_PERCPU_HASH = 5
MAP_TYPE_PERCPU_ARRAY = 6
MAP_TYPE_LRU_PERCPU_HASH = 10

F_RDONLY_PROG = 1 << 7  # programs may only read the map

INSN_BYTES = 8

_TCX_EGRESS = 47

_U32 = struct.Struct("=I")
_VERIFIER_LOG_BYTES = 1 << 20


class _MapInfo(ctypes.Structure):
    """The head of `struct bpf_map_info`."""

    _fields_ = (
        ("type", ctypes.c_uint32),
        ("id", ctypes.c_uint32),
        ("key_size", ctypes.c_uint32),
        ("value_size", ctypes.c_uint32),
        ("max_entries", ctypes.c_uint32),
        ("map_flags", ctypes.c_uint32),
    )


class _MapCreateOptions(ctypes.Structure):
    """`struct bpf_map_create_opts` of libbpf 1.0."""

    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("btf_fd", ctypes.c_uint32),
        ("btf_key_type_id", ctypes.c_uint32),
        ("btf_value_type_id", ctypes.c_uint32),
        ("btf_vmlinux_value_type_id", ctypes.c_uint32),
        ("inner_map_fd", ctypes.c_uint32),
        ("map_flags", ctypes.c_uint32),
        ("map_extra", ctypes.c_uint64),
        ("numa_node", ctypes.c_uint32),
        ("map_ifindex", ctypes.c_uint32),
    )


class _ProgLoadOptions(ctypes.Structure):
    """`struct bpf_prog_load_opts` of libbpf 1.0."""

    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("attempts", ctypes.c_int),
        ("expected_attach_type", ctypes.c_int),
        ("prog_btf_fd", ctypes.c_uint32),
        ("prog_flags", ctypes.c_uint32),
        ("prog_ifindex", ctypes.c_uint32),
        ("kern_version", ctypes.c_uint32),
        ("attach_btf_id", ctypes.c_uint32),
        ("attach_prog_fd", ctypes.c_uint32),
        ("attach_btf_obj_fd", ctypes.c_uint32),
        ("fd_array", ctypes.c_void_p),
        ("func_info", ctypes.c_void_p),
        ("func_info_cnt", ctypes.c_uint32),
        ("func_info_rec_size", ctypes.c_uint32),
        ("line_info", ctypes.c_void_p),
        ("line_info_cnt", ctypes.c_uint32),
        ("line_info_rec_size", ctypes.c_uint32),
        ("log_level", ctypes.c_uint32),
        ("log_size", ctypes.c_uint32),
        ("log_buf", ctypes.c_char_p),
    )


@dataclass(frozen=True)
class MapSpec:
    """What makes two maps interchangeable; sizes in bytes (value_size per CPU for per-CPU maps)."""

    type: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int = 0


class ProgramRejected(OSError):
    """The kernel refused a program; `log` is what the verifier said."""

    def __init__(self, code: int, log: str) -> None:
        super().__init__(code, os.strerror(code))
        self.log = log


def _check(result: int) -> int:
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result


def u32(number: int) -> bytes:
    """A number as maps keep it: index of an array, fd in a prog array."""
    return _U32.pack(number)


def possible_cpus() -> int:
    return _check(_libbpf.libbpf_num_possible_cpus())


def create_map(name: str, spec: MapSpec) -> int:
    options = _MapCreateOptions(map_flags=spec.flags)
    options.sz = ctypes.sizeof(options)
    sizes = (spec.key_size, spec.value_size, spec.max_entries)
    return _check(_libbpf.bpf_map_create(spec.type, name[:15].encode(), *sizes, ctypes.byref(options)))


def _program_info(fd: int) -> list[int]:
    """The words of struct bpf_prog_info."""
    info = (ctypes.c_uint32 * 64)()
    size = ctypes.c_uint32(ctypes.sizeof(info))
    _check(_libbpf.bpf_obj_get_info_by_fd(fd, ctypes.byref(info), ctypes.byref(size)))
    return list(info)


def program_id(fd: int) -> int:
    """The kernel's number of a program."""
    return _program_info(fd)[1]


def verified_instructions(fd: int) -> int:
    """How many instructions of a program the verifier has visited; it gives up after a million (Linux 5.16)."""
    return _program_info(fd)[54]


def map_spec(fd: int) -> MapSpec:
    info = _MapInfo()
    size = ctypes.c_uint32(ctypes.sizeof(info))
    _check(_libbpf.bpf_obj_get_info_by_fd(fd, ctypes.byref(info), ctypes.byref(size)))
    return MapSpec(info.type, info.key_size, info.value_size, info.max_entries, info.map_flags)


def update(fd: int, key: bytes, value: bytes) -> None:
    _check(_libbpf.bpf_map_update_elem(fd, key, value, ctypes.c_uint64(0)))


def lookup(fd: int, key: bytes, value_size: int) -> bytes | None:
    """The value stored under `key`, None when there is none. Not for per-CPU maps."""
    value = ctypes.create_string_buffer(value_size)
    return None if _libbpf.bpf_map_lookup_elem(fd, key, value) < 0 else value.raw


def delete(fd: int, key: bytes) -> None:
    """Removes `key`; a missing key is fine."""
    _libbpf.bpf_map_delete_elem(fd, key)


def keys(fd: int) -> Iterator[bytes]:
    """The keys of a map, which should not change meanwhile."""
    key = ctypes.create_string_buffer(map_spec(fd).key_size)
    found = _libbpf.bpf_map_get_next_key(fd, None, key) == 0
    while found:
        current = key.raw
        found = _libbpf.bpf_map_get_next_key(fd, current, key) == 0
        yield current


def pin(fd: int, path: Path) -> None:
    _check(_libbpf.bpf_obj_pin(fd, os.fsencode(path)))


def open_pin(path: Path) -> int | None:
    """A new fd of the object pinned at `path`, None when nothing is pinned there."""
    fd = _libbpf.bpf_obj_get(os.fsencode(path))
    return fd if fd >= 0 else None


def has_tcx_egress(ifindex: int) -> bool:
    """Whether TCX (Linux 6.6) has programs on the way out of a netdev; listing TC filters does not show them."""
    count = ctypes.c_uint32()
    failed = _libbpf.bpf_prog_query(ifindex, _TCX_EGRESS, 0, None, None, ctypes.byref(count))
    return not failed and count.value > 0


def load_program(prog_type: int, name: str, insns: bytes) -> int:
    """Loads a GPL program and returns its fd; raises ProgramRejected."""
    log = ctypes.create_string_buffer(_VERIFIER_LOG_BYTES)
    options = _ProgLoadOptions()
    options.sz = ctypes.sizeof(options)
    kernel_name = "".join(c if c.isascii() and c.isalnum() else "_" for c in name)[:15].encode()
    count = len(insns) // INSN_BYTES
    arguments = (prog_type, kernel_name, b"GPL", insns, ctypes.c_size_t(count))
    fd: int = _libbpf.bpf_prog_load(*arguments, ctypes.byref(options))
    if fd < 0:
        # A second try, with the log on: a log costs time that a good program need not pay.
        options.log_level, options.log_size = 1, len(log)
        options.log_buf = ctypes.cast(log, ctypes.c_char_p)
        fd = _libbpf.bpf_prog_load(*arguments, ctypes.byref(options))
    if fd < 0:
        raise ProgramRejected(-fd, log.value.decode(errors="replace"))
    return fd
