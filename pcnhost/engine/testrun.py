"""BPF_PROG_TEST_RUN: what a loaded program makes of a packet that is not on any wire."""

from __future__ import annotations

import ctypes
import os
import struct

from pcnhost.engine.source import Hook

_libbpf = ctypes.CDLL("libbpf.so.1", use_errno=True)

_SKB_BYTES, _CB = 192, 48  # of struct __sk_buff, and its member cb[0]
_ROOM = 1 << 12


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


def run(program: int, hook: Hook, frame: bytes, cb: int = 0) -> tuple[int, bytes]:
    """The program's answer, and the frame as it leaves it. `cb` is cb[0] of the socket buffer, for TC.

    Raises OSError."""
    out = ctypes.create_string_buffer(_ROOM)
    options = _Options(data_in=frame, data_size_in=len(frame), data_size_out=_ROOM)
    options.sz = ctypes.sizeof(options)
    options.data_out = ctypes.addressof(out)
    if hook is Hook.TC:
        skb = bytearray(_SKB_BYTES)
        struct.pack_into("=I", skb, _CB, cb)
        options.ctx_in, options.ctx_size_in = bytes(skb), len(skb)
    failed = _libbpf.bpf_prog_test_run_opts(program, ctypes.byref(options))
    if failed < 0:
        raise OSError(-failed, os.strerror(-failed))
    return options.retval, out.raw[: options.data_size_out]
