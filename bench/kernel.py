"""The bpf() calls that measuring needs and the host does not: programs by number, batches, what a map weighs."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from pcnhost.engine import bpf

_libbpf = ctypes.CDLL("libbpf.so.1", use_errno=True)


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


def read_all(map_fd: int) -> tuple[bytes, bytes, int]:
    """Keys, values and number of all entries of a hash map."""
    spec = bpf.map_spec(map_fd)
    keys = ctypes.create_string_buffer(spec.max_entries * spec.key_size)
    values = ctypes.create_string_buffer(spec.max_entries * spec.value_size)
    cursor = ctypes.create_string_buffer(max(spec.key_size, 4))
    total, first = 0, True
    while True:
        count = ctypes.c_uint32(spec.max_entries - total)
        end = _libbpf.bpf_map_lookup_batch(
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
