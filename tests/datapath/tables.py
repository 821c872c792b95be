"""The maps of the datapath as src/datapath/abi.h lays them out, filled directly."""

from __future__ import annotations

import operator
import socket
import struct
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pcnhost.engine import bpf
from tests.datapath import maps

FRONTEND, BACKEND = 1, 2
ARP_REPLY, FLOOD, REJECT = range(3)  # enum slowpath_reason
NO_PORT = 0xFFFF
MAX_PORTS = 128
INLINE_BACKENDS = 14
CHUNK_BYTES = 512
BACKENDS_PER_CHUNK = CHUNK_BYTES // 8
BACKENDS_PER_SET = 8

EVENTS = (
    "new_session",
    "malformed",
    "no_port",
    "fragment",
    "icmp_error",
    "rate_limited",
    "rejected",
    "source_ports",
    "table_changed",
)

_PORT = struct.Struct("=BBHI")
_SERVICE_KEY = struct.Struct("!4sHBx")
_SERVICE = struct.Struct(f"=IIIHBx{8 * INLINE_BACKENDS}sI")
_CHUNK = struct.Struct(f"=I{CHUNK_BYTES}s")
_REWRITE = struct.Struct("=4s4s4sI")
_LIMITS = 3
_SESSION_KEY = struct.Struct("!4s4sHHBB2x")
_SESSION = struct.Struct("=4s4s2s2s4s4s2s2sIIHBBI")
_FRAGMENT = struct.Struct("=4s4sII")


def ip(text: str) -> bytes:
    return socket.inet_aton(text)


@dataclass(frozen=True)
class Flow:
    """A packet's addresses and ports, and the side from which it enters."""

    saddr: str
    daddr: str
    sport: int
    dport: int
    proto: int
    side: int

    @property
    def ends(self) -> tuple[str, str, int, int]:
        """The near and the far address and their ports."""
        if self.side == FRONTEND:
            return self.saddr, self.daddr, self.sport, self.dport
        return self.daddr, self.saddr, self.dport, self.sport

    def near_end(self) -> bytes:
        """struct session_key with the clients' end alone."""
        near, _, port, _ = self.ends
        return _SESSION_KEY.pack(ip(near), bytes(4), port, 0, self.proto, 0)

    def whole(self) -> bytes:
        """struct session_key with both ends."""
        near, far, near_port, far_port = self.ends
        return _SESSION_KEY.pack(ip(near), ip(far), near_port, far_port, self.proto, self.side)


@dataclass(frozen=True)
class Session:
    """struct session; times in ticks, flows as near and far address and their ports."""

    front: tuple[str, str, int, int]
    back: tuple[str, str, int, int]
    last_seen: int
    port_generation: int
    port: int
    state: int
    flags: int
    removals: int

    @property
    def source_port(self) -> int:
        """The client's port as the backend sees it."""
        return self.back[2]

    def serves(self, flow: Flow) -> bool:
        return flow.ends == (self.front if flow.side == FRONTEND else self.back)

    @staticmethod
    def unpack(raw: bytes) -> Session:
        fields = _SESSION.unpack(raw)
        front, back = (
            (*map(socket.inet_ntoa, fields[at : at + 2]), *map(int.from_bytes, fields[at + 2 : at + 4]))
            for at in (0, 4)
        )
        return Session(front, back, *fields[8:])


Endpoint = tuple[str, int]


def _check_of(key: bytes) -> int:
    """service_check() of abi.h."""
    vip, vport, proto = struct.unpack("=IHBx", key)
    return ((vip << 32 | vport << 16 | proto) * 0x9E3779B97F4A7C15 & 2**64 - 1) >> 32


def _packed(endpoint: Endpoint, accepts: bool) -> bytes:
    """struct backend."""
    return ip(endpoint[0]) + endpoint[1].to_bytes(2) + struct.pack("=H", accepts)


def _hash_of(endpoint: Endpoint) -> int:
    """backend_hash() of abi.h."""
    (address, port) = struct.unpack("=IH", _packed(endpoint, accepts=True)[:6])
    mixed = (address << 16 | port) * 0x9E3779B97F4A7C15 & 2**64 - 1
    mixed ^= mixed >> 32
    return (mixed * 0xBF58476D1CE4E5B9 & 2**64 - 1) >> 32


def _place(endpoints: Sequence[Endpoint]) -> tuple[list[int], int]:
    """An index for each, in the second of its sets where there is room, and the number of sets."""
    sets = 8
    while True:
        crowd = [0] * sets
        indexes = []
        for endpoint in endpoints:
            mixed = _hash_of(endpoint)
            second, first = mixed >> 16 & sets - 1, mixed & sets - 1
            chosen = second if crowd[second] < BACKENDS_PER_SET else first
            indexes.append(chosen * BACKENDS_PER_SET + crowd[chosen])
            crowd[chosen] += 1
        if max(crowd) <= BACKENDS_PER_SET:
            assert sets * BACKENDS_PER_SET <= 256, "indexes are bytes here"
            return indexes, sets
        sets *= 2


def _slot_chunks(slots: Sequence[int], shift: int) -> list[bytes]:
    """The indexes in fields of 2^shift bits."""
    number = sum(index << (position << shift) for position, index in enumerate(slots))
    raw = b"".join(struct.pack("=H", number >> at & 0xFFFF) for at in range(0, len(slots) << shift, 16))
    return [raw[at : at + CHUNK_BYTES] for at in range(0, len(raw), CHUNK_BYTES)]


def _backend_chunks(backends: Mapping[int, bytes], sets: int) -> list[bytes]:
    raw = b"".join(backends.get(index, bytes(8)) for index in range(sets * BACKENDS_PER_SET))
    return [raw[at : at + CHUNK_BYTES] for at in range(0, len(raw), CHUNK_BYTES)]


class Target(Protocol):
    """A loaded datapath: its maps by name, and its ports, which want a neighbour."""

    @property
    def maps(self) -> Mapping[str, int]: ...

    def connect(self, port: int) -> None: ...

    def disconnect(self, port: int) -> None: ...


@dataclass
class Tables:
    """Writes what the control plane would. Mode and ports first, then services."""

    datapath: Target
    multi: bool = False
    _next_chunk: int = 1
    _generation: int = 0
    _removals: int = 0
    _version: int = 0
    _segments: dict[bytes, range] = field(default_factory=dict)  # of chunks

    def reset(self) -> None:
        """Back to a cube without ports, services and sessions."""
        for name in ("frontends", "services", "vips", "chunks", "sessions", "fragments"):
            maps.clear(self.datapath.maps[name])
        for index in range(MAX_PORTS):
            self._write("ports", struct.pack("=I", index), bytes(_PORT.size))
            self.datapath.disconnect(index)
        self.set_rewrite(None)
        self._clear_retired()
        maps.clear_per_cpu(self.datapath.maps["events"], len(EVENTS))
        self.reset_limits()
        self._segments.clear()

    def _clear_retired(self) -> None:
        raw = bpf.lookup(self.datapath.maps["retired_next"], bytes(4), 4)
        assert raw is not None
        entries = bpf.map_spec(self.datapath.maps["retired"]).max_entries
        for index in range(min(entries, int.from_bytes(raw, sys.byteorder))):
            self._write("retired", struct.pack("=I", index), bytes(_SESSION_KEY.size))
        self._write("retired_next", bytes(4), bytes(4))

    def _write(self, name: str, key: bytes, value: bytes) -> None:
        bpf.update(self.datapath.maps[name], key, value)

    def add_port(self, index: int, side: int, out: int = NO_PORT, address: str = "0.0.0.0") -> int:
        """A port with a neighbour; returns its generation, which no port had before."""
        self._generation += 1
        entry = _PORT.pack(side, self.multi, out, self._generation)
        self._write("ports", struct.pack("=I", index), entry)
        if self.multi and side == FRONTEND:
            self._write("frontends", ip(address), struct.pack("=H", index))
        self.datapath.connect(index)
        return self._generation

    def set_out(self, index: int, out: int) -> None:
        """Changes where unmatched packets of a port go, without making it a new port."""
        key = struct.pack("=I", index)
        raw = bpf.lookup(self.datapath.maps["ports"], key, _PORT.size)
        assert raw is not None
        side, multi, _, generation = _PORT.unpack(raw)
        self._write("ports", key, _PORT.pack(side, multi, out, generation))

    def remove_port(self, index: int) -> None:
        for key in list(maps.keys(self.datapath.maps["frontends"])):
            if bpf.lookup(self.datapath.maps["frontends"], key, 2) == struct.pack("=H", index):
                bpf.delete(self.datapath.maps["frontends"], key)
        self._write("ports", struct.pack("=I", index), bytes(_PORT.size))
        self.datapath.disconnect(index)

    def set_service(
        self,
        vip: str,
        port: int,
        proto: int,
        backends: Sequence[Endpoint],
        drained: Sequence[Endpoint] = (),
        *,
        chunks: bool = False,
    ) -> None:
        """Each of `backends` gets the same share, `drained` ones belong to the service without. Backends stand in
        the entry where possible, or in `chunks`."""
        key = _SERVICE_KEY.pack(ip(vip), port, proto)
        old = self._segments.get(key, range(0))
        members = [*backends, *drained]
        chunks = chunks or len(members) > INLINE_BACKENDS
        indexes, sets = _place(members) if chunks else (list(range(len(members))), 0)
        usable, shift = indexes[: len(backends)], 3 if sets else 2
        slots = len(usable) if len(usable) < 2 and not chunks else 2 * CHUNK_BYTES if usable else 0
        table = (
            _slot_chunks([usable[slot % len(usable)] for slot in range(slots)], shift) if slots > 1 else []
        )
        values = [_packed(endpoint, number < len(backends)) for number, endpoint in enumerate(members)]
        stored = _backend_chunks(dict(zip(indexes, values, strict=True)), sets)
        segment = self._write_chunks(table + stored)
        inline = b"" if chunks else b"".join(values)
        self._write("vips", ip(vip), struct.pack("=I", 1))
        self._write_service(key, slots, segment.start, sets, shift, inline)
        self._segments[key] = segment
        self._erase(old)

    def remove_service(self, vip: str, port: int, proto: int) -> None:
        key = _SERVICE_KEY.pack(ip(vip), port, proto)
        bpf.delete(self.datapath.maps["services"], key)
        self._erase(self._segments.pop(key))
        if not any(other[:4] == key[:4] for other in self._segments):
            bpf.delete(self.datapath.maps["vips"], ip(vip))

    def _write_service(
        self, key: bytes, slots: int, first: int, sets: int, shift: int, inline: bytes
    ) -> None:
        self._version += 1
        entry = (self._version, slots, first, sets, shift, inline, self._version ^ _check_of(key))
        self._write("services", key, _SERVICE.pack(*entry))

    def _write_chunks(self, contents: Sequence[bytes]) -> range:
        first = self._next_chunk
        self._next_chunk += len(contents)
        for number, content in enumerate(contents, start=first):
            self._write("chunks", struct.pack("=I", number), _CHUNK.pack(first, content))
        return range(first, first + len(contents)) if contents else range(0)

    def _erase(self, segment: range) -> None:
        """What a service leaves behind, and the announcement that backends may have gone."""
        for number in segment:
            bpf.delete(self.datapath.maps["chunks"], struct.pack("=I", number))
        self._removals += 1
        self._write("removals", bytes(4), struct.pack("=I", self._removals))

    def tear_service(self, vip: str, port: int, proto: int) -> None:
        """Leaves the entry as if the kernel were just using its memory again."""
        key = _SERVICE_KEY.pack(ip(vip), port, proto)
        version, *rest = self._service(key)
        self._write("services", key, _SERVICE.pack(version + 1, *rest))

    def exchange_service(self, vip: str, port: int, proto: int, other: str) -> None:
        """Puts the entry of the service at `other` in its place, as if the kernel had used its memory again."""
        key, source = _SERVICE_KEY.pack(ip(vip), port, proto), _SERVICE_KEY.pack(ip(other), port, proto)
        self._write("services", key, _SERVICE.pack(*self._service(source)))

    def _service(self, key: bytes) -> tuple[Any, ...]:
        raw = bpf.lookup(self.datapath.maps["services"], key, _SERVICE.size)
        assert raw is not None
        return _SERVICE.unpack(raw)

    def hand_over_chunks(self, vip: str, port: int, proto: int) -> None:
        """Makes a service's chunks somebody else's, as if the kernel had used their memory again."""
        segment = self._segments[_SERVICE_KEY.pack(ip(vip), port, proto)]
        for number in segment:
            raw = bpf.lookup(self.datapath.maps["chunks"], struct.pack("=I", number), _CHUNK.size)
            assert raw is not None
            content = _CHUNK.unpack(raw)[1]
            other = segment.start + 1
            self._write("chunks", struct.pack("=I", number), _CHUNK.pack(other, content))

    def erase_chunks(self, vip: str, port: int, proto: int) -> None:
        self._erase(self._segments[_SERVICE_KEY.pack(ip(vip), port, proto)])

    def set_rewrite(self, ranges: tuple[str, str, str] | None) -> None:
        """Network, mask, new network; None switches it off."""
        value = (
            _REWRITE.pack(ip(ranges[0]), ip(ranges[2]), ip(ranges[1]), 1) if ranges else bytes(_REWRITE.size)
        )
        self._write("src_ip_rewrite", bytes(4), value)

    def session(self, flow: Flow) -> Session | None:
        """What packets of this flow find."""
        for key in (flow.near_end(), flow.whole()):
            raw = bpf.lookup(self.datapath.maps["sessions"], key, _SESSION.size)
            if raw is None:
                return None
            session = Session.unpack(raw)
            if session.serves(flow):
                return session
        return None

    def sessions(self) -> int:
        """The number of entries."""
        return sum(1 for _ in maps.keys(self.datapath.maps["sessions"]))

    def age(self, ticks: int) -> None:
        """Makes all sessions and fragment notes older."""
        for name, layout, at in (("sessions", _SESSION, 8), ("fragments", _FRAGMENT, 3)):
            for key in list(maps.keys(self.datapath.maps[name])):
                raw = bpf.lookup(self.datapath.maps[name], key, layout.size)
                assert raw is not None
                fields = list(layout.unpack(raw))
                fields[at] = (fields[at] - ticks) & 0xFFFFFFFF
                self._write(name, key, layout.pack(*fields))

    def forget(self, flow: Flow) -> None:
        """Evicts what is kept for the near end of a flow, as the kernel may when there is no room."""
        end = flow.near_end()
        for key in list(maps.keys(self.datapath.maps["sessions"])):
            (*near, proto), (*other, other_proto) = (
                operator.itemgetter(0, 2, 4)(_SESSION_KEY.unpack(packed)) for packed in (end, key)
            )
            if (near, proto) == (other, other_proto):
                bpf.delete(self.datapath.maps["sessions"], key)

    def events(self) -> dict[str, int]:
        """The counters that are not zero."""
        totals = maps.per_cpu_sums(self.datapath.maps["events"], len(EVENTS))
        return {name: total for name, total in zip(EVENTS, totals, strict=True) if total}

    def reset_limits(self) -> None:
        maps.clear_per_cpu(self.datapath.maps["limits"], _LIMITS)
