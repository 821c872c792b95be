"""Reads what the datapath hands to the control plane, at once and in the caller's thread."""

from __future__ import annotations

import ctypes
import struct

_PAGES = 256
_METADATA_BYTES = 26
_METADATA = struct.Struct(
    "=HHIIH"
)  # the head of struct pkt_metadata: cube, port, length, traffic class, reason

_libbpf = ctypes.CDLL("libbpf.so.1", use_errno=True)
_SampleCallback = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32)
_LostCallback = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_uint64)
_libbpf.perf_buffer__new.restype = ctypes.c_void_p
_libbpf.perf_buffer__new.argtypes = [
    ctypes.c_int,
    ctypes.c_size_t,
    _SampleCallback,
    _LostCallback,
    ctypes.c_void_p,
    ctypes.c_void_p,
]
_libbpf.perf_buffer__consume.argtypes = [ctypes.c_void_p]
_libbpf.perf_buffer__free.argtypes = [ctypes.c_void_p]


class PuntReader:
    """The reading end of the perf event array `fd`."""

    def __init__(self, fd: int) -> None:
        self._records: list[tuple[int, int, bytes]] = []
        self._lost = 0
        self._callbacks = _SampleCallback(self._sample), _LostCallback(self._count_lost)
        self._buffer = _libbpf.perf_buffer__new(fd, _PAGES, *self._callbacks, None, None)
        if not self._buffer:
            raise OSError(ctypes.get_errno(), "perf_buffer__new")

    def close(self) -> None:
        _libbpf.perf_buffer__free(self._buffer)

    def take(self) -> list[tuple[int, int, bytes]]:
        """(reason, input port, frame) of each packet since the last call."""
        _libbpf.perf_buffer__consume(self._buffer)
        assert self._lost == 0, "punted packets lost"
        records, self._records = self._records, []
        return records

    def _sample(self, _: int, __: int, data: int, size: int) -> None:
        record = ctypes.string_at(data, size)
        _, port, length, _, reason = _METADATA.unpack_from(record)
        self._records.append((reason, port, record[_METADATA_BYTES : _METADATA_BYTES + length]))

    def _count_lost(self, _: int, __: int, count: int) -> None:
        self._lost += count
