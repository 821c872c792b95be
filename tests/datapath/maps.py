"""Access to BPF maps beyond single elements."""

from __future__ import annotations

import struct

from pcnhost.engine import bpf
from pcnhost.engine.bpf import keys


def clear(fd: int) -> None:
    """Empties a hash map."""
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


def clear_per_cpu(fd: int, entries: int) -> None:
    """Zeroes an array with 8 bytes for each CPU."""
    for index in range(entries):
        bpf.update(fd, struct.pack("=I", index), bytes(8 * bpf.possible_cpus()))
