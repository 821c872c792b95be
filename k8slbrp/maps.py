"""What the maps hold that a host has pinned for the services of a cube. Nobody should change them meanwhile."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from k8slbrp import abi
from pcnhost.engine import bpf

CHUNK_BYTES = abi.CONSTANTS["CHUNK_BYTES"]
BACKENDS_PER_CHUNK = abi.CONSTANTS["BACKENDS_PER_CHUNK"]
BACKENDS_PER_BUCKET = abi.CONSTANTS["BACKENDS_PER_BUCKET"]
INLINE_BACKENDS = abi.CONSTANTS["INLINE_BACKENDS"]
INLINE_SLOTS = abi.CONSTANTS["INLINE_SLOTS"]
_PROTOCOLS = {socket.IPPROTO_TCP: "tcp", socket.IPPROTO_UDP: "udp", socket.IPPROTO_ICMP: "icmp"}
_MASK = 0xFFFFFFFFFFFFFFFF

Key = tuple[str, int, str]  # VIP or backend, port, protocol
Endpoint = tuple[str, int]


def entries(pin: Path) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of the map pinned at `pin`. Raises FileNotFoundError."""
    fd = bpf.open_pin(pin)
    if fd is None:
        raise FileNotFoundError(f"nothing is pinned at {pin}")
    try:
        size = bpf.map_spec(fd).value_size
        for key in bpf.keys(fd):
            if (value := bpf.lookup(fd, key, size)) is not None:
                yield key, value
    finally:
        os.close(fd)


def _of_size(pin: Path, size: int) -> Iterator[tuple[bytes, bytes]]:
    """entries() of a map that this version can read. Raises OSError when it is another version's."""
    for key, value in entries(pin):
        if len(value) != size:
            raise OSError(
                f"{pin} has values of {len(value)} bytes, this version has {size}: restart the host"
            )
        yield key, value


def count(pin: Path) -> int:
    return sum(1 for _ in entries(pin))


def pins(state_dir: Path, cube: str) -> Path:
    return state_dir / "cubes" / cube / "ingress0"


def service_entries(state_dir: Path, cube: str) -> dict[str, int]:
    """Entries of the maps that hold the services of a cube."""
    return {name: count(pins(state_dir, cube) / name) for name in ("services", "vips", "chunks")}


def address(number: int) -> str:
    """An IPv4 address from a number in network byte order that has been read as one."""
    return socket.inet_ntoa(number.to_bytes(4, "big"))


def service_key(packed: bytes) -> Key:
    """What a key of `services` or `endpoints` stands for."""
    key = abi.struct("service_key").from_buffer_copy(packed)
    return address(key.vip), key.vport, _PROTOCOLS.get(key.proto, str(key.proto))


@dataclass(frozen=True)
class Served:
    """What new sessions of a service choose from, as the datapath reads it."""

    slots: list[Endpoint]  # evenly spread over the hashes of flows
    usable: frozenset[Endpoint]
    drained: frozenset[Endpoint]
    numbers: range = field(compare=False)  # of its chunks
    affinity: int = 0  # its timeout, or 0
    sources: int = field(default=0, compare=False)  # the number of its set of source ranges, or 0
    faults: list[str] = field(default_factory=list)  # where the datapath would not find what it looks for

    @property
    def chunks(self) -> int:
        return len(self.numbers)


def served(state_dir: Path, cube: str) -> dict[Key, Served]:
    """The services of a cube. Raises OSError when its maps are not there, or another version's."""
    directory = pins(state_dir, cube)
    found = _of_size(directory / "chunks", CHUNK_BYTES)
    chunks = {int.from_bytes(key, sys.byteorder): value for key, value in found}
    return {
        service_key(key): _served(key, abi.struct("service").from_buffer_copy(value), chunks)
        for key, value in _of_size(directory / "services", abi.size("service"))
    }


def _served(key: bytes, entry: Any, chunks: Mapping[int, bytes]) -> Served:
    faults = []
    head = entry.head
    checks = service_hash(key, head.version)
    if head.check != head_check(checks, head):
        faults.append("its entry is not whole: the check of its head does not fit")
    if head.index_shift not in (2, 3, 4):
        faults.append(f"its indexes have 2^{head.index_shift} bits")
        return Served([], frozenset(), frozenset(), range(0), faults=faults)
    inline = head.slots < 2 or (head.slots == INLINE_SLOTS and head.buckets == 0)  # its slots need no chunk
    slot_chunks = 0 if inline else (head.slots << head.index_shift) // (8 * CHUNK_BYTES)
    backend_chunks = head.buckets * BACKENDS_PER_BUCKET // BACKENDS_PER_CHUNK
    numbers = range(head.first_chunk, head.first_chunk + slot_chunks + backend_chunks)
    faults += [f"its chunk {number} is missing" for number in numbers if number not in chunks]
    content = [chunks.get(number, bytes(CHUNK_BYTES)) for number in numbers]
    table = bytes(entry.words) if inline else b"".join(content[:slot_chunks])
    stored = b"".join(content[slot_chunks:])
    backends = list(_backends(stored if head.buckets else bytes(entry.backends), checks))
    for index, (endpoint, _, fits) in enumerate(backends):
        if endpoint is None:
            continue
        if not fits:
            faults.append(f"the check of backend {named(endpoint)} does not fit")
        if head.buckets and index // BACKENDS_PER_BUCKET not in _buckets(endpoint, head.buckets):
            faults.append(f"backend {named(endpoint)} stands where no packet looks for it")
    slots = []
    for index in [0] * head.slots if head.slots < 2 else _indexes(table, head.index_shift):
        found = backends[index][0] if index < len(backends) else None
        if found is None:
            faults.append(f"a slot leads to backend number {index}, which does not exist")
        else:
            slots.append(found)
    there = [(endpoint, accepts) for endpoint, accepts, _ in backends if endpoint is not None]
    if len({endpoint for endpoint, _ in there}) < len(there):
        faults.append("it has a backend twice")
    usable = frozenset(endpoint for endpoint, accepts in there if accepts)
    drained = frozenset(endpoint for endpoint, accepts in there if not accepts)
    rest = (head.affinity, head.sources, list(dict.fromkeys(faults)))
    return Served(slots, usable, drained, numbers, *rest)


def source_ranges(state_dir: Path, cube: str) -> dict[tuple[Key, int], set[str]]:
    """Prefixes by service and number of the set."""
    sets: dict[tuple[Key, int], set[str]] = {}
    for packed, _ in entries(pins(state_dir, cube) / "source_ranges"):
        found = abi.struct("source_range").from_buffer_copy(packed)
        prefix = f"{address(found.ip)}/{found.prefix_length - abi.CONSTANTS['SERVICE_KEY_BITS']}"
        sets.setdefault((service_key(bytes(found.service)), found.service.pad), set()).add(prefix)
    return sets


def _backends(packed: bytes, checks: int) -> Iterator[tuple[Endpoint | None, bool, bool]]:
    """Each place for a backend: who is there, whether he gets new sessions, and whether the check fits."""
    size = abi.size("backend")
    for at in range(0, len(packed), size):
        raw = packed[at : at + size]
        found = abi.struct("backend").from_buffer_copy(raw)
        endpoint = (address(found.ip), found.port) if any(raw) else None
        accepts = bool(found.flags & abi.CONSTANTS["BACKEND_ACCEPTS"])
        yield endpoint, accepts, found.check == backend_check(checks, found)


def _indexes(table: bytes, shift: int) -> Iterator[int]:
    if shift == 2:
        for byte in table:
            yield byte & 15
            yield byte >> 4
    elif shift == 3:
        yield from table
    else:
        yield from memoryview(table).cast("H")


def named(endpoint: Endpoint) -> str:
    return f"{endpoint[0]}:{endpoint[1]}"


# --- hashes of abi.h; C reads addresses and ports as numbers of this machine's byte order


def _raw(ip: str, port: int) -> tuple[int, int]:
    return int.from_bytes(socket.inet_aton(ip), sys.byteorder), socket.htons(port)


def _mix_word(number: int, word: int) -> int:
    return (number ^ number >> 32 ^ word) * 0x9E3779B97F4A7C15 & _MASK


def service_hash(packed: bytes, version: int) -> int:
    """What the checks of one version of the service with this key have in common."""
    key = abi.struct("service_key").from_buffer_copy(packed)
    ip, port = _raw(address(key.vip), key.vport)
    return _mix_word(_mix_word(0, ip << 32 | port << 16 | int(key.proto)), version)


def head_check(checks: int, head: Any) -> int:
    """Of a `struct service_head`; `checks` is the service_hash()."""
    rest = head.buckets << 16 | head.index_shift << 8 | head.sources
    return _mix_word(_mix_word(checks, head.slots << 32 | head.first_chunk), head.affinity << 32 | rest) >> 32


def backend_check(checks: int, backend: Any) -> int:
    """Of a `struct backend`; `checks` is the service_hash()."""
    ip, port = _raw(address(backend.ip), backend.port)
    return _mix_word(checks, ip << 32 | port << 16 | backend.flags)


def rewrite_check(rewrite: Any) -> int:
    """Of a `struct src_ip_rewrite`."""
    net, new_net, mask = (_raw(address(one), 0)[0] for one in (rewrite.net, rewrite.new_net, rewrite.mask))
    return _mix_word(_mix_word(0, net << 32 | new_net), mask) >> 32 | 1


def _buckets(endpoint: Endpoint, buckets: int) -> tuple[int, int]:
    """The two buckets in which packets look for a backend."""
    ip, port = _raw(*endpoint)
    number = (ip << 16 | port) * 0x9E3779B97F4A7C15 & _MASK
    number ^= number >> 32
    hashed = (number * 0xBF58476D1CE4E5B9 & _MASK) >> 32
    return hashed & (buckets - 1), hashed >> 16 & (buckets - 1)


def endpoint_hash(ip: str, port: int, protocol: int) -> int:
    """Of an address, port and protocol."""
    return _mix_endpoint(ip, port, protocol, 0x9E3779B97F4A7C15)


def _mix_endpoint(ip: str, port: int, protocol: int, multiplier: int) -> int:
    raw_ip, raw_port = _raw(ip, port)
    number = (raw_ip << 32 | raw_port << 8 | protocol) * multiplier & _MASK
    number ^= number >> 32
    return (number * 0xBF58476D1CE4E5B9 & _MASK) >> 32


def openings_secret() -> int:
    """What the clients' hashes in `openings` are made with, of cubes of this machine, until it starts again."""
    secret = 0
    for byte in Path("/proc/sys/kernel/random/boot_id").read_text().strip().encode():
        secret = _mix_word(secret, byte)
    return secret | 1


def opening_hash(ip: str, port: int, protocol: int, secret: int) -> int:
    """Of a client."""
    return _mix_endpoint(ip, port, protocol, secret)


def known_bit(ip: str, port: int, protocol: int) -> int:
    """The bit of `known` for an address, port and protocol."""
    return endpoint_hash(ip, port, protocol) % int(abi.CONSTANTS["KNOWN_BITS"])
