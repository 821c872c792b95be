"""BPF_PROG_TEST_RUN: what a loaded program makes of a packet that is not on any wire."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass

from pcnhost.engine import bpf

_libbpf = ctypes.CDLL("libbpf.so.1", use_errno=True)

_SKB_BYTES, _CB = 192, 48  # of struct __sk_buff, and its member cb[0]
_ROOM = 256  # a test run may return a longer packet than it was given


class _Options(ctypes.Structure):
    """`struct bpf_test_run_opts` of libbpf 1.0."""

    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("data_in", ctypes.c_char_p),
        ("data_out", ctypes.c_void_p),
        ("data_size_in", ctypes.c_uint32),
        ("data_size_out", ctypes.c_uint32),
        ("ctx_in", ctypes.c_char_p),
        ("ctx_out", ctypes.c_void_p),
        ("ctx_size_in", ctypes.c_uint32),
        ("ctx_size_out", ctypes.c_uint32),
        ("retval", ctypes.c_uint32),
        ("repeat", ctypes.c_int),
        ("duration", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("cpu", ctypes.c_uint32),
        ("batch_size", ctypes.c_uint32),
    )


@dataclass(frozen=True)
class Run:
    """What a test run returned: the program's verdict, the packet it left, nanoseconds per repeat."""

    verdict: int
    packet: bytes
    ns: int


def run(program_fd: int, packet: bytes, repeat: int = 1, cb0: int | None = None) -> Run:
    """Runs a program on a packet, which each repeat finds as the one before has left it.

    `cb0` is the first word of the packet's control block (TC only). Raises OSError."""
    output = ctypes.create_string_buffer(len(packet) + _ROOM)
    options = _Options(
        sz=ctypes.sizeof(_Options),
        data_in=packet,
        data_size_in=len(packet),
        data_out=ctypes.addressof(output),
        data_size_out=len(output),
        repeat=repeat,
    )
    if cb0 is not None:
        context = bytearray(_SKB_BYTES)
        context[_CB : _CB + 4] = bpf.u32(cb0)
        options.ctx_in, options.ctx_size_in = bytes(context), _SKB_BYTES
    failed = _libbpf.bpf_prog_test_run_opts(program_fd, ctypes.byref(options))
    if failed < 0:
        raise OSError(-failed, os.strerror(-failed))
    return Run(options.retval, output.raw[: options.data_size_out], options.duration)
