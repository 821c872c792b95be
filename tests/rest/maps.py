"""What the maps hold that a host has pinned for the services of a cube. Nobody may change them meanwhile."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from pcnhost.engine import bpf
from tests.datapath.maps import keys

SLOTS_PER_CHUNK = 64
_SERVICE_KEY = struct.Struct("!4sHBx")
_SERVICE = struct.Struct("=4xI112xI4x")  # count, first chunk
_PROTOCOLS = {socket.IPPROTO_TCP: "tcp", socket.IPPROTO_UDP: "udp", socket.IPPROTO_ICMP: "icmp"}


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
    return {name: count(pins(state_dir, cube) / name) for name in ("services", "vips", "backends", "slots")}


def slots(state_dir: Path, cube: str) -> dict[tuple[str, int, str], int]:
    """Of each service, by VIP, port and protocol; 0 for those that have candidates instead."""
    found = {}
    for packed, value in entries(pins(state_dir, cube) / "services"):
        vip, port, proto = _SERVICE_KEY.unpack(packed)
        count, first_chunk = _SERVICE.unpack(value)
        found[socket.inet_ntoa(vip), port, _PROTOCOLS[proto]] = count if first_chunk else 0
    return found
