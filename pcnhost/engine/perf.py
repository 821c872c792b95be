"""The reading end of perf event arrays, by libbpf."""

import ctypes
from collections.abc import Callable

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
_libbpf.perf_buffer__epoll_fd.argtypes = [ctypes.c_void_p]
_libbpf.perf_buffer__free.argtypes = [ctypes.c_void_p]


class PerfBuffer:
    """Buffers of `pages` pages for each CPU of the perf event array `map_fd`.

    consume() calls `receive(record)` for each record, and `lost(cpu, count)` where some did not fit; neither may
    raise. The kernel pads records. Raises OSError."""

    def __init__(
        self, map_fd: int, pages: int, receive: Callable[[bytes], None], lost: Callable[[int, int], None]
    ) -> None:
        self._callbacks = (
            _SampleCallback(lambda _, cpu, data, size: receive(ctypes.string_at(data, size))),
            _LostCallback(lambda _, cpu, count: lost(cpu, count)),
        )
        self._buffer = _libbpf.perf_buffer__new(map_fd, pages, *self._callbacks, None, None)
        if not self._buffer:
            raise OSError(ctypes.get_errno(), "cannot open a perf buffer")

    def fileno(self) -> int:
        """Becomes readable, once, when there is something to consume."""
        return int(_libbpf.perf_buffer__epoll_fd(self._buffer))

    def consume(self) -> None:
        _libbpf.perf_buffer__consume(self._buffer)

    def close(self) -> None:
        _libbpf.perf_buffer__free(self._buffer)
