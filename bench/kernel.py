"""The bpf() calls that measuring needs and the host does not: test runs, batches, what a map weighs."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path

from pcnhost.engine import bpf

_libbpf = ctypes.CDLL("libbpf.so.1", use_errno=True)
_SKB_BYTES, _SKB_CB = 192, 48  # struct __sk_buff, and where its cb[] begins
_ROOM = 256  # a test run may return a longer packet than it was given


class _TestRunOptions(ctypes.Structure):
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


def test_run(program_fd: int, packet: bytes, repeat: int = 1, cb0: int | None = None) -> Run:
    """Run a program on a packet, which each repeat finds as the one before has left it.

    `cb0` is the first word of the packet's control block (TC only)."""
    output = ctypes.create_string_buffer(len(packet) + _ROOM)
    options = _TestRunOptions(
        sz=ctypes.sizeof(_TestRunOptions),
        data_in=packet,
        data_size_in=len(packet),
        data_out=ctypes.addressof(output),
        data_size_out=len(output),
        repeat=repeat,
    )
    if cb0 is not None:
        context = bytearray(_SKB_BYTES)
        context[_SKB_CB : _SKB_CB + 4] = bpf.u32(cb0)
        options.ctx_in, options.ctx_size_in = bytes(context), _SKB_BYTES
    _check(_libbpf.bpf_prog_test_run_opts(program_fd, ctypes.byref(options)))
    return Run(options.retval, output.raw[: options.data_size_out], options.duration)


def open_program(program_id: int) -> int:
    """A new fd of a loaded program."""
    return _check(_libbpf.bpf_prog_get_fd_by_id(program_id))


def open_map(path: Path) -> int:
    """A new fd of the map pinned at `path`; FileNotFoundError when there is none."""
    fd = bpf.open_pin(path)
    if fd is None:
        raise FileNotFoundError(path)
    return fd


def write_all(map_fd: int, keys: bytes, values: bytes, count: int) -> None:
    """Write `count` entries, keys and values one after the other."""
    done = ctypes.c_uint32(count)
    _check(_libbpf.bpf_map_update_batch(map_fd, keys, values, ctypes.byref(done), None))


def read_all(map_fd: int, *, delete: bool = False) -> tuple[bytes, bytes, int]:
    """Keys, values and number of all entries of a hash map; with `delete` it is empty then."""
    spec = bpf.map_spec(map_fd)
    keys = ctypes.create_string_buffer(spec.max_entries * spec.key_size)
    values = ctypes.create_string_buffer(spec.max_entries * spec.value_size)
    call = _libbpf.bpf_map_lookup_and_delete_batch if delete else _libbpf.bpf_map_lookup_batch
    cursor = ctypes.create_string_buffer(max(spec.key_size, 4))
    total, first = 0, True
    while True:
        count = ctypes.c_uint32(spec.max_entries - total)
        end = call(
            map_fd,
            None if first else cursor,
            cursor,
            ctypes.byref(keys, total * spec.key_size),
            ctypes.byref(values, total * spec.value_size),
            ctypes.byref(count),
            None,
        )
        total, first = total + count.value, False
        if end:
            if -end != 2:  # ENOENT: no more entries
                _check(end)
            return keys.raw[: total * spec.key_size], values.raw[: total * spec.value_size], total


def memory(map_fd: int) -> int:
    """Bytes of kernel memory the map accounts for at the moment."""
    for line in Path(f"/proc/self/fdinfo/{map_fd}").read_text().splitlines():
        if line.startswith("memlock:"):
            return int(line.split()[1])
    raise OSError("the kernel does not tell what a map weighs")


def _check(result: int) -> int:
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result
