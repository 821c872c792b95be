"""Runs loaded programs on packets: BPF_PROG_TEST_RUN by raw system call, cheap enough for a fuzzer."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from dataclasses import dataclass

_BPF_PROG_TEST_RUN = 10
_SYSCALL = {"x86_64": 321, "aarch64": 280}[platform.machine()]
_F_TEST_SKB_CHECKSUM_COMPLETE = 4

_FRAME_BYTES = 1 << 16
_SKB_BYTES = 192  # struct __sk_buff
_MARK, _CB, _GSO_SEGS, _GSO_SIZE = 8, 48, 164, 176  # offsets in it

_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_uint]


class _Attributes(ctypes.Structure):
    """The member `test` of `union bpf_attr`."""

    _fields_ = (
        ("prog_fd", ctypes.c_uint32),
        ("retval", ctypes.c_uint32),
        ("data_size_in", ctypes.c_uint32),
        ("data_size_out", ctypes.c_uint32),
        ("data_in", ctypes.c_uint64),
        ("data_out", ctypes.c_uint64),
        ("repeat", ctypes.c_uint32),
        ("duration", ctypes.c_uint32),
        ("ctx_size_in", ctypes.c_uint32),
        ("ctx_size_out", ctypes.c_uint32),
        ("ctx_in", ctypes.c_uint64),
        ("ctx_out", ctypes.c_uint64),
        ("flags", ctypes.c_uint32),
        ("cpu", ctypes.c_uint32),
        ("batch_size", ctypes.c_uint32),
    )


@dataclass(frozen=True)
class Run:
    """What a program made of a packet; `mark` is the one of the socket buffer (TC only)."""

    retval: int
    frame: bytes
    mark: int = 0


class Runner:
    """Runs programs on the calling thread's CPU, one packet after another; buffers are reused."""

    def __init__(self) -> None:
        self._in = ctypes.create_string_buffer(_FRAME_BYTES)
        self._out = ctypes.create_string_buffer(_FRAME_BYTES)
        self._skb_in = ctypes.create_string_buffer(_SKB_BYTES)
        self._skb_out = ctypes.create_string_buffer(_SKB_BYTES)
        self._attributes = _Attributes(repeat=1)
        self._attributes.data_in = ctypes.addressof(self._in)
        self._attributes.data_out = ctypes.addressof(self._out)

    def skb(
        self, fd: int, frame: bytes, cb: int, gso: tuple[int, int] = (0, 0), complete: bool = True
    ) -> Run:
        """Runs a TC program. `gso`: segments and their size. `complete`: let the kernel check that the program
        keeps the sum over the whole packet right, as a NIC may have given it; OSError (EBADMSG) if not."""
        struct.pack_into("=I", self._skb_in, _CB, cb)
        struct.pack_into("=I", self._skb_in, _GSO_SEGS, gso[0])
        struct.pack_into("=I", self._skb_in, _GSO_SIZE, gso[1])
        attributes = self._attributes
        attributes.ctx_in, attributes.ctx_size_in = ctypes.addressof(self._skb_in), _SKB_BYTES
        attributes.ctx_out, attributes.ctx_size_out = ctypes.addressof(self._skb_out), _SKB_BYTES
        attributes.flags = _F_TEST_SKB_CHECKSUM_COMPLETE if complete else 0
        try:
            self._run(fd, frame)
        except OSError as e:
            if not complete or e.errno != errno.EINVAL:
                raise
            attributes.flags = 0  # a kernel before 6.11 knows no such check
            self._run(fd, frame)
        (mark,) = struct.unpack_from("=I", self._skb_out, _MARK)
        return Run(attributes.retval, ctypes.string_at(self._out, attributes.data_size_out), mark)

    def xdp(self, fd: int, frame: bytes) -> Run:
        attributes = self._attributes
        attributes.ctx_in = attributes.ctx_size_in = attributes.ctx_out = attributes.ctx_size_out = 0
        attributes.flags = 0
        self._run(fd, frame)
        return Run(attributes.retval, ctypes.string_at(self._out, attributes.data_size_out))

    def _run(self, fd: int, frame: bytes) -> None:
        attributes = self._attributes
        ctypes.memmove(self._in, frame, len(frame))
        attributes.prog_fd = fd
        attributes.data_size_in = len(frame)
        attributes.data_size_out = _FRAME_BYTES
        if (
            _syscall(_SYSCALL, _BPF_PROG_TEST_RUN, ctypes.addressof(attributes), ctypes.sizeof(attributes))
            < 0
        ):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
