"""How far a packet's L4 checksum is done, for TC programs: `__sk_buff` hides `skb->ip_summed`.

Linux 6.2 and later lend a program the kernel's own structure by the function bpf_cast_to_kern_ctx. BCC can't call
functions of the kernel, so the wrapper (wrapper_tc.h) calls a number that is no helper, and linked() puts the
function in its place. Where the field stands in the structure says the kernel's BTF.
"""

import ctypes
import os
import struct
from dataclasses import dataclass
from functools import cache

from pcnhost.engine import bpf

_FUNCTION, _FIELD = b"bpf_cast_to_kern_ctx", b"ip_summed"
_PLACEHOLDER = 0x5043  # kernels have some 200 helpers

_KIND_STRUCT, _KIND_UNION, _KIND_FUNC = 4, 5, 12
_CALL, _PSEUDO_KFUNC_CALL = 0x85, 2
_INSN = struct.Struct("<BBhi")
_LOAD_BYTE_R0, _MOV_R0_0, _EXIT = 0x71, 0xB7, 0x95

_libbpf = ctypes.CDLL("libbpf.so.1")
_libbpf.btf__load_vmlinux_btf.restype = ctypes.c_void_p
_libbpf.btf__free.argtypes = (ctypes.c_void_p,)
_libbpf.btf__find_by_name_kind.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint32)
_libbpf.btf__type_by_id.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
_libbpf.btf__type_by_id.restype = ctypes.c_void_p
_libbpf.btf__name_by_offset.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
_libbpf.btf__name_by_offset.restype = ctypes.c_char_p


@dataclass(frozen=True)
class IpSummed:
    """The function's number in BTF, and the field: the byte of `struct sk_buff` it is in, and its lowest bit."""

    function: int
    byte: int
    shift: int

    def defines(self) -> dict[str, int]:
        """What the wrapper needs to know."""
        return {
            "_PCN_KERNEL_SKB": _PLACEHOLDER,
            "_PCN_IP_SUMMED_BYTE": self.byte,
            "_PCN_IP_SUMMED_SHIFT": self.shift,
        }


@cache
def ip_summed() -> IpSummed | None:
    """None when this kernel lends its structure to no program, or has no BTF."""
    btf = _libbpf.btf__load_vmlinux_btf()
    if not btf:
        return None
    try:
        function = _libbpf.btf__find_by_name_kind(btf, _FUNCTION, _KIND_FUNC)
        structure = _libbpf.btf__find_by_name_kind(btf, b"sk_buff", _KIND_STRUCT)
        bit = _find_field(btf, structure) if function > 0 and structure > 0 else None
    finally:
        _libbpf.btf__free(btf)
    if bit is None:
        return None
    found = IpSummed(function, bit // 8, bit % 8)
    return found if _loads(found) else None


def linked(insns: bytes) -> bytes:
    """The instructions, with calls of the function in the place of those of the placeholder."""
    patched = bytearray(insns)
    for at in range(0, len(insns), _INSN.size):
        if insns[at] == _CALL and _INSN.unpack_from(insns, at) == (_CALL, 0, 0, _PLACEHOLDER):
            found = ip_summed()
            assert found, "the text was compiled for another kernel"
            _INSN.pack_into(patched, at, _CALL, _PSEUDO_KFUNC_CALL << 4, 0, found.function)
    return bytes(patched)


def _find_field(btf: int, type_id: int, base: int = 0) -> int | None:
    """The first bit of the field in a structure, also where it is in a part without name."""
    at = _libbpf.btf__type_by_id(btf, type_id)
    _, info = struct.unpack("=II", ctypes.string_at(at, 8))
    if info >> 24 & 0x1F not in (_KIND_STRUCT, _KIND_UNION):
        return None
    members = ctypes.string_at(at + 12, 12 * (info & 0xFFFF))
    for name, member, offset in struct.iter_unpack("=III", members):
        bit: int = base + (offset & 0xFFFFFF)
        called = _libbpf.btf__name_by_offset(btf, name)
        if called == _FIELD:
            return bit
        inside = None if called else _find_field(btf, member, bit)
        if inside is not None:
            return inside
    return None


def _loads(found: IpSummed) -> bool:
    """Whether the kernel takes a program that does it."""
    insns = (
        (_CALL, _PSEUDO_KFUNC_CALL << 4, 0, found.function),
        (_LOAD_BYTE_R0, 0, found.byte, 0),
        (_MOV_R0_0, 0, 0, 0),
        (_EXIT, 0, 0, 0),
    )
    code = b"".join(_INSN.pack(*insn) for insn in insns)
    try:
        os.close(bpf.load_program(bpf.PROG_TYPE_SCHED_CLS, "ip_summed", code))
    except OSError:
        return False
    return True
