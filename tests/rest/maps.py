"""What the maps hold that a host has pinned for the services of a cube. Nobody may change them meanwhile."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pcnhost.engine import bpf
from tests.datapath.maps import keys

CHUNK_BYTES = 512
BACKENDS_PER_CHUNK = 64
BACKENDS_PER_SET = 8
INLINE_BACKENDS = 14
_SERVICE_KEY = struct.Struct("!4sHBx")
_SERVICE = struct.Struct(f"=4xIIHBx{8 * INLINE_BACKENDS}s4x")  # slots, first chunk, sets, shift, backends
_CHUNK = struct.Struct(f"=4x{CHUNK_BYTES}s")
_PROTOCOLS = {socket.IPPROTO_TCP: "tcp", socket.IPPROTO_UDP: "udp", socket.IPPROTO_ICMP: "icmp"}

Key = tuple[str, int, str]  # VIP, port, protocol
Endpoint = tuple[str, int]


def entries(pin: Path) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of the map pinned at `pin`."""
    fd = bpf.open_pin(pin)
    assert fd is not None, f"nothing is pinned at {pin}"
    try:
        for key in keys(fd):
            value = bpf.lookup(fd, key, bpf.map_spec(fd).value_size)
            assert value is not None
            yield key, value
    finally:
        os.close(fd)


def count(pin: Path) -> int:
    return sum(1 for _ in entries(pin))


def pins(state_dir: Path, cube: str) -> Path:
    return state_dir / "cubes" / cube / "ingress0"


def service_entries(state_dir: Path, cube: str) -> dict[str, int]:
    """Entries of the maps that hold the services of a cube."""
    return {name: count(pins(state_dir, cube) / name) for name in ("services", "vips", "chunks")}


@dataclass(frozen=True)
class Served:
    """What new sessions of a service choose from, as the datapath reads it."""

    slots: list[Endpoint]  # evenly spread over the hashes of flows
    usable: frozenset[Endpoint]
    drained: frozenset[Endpoint]
    chunks: int


def served(state_dir: Path, cube: str) -> dict[Key, Served]:
    """The services of a cube."""
    chunks = {
        int.from_bytes(key, "little"): _CHUNK.unpack(value)[0]
        for key, value in entries(pins(state_dir, cube) / "chunks")
    }
    found = {}
    for packed, value in entries(pins(state_dir, cube) / "services"):
        vip, port, proto = _SERVICE_KEY.unpack(packed)
        found[socket.inet_ntoa(vip), port, _PROTOCOLS[proto]] = _served(value, chunks)
    return found


def _served(value: bytes, chunks: dict[int, bytes]) -> Served:
    slots, first, sets, shift, inline = _SERVICE.unpack(value)
    slot_chunks = (slots << shift) // (8 * CHUNK_BYTES) if slots > 1 else 0
    backend_chunks = sets * BACKENDS_PER_SET // BACKENDS_PER_CHUNK
    table = b"".join(chunks[first + i] for i in range(slot_chunks))
    stored = b"".join(chunks[first + slot_chunks + i] for i in range(backend_chunks))
    backends = [(stored if sets else inline)[at : at + 8] for at in range(0, len(stored or inline), 8)]
    endpoints = [(socket.inet_ntoa(raw[:4]), int.from_bytes(raw[4:6], "big")) for raw in backends]
    accepts = [raw[6] == 1 for raw in backends]
    indexes = [0] * slots if slots == 1 else list(_indexes(table, shift))
    return Served(
        [endpoints[index] for index in indexes],
        frozenset(endpoint for endpoint, yes in zip(endpoints, accepts, strict=True) if yes),
        frozenset(
            e for e, raw, yes in zip(endpoints, backends, accepts, strict=True) if any(raw) and not yes
        ),
        slot_chunks + backend_chunks,
    )


def _indexes(table: bytes, shift: int) -> Iterator[int]:
    if shift == 2:
        for byte in table:
            yield byte & 15
            yield byte >> 4
    elif shift == 3:
        yield from table
    else:
        yield from (word for (word,) in struct.iter_unpack("=H", table))
