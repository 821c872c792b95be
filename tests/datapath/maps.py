"""Access to BPF maps beyond single elements."""

from __future__ import annotations

import ctypes
import errno
import re
import struct

from pcnhost.engine import bpf
from pcnhost.engine.bpf import keys

_libbpf = ctypes.CDLL("libbpf.so.1")
_libbpf.bpf_map_lookup_batch.argtypes = [ctypes.c_int, ctypes.c_char_p, *[ctypes.c_void_p] * 5]


def _all(fd: int) -> tuple[int, bytes, bytes]:
    """The number of entries of a map, their keys and their values, by one system call."""
    spec = bpf.map_spec(fd)
    most = min(spec.max_entries, 1 << 17)
    count, cursor = ctypes.c_uint32(most), ctypes.create_string_buffer(max(spec.key_size, 8))
    all_keys = ctypes.create_string_buffer(spec.key_size * most)
    values = ctypes.create_string_buffer(spec.value_size * most)
    failed = _libbpf.bpf_map_lookup_batch(fd, None, cursor, all_keys, values, ctypes.byref(count), None)
    assert failed in (0, -errno.ENOENT), failed
    return count.value, all_keys.raw, values.raw


def contents(fd: int) -> dict[bytes, bytes | None]:
    """Keys and values of a map that is not per CPU, fast; nobody may change it meanwhile."""
    spec = bpf.map_spec(fd)
    count, raw_keys, raw_values = _all(fd)
    return {
        raw_keys[at * spec.key_size : (at + 1) * spec.key_size]: raw_values[
            at * spec.value_size : (at + 1) * spec.value_size
        ]
        for at in range(count)
    }


def clear_array(fd: int) -> None:
    """Zeroes what is not zero in an array that is not per CPU: before each test, so it has to be fast."""
    spec = bpf.map_spec(fd)
    assert spec.max_entries <= 1 << 17, "this would not clear all of it"
    size = spec.value_size
    for index in {found.start() // size for found in re.finditer(rb"[^\0]", _all(fd)[2])}:
        bpf.update(fd, struct.pack("=I", index), bytes(size))


def clear(fd: int) -> None:
    """Empties a hash map."""
    assert bpf.map_spec(fd).type != bpf.MAP_TYPE_ARRAY, "an array has no entries to delete"
    for key in list(keys(fd)):
        bpf.delete(fd, key)


def per_cpu_sums(fd: int, entries: int) -> list[int]:
    """The values of an array with a u64 for each CPU, summed up over the CPUs."""
    cpus = bpf.possible_cpus()
    answer = []
    for index in range(entries):
        raw = bpf.lookup(fd, struct.pack("=I", index), 8 * cpus)
        assert raw is not None
        answer.append(sum(struct.unpack(f"={cpus}Q", raw)))
    return answer


def per_cpu_structs(fd: int, index: int, layout: str) -> tuple[int, ...]:
    """The members of one entry of an array with a struct for each CPU, each summed up over the CPUs."""
    size = struct.calcsize(layout)
    raw = bpf.lookup(fd, struct.pack("=I", index), size * bpf.possible_cpus())
    assert raw is not None
    return tuple(sum(members) for members in zip(*struct.iter_unpack(layout, raw), strict=True))


def clear_per_cpu(fd: int, entries: int, size: int = 8) -> None:
    """Zeroes the first entries of an array with `size` bytes for each CPU, a multiple of 8."""
    for index in range(entries):
        bpf.update(fd, struct.pack("=I", index), bytes(size * bpf.possible_cpus()))
