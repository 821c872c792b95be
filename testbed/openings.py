"""The table `openings` of a cube, in memory that the kernel shares with this process."""

from __future__ import annotations

import mmap
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from k8slbrp import abi
from k8slbrp.maps import address, opening_hash, openings_secret
from pcnhost.engine import bpf

WAYS = int(abi.CONSTANTS["OPENING_WAYS"])
_SET_BYTES = abi.size("opening_set")
_TAGS_BYTES = 2 * WAYS


class Openings:
    """Entries by struct client_key, as bytes, like those of the other tables of sessions."""

    def __init__(self, fd: int, secret: int | None = None) -> None:
        """`fd` may be closed afterwards. `secret`: of the datapath's hash, if it is not that of a host's cube."""
        self.secret = openings_secret() if secret is None else secret
        self._count = bpf.map_spec(fd).max_entries
        self._memory = mmap.mmap(fd, self._count * _SET_BYTES)
        self._sets = (abi.struct("opening_set") * self._count).from_buffer(self._memory)

    @staticmethod
    def at(pin: Path) -> Openings:
        """Of the map pinned at `pin`. Raises FileNotFoundError."""
        fd = bpf.open_pin(pin)
        if fd is None:
            raise FileNotFoundError(f"nothing is pinned at {pin}")
        try:
            return Openings(fd)
        finally:
            os.close(fd)

    @property
    def places(self) -> int:
        """How many sessions there is room for."""
        return self._count * WAYS

    def entries(self) -> dict[bytes, bytes]:
        """struct session by struct client_key."""
        return {
            _key(a_set, way): bytes(a_set.sessions[way])
            for a_set in self._used_sets()
            for way in _used(a_set)
        }

    def _used_sets(self) -> list[Any]:
        none_used, packed = bytes(_TAGS_BYTES), self._memory[:]
        return [
            self._sets[at // _SET_BYTES]
            for at in range(0, len(packed), _SET_BYTES)
            if packed[at : at + _TAGS_BYTES] != none_used
        ]

    def lookup(self, key: bytes) -> bytes | None:
        try:
            a_set, way = self._place(key)
        except KeyError:
            return None
        return bytes(a_set.sessions[way])

    def update(self, key: bytes, session: bytes) -> None:
        """Replaces an entry; KeyError when there is none."""
        a_set, way = self._place(key)
        a_set.sessions[way] = abi.struct("session").from_buffer_copy(session)

    def delete(self, key: bytes) -> None:
        """KeyError when there is none."""
        a_set, way = self._place(key)
        a_set.tags[way] = 0

    def clear(self) -> None:
        for a_set in self._used_sets():
            a_set.tags[:] = (0,) * WAYS
            a_set.next = 0

    def home_of(self, ip: str, port: int, proto: int) -> tuple[int, int]:
        """The number of the set in which a client's session stands, and its tag there."""
        hashed = opening_hash(ip, port, proto, self.secret)
        return hashed * self._count >> 32, hashed & 0xFFFF | 0x8000

    def set_writers(self, number: int, writers: int) -> None:
        """Says how many CPUs are about to write into a set."""
        self._sets[number].writers = writers

    def occupy(self, number: int, tag: int, last_seen: int) -> None:
        """Puts a session of no client into a set, with this tag; StopIteration when it is full."""
        a_set = self._sets[number]
        way = next(way for way in range(WAYS) if not a_set.tags[way])
        a_set.sessions[way] = abi.struct("session")(last_seen=last_seen)
        a_set.protocols[way] = socket.IPPROTO_TCP
        a_set.tags[way] = tag

    def writers(self) -> int:
        """How many CPUs are about to write, into all sets."""
        return sum(a_set.writers for a_set in self._sets)

    def _place(self, key: bytes) -> tuple[Any, int]:
        client = abi.struct("client_key").from_buffer_copy(key)
        number, _ = self.home_of(address(client.ip), client.port, client.proto)
        a_set = self._sets[number]
        for way in _used(a_set):
            if _key(a_set, way) == key:
                return a_set, way
        raise KeyError(key)


def _used(a_set: Any) -> Iterator[int]:
    return (way for way in range(WAYS) if a_set.tags[way])


def _key(a_set: Any, way: int) -> bytes:
    front = a_set.sessions[way].front
    return abi.pack("client_key", ip=front.client, port=front.client_port, proto=a_set.protocols[way])
