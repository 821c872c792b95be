"""Entries of the maps that a host has pinned, counted by stepping through their keys."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from pcnhost.engine import bpf

_libbpf = ctypes.CDLL("libbpf.so.1", use_errno=True)


def count(pin: Path) -> int:
    """How many entries the map pinned at `pin` holds. Nobody may change it meanwhile."""
    fd = bpf.open_pin(pin)
    assert fd is not None, f"nothing is pinned at {pin}"
    try:
        size = bpf.map_spec(fd).key_size
        key: ctypes.Array[ctypes.c_char] | None = None
        following = ctypes.create_string_buffer(size)
        entries = 0
        while _libbpf.bpf_map_get_next_key(fd, key, following) == 0:
            entries += 1
            key = ctypes.create_string_buffer(following.raw, size)
        return entries
    finally:
        os.close(fd)


def service_entries(state_dir: Path, cube: str) -> dict[str, int]:
    """Entries of the maps that hold the services of a cube."""
    pins = state_dir / "cubes" / cube / "ingress0"
    return {name: count(pins / name) for name in ("services", "backends", "slots")}
