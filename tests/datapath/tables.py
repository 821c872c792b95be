"""The maps of the datapath as src/datapath/abi.h lays them out, filled directly."""

from __future__ import annotations

import operator
import socket
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pcnhost.engine import bpf
from tests.datapath import maps

FRONTEND, BACKEND = 1, 2
ARP_REPLY, FLOOD, REJECT = range(3)  # enum slowpath_reason
NO_PORT = 0xFFFF
MAX_PORTS = 128
SLOTS_PER_CHUNK = 64
MAX_CANDIDATES = 14
_CHUNK_BYTES = 4 + 6 * SLOTS_PER_CHUNK

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
_SERVICE = struct.Struct(f"=II{8 * MAX_CANDIDATES}sII")
_BACKEND_KEY = struct.Struct("!4sHBx4sH2x")
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
    _segments: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    _endpoints: dict[bytes, set[Endpoint]] = field(default_factory=dict)

    def reset(self) -> None:
        """Back to a cube without ports, services and sessions."""
        for name in ("frontends", "services", "vips", "slots", "backends", "sessions", "fragments"):
            maps.clear(self.datapath.maps[name])
        for index in range(MAX_PORTS):
            self._write("ports", struct.pack("=I", index), bytes(_PORT.size))
            self.datapath.disconnect(index)
        self.set_rewrite(None)
        self._clear_retired()
        maps.clear_per_cpu(self.datapath.maps["events"], len(EVENTS))
        self.reset_limits()
        self._segments.clear()
        self._endpoints.clear()

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
        slots: bool = False,
    ) -> None:
        """Each of `backends` gets the same share, `drained` ones belong to the service without. New sessions choose
        from candidates where possible, or from `slots`."""
        key = _SERVICE_KEY.pack(ip(vip), port, proto)
        old = self._segments.get(key)
        slots = slots or len(backends) > MAX_CANDIDATES
        segment = self._write_slots(backends) if slots else (0, 0)
        known, wanted = self._endpoints.get(key, set()), {*backends, *drained}
        for endpoint in wanted:
            self._write("backends", self._backend_key(key, endpoint), struct.pack("=I", 1))
        self._write("vips", ip(vip), struct.pack("=I", 1))
        self._write_service(key, segment, () if slots else backends)
        self._remove_backends(key, known - wanted)
        if old:
            self._erase_slots(*old)
        self._segments[key], self._endpoints[key] = segment, wanted

    def remove_service(self, vip: str, port: int, proto: int) -> None:
        key = _SERVICE_KEY.pack(ip(vip), port, proto)
        bpf.delete(self.datapath.maps["services"], key)
        self._erase_slots(*self._segments.pop(key))
        self._remove_backends(key, self._endpoints.pop(key))
        if not any(other[:4] == key[:4] for other in self._segments):
            bpf.delete(self.datapath.maps["vips"], ip(vip))

    def _remove_backends(self, service: bytes, endpoints: Iterable[Endpoint]) -> None:
        for endpoint in endpoints:
            bpf.delete(self.datapath.maps["backends"], self._backend_key(service, endpoint))
        self._removals += 1
        self._write("removals", bytes(4), struct.pack("=I", self._removals))

    def _write_service(self, key: bytes, segment: tuple[int, int], candidates: Sequence[Endpoint]) -> None:
        """What is left over of the candidates repeats the first."""
        self._version += 1
        first_chunk, count = segment
        packed = [ip(address) + port.to_bytes(2) + bytes(2) for address, port in candidates]
        filled = b"".join(packed + packed[:1] * (MAX_CANDIDATES - len(packed)))
        entry = (self._version, count or len(packed), filled, first_chunk, self._version)
        self._write("services", key, _SERVICE.pack(*entry))

    def tear_service(self, vip: str, port: int, proto: int) -> None:
        """Leaves the entry as if the kernel were just using its memory again."""
        key = _SERVICE_KEY.pack(ip(vip), port, proto)
        raw = bpf.lookup(self.datapath.maps["services"], key, _SERVICE.size)
        assert raw is not None
        version, *rest = _SERVICE.unpack(raw)
        self._write("services", key, _SERVICE.pack(version + 1, *rest))

    @staticmethod
    def _backend_key(service: bytes, endpoint: Endpoint) -> bytes:
        return service + struct.pack("!4sH2x", ip(endpoint[0]), endpoint[1])

    def _write_slots(self, backends: Sequence[Endpoint]) -> tuple[int, int]:
        """First chunk and number of slots of a new segment: three chunks, the last one not full."""
        if not backends:
            return 0, 0
        slots = 2 * SLOTS_PER_CHUNK + 3
        first = self._next_chunk
        owners = [backends[slot % len(backends)] for slot in range(slots)]
        for start in range(0, slots, SLOTS_PER_CHUNK):
            part = owners[start : start + SLOTS_PER_CHUNK]
            slots_of_chunk = b"".join(ip(address) + port.to_bytes(2) for address, port in part)
            chunk = struct.pack("=I", first) + slots_of_chunk
            self._write("slots", struct.pack("=I", self._next_chunk), chunk.ljust(_CHUNK_BYTES, b"\0"))
            self._next_chunk += 1
        return first, slots

    @staticmethod
    def _chunks(first: int, slots: int) -> Iterator[bytes]:
        for chunk in range(first, first + -(-slots // SLOTS_PER_CHUNK)):
            yield struct.pack("=I", chunk)

    def _erase_slots(self, first: int, slots: int) -> None:
        for chunk in self._chunks(first, slots):
            bpf.delete(self.datapath.maps["slots"], chunk)

    def hand_over_slots(self, vip: str, port: int, proto: int) -> None:
        """Makes a service's chunks somebody else's, as if the kernel had used their memory again."""
        first, slots = self._segments[_SERVICE_KEY.pack(ip(vip), port, proto)]
        for chunk in self._chunks(first, slots):
            raw = bpf.lookup(self.datapath.maps["slots"], chunk, _CHUNK_BYTES)
            assert raw is not None
            self._write("slots", chunk, struct.pack("=I", first + 1) + raw[4:])

    def erase_slots(self, vip: str, port: int, proto: int) -> None:
        self._erase_slots(*self._segments[_SERVICE_KEY.pack(ip(vip), port, proto)])

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
