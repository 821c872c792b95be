"""The maps of the datapath as src/datapath/abi.h lays them out, filled directly."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pcnhost.engine import bpf
from tests.datapath import maps

FRONTEND, BACKEND = 1, 2
ARP_REPLY, FLOOD, REJECT = range(3)  # enum slowpath_reason
NO_PORT = 0xFFFF
MAX_PORTS = 128
SLOTS_PER_CHUNK = 64
_CHUNK_BYTES = 6 * SLOTS_PER_CHUNK + 4

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

_PORT = struct.Struct("=BBH4sI")
_SERVICE_KEY = struct.Struct("!4sHBx")
_SERVICE = struct.Struct("=II")
_BACKEND_KEY = struct.Struct("!4sHBx4sH2x")
_REWRITE = struct.Struct("=4s4s4sI")
_LIMITS = 3
_TUPLE = struct.Struct("!4s4sHHBB2x")
_SESSION = struct.Struct("=4s4s2s2sIIHBB2sBx")
_FRAGMENT = struct.Struct("=4s4sII")


def ip(text: str) -> bytes:
    return socket.inet_aton(text)


@dataclass(frozen=True)
class Flow:
    """struct tuple: one direction of a session as its packets look."""

    saddr: str
    daddr: str
    sport: int
    dport: int
    proto: int
    side: int

    def pack(self) -> bytes:
        return _TUPLE.pack(ip(self.saddr), ip(self.daddr), self.sport, self.dport, self.proto, self.side)


@dataclass(frozen=True)
class Session:
    """struct session; times in ticks."""

    saddr: str
    daddr: str
    sport: int
    dport: int
    last_seen: int
    port_generation: int
    out: int
    state: int
    twin_side: int
    service_port: int
    flags: int

    @staticmethod
    def unpack(raw: bytes) -> Session:
        saddr, daddr, sport, dport, seen, generation, out, state, side, vport, flags = _SESSION.unpack(raw)
        return Session(
            socket.inet_ntoa(saddr),
            socket.inet_ntoa(daddr),
            int.from_bytes(sport),
            int.from_bytes(dport),
            seen,
            generation,
            out,
            state,
            side,
            int.from_bytes(vport),
            flags,
        )

    def pack(self) -> bytes:
        ports = (port.to_bytes(2) for port in (self.sport, self.dport))
        return _SESSION.pack(
            ip(self.saddr),
            ip(self.daddr),
            *ports,
            self.last_seen,
            self.port_generation,
            self.out,
            self.state,
            self.twin_side,
            self.service_port.to_bytes(2),
            self.flags,
        )


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
    _segments: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    _endpoints: dict[bytes, set[Endpoint]] = field(default_factory=dict)

    def reset(self) -> None:
        """Back to a cube without ports, services and sessions."""
        for name in ("frontends", "services", "slots", "backends", "sessions", "fragments"):
            maps.clear(self.datapath.maps[name])
        for index in range(MAX_PORTS):
            self._write("ports", struct.pack("=I", index), bytes(_PORT.size))
            self.datapath.disconnect(index)
        self.set_rewrite(None)
        maps.clear_per_cpu(self.datapath.maps["events"], len(EVENTS))
        self.reset_limits()
        self._segments.clear()
        self._endpoints.clear()

    def _write(self, name: str, key: bytes, value: bytes) -> None:
        bpf.update(self.datapath.maps[name], key, value)

    def add_port(self, index: int, side: int, out: int = NO_PORT, address: str = "0.0.0.0") -> int:
        """A port with a neighbour; returns its generation, which no port had before."""
        self._generation += 1
        entry = _PORT.pack(side, self.multi, out, ip(address), self._generation)
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
        side, multi, _, address, generation = _PORT.unpack(raw)
        self._write("ports", key, _PORT.pack(side, multi, out, address, generation))

    def remove_port(self, index: int) -> None:
        for key in list(maps.keys(self.datapath.maps["frontends"])):
            if bpf.lookup(self.datapath.maps["frontends"], key, 2) == struct.pack("=H", index):
                bpf.delete(self.datapath.maps["frontends"], key)
        self._write("ports", struct.pack("=I", index), bytes(_PORT.size))
        self.datapath.disconnect(index)

    def set_service(
        self, vip: str, port: int, proto: int, backends: Sequence[Endpoint], drained: Sequence[Endpoint] = ()
    ) -> None:
        """Each of `backends` gets the same share of the slots, `drained` ones belong to the service without."""
        key = _SERVICE_KEY.pack(ip(vip), port, proto)
        old = self._segments.get(key)
        segment = self._write_slots(backends)
        known, wanted = self._endpoints.get(key, set()), {*backends, *drained}
        for endpoint in wanted:
            self._write("backends", self._backend_key(key, endpoint), struct.pack("=I", 1))
        self._write("services", _SERVICE_KEY.pack(ip(vip), 0, 0), bytes(_SERVICE.size))
        self._write("services", key, _SERVICE.pack(*segment))
        for endpoint in known - wanted:
            bpf.delete(self.datapath.maps["backends"], self._backend_key(key, endpoint))
        if old:
            self._erase_slots(*old)
        self._segments[key], self._endpoints[key] = segment, wanted

    def remove_service(self, vip: str, port: int, proto: int) -> None:
        key = _SERVICE_KEY.pack(ip(vip), port, proto)
        bpf.delete(self.datapath.maps["services"], key)
        self._erase_slots(*self._segments.pop(key))
        for endpoint in self._endpoints.pop(key):
            bpf.delete(self.datapath.maps["backends"], self._backend_key(key, endpoint))
        if not any(other[:4] == key[:4] for other in self._segments):
            bpf.delete(self.datapath.maps["services"], _SERVICE_KEY.pack(ip(vip), 0, 0))

    @staticmethod
    def _backend_key(service: bytes, endpoint: Endpoint) -> bytes:
        return service + struct.pack("!4sH2x", ip(endpoint[0]), endpoint[1])

    def _write_slots(self, backends: Sequence[Endpoint]) -> tuple[int, int]:
        """First chunk and number of slots of a new segment: three chunks, the last one not full."""
        if not backends:
            return 0, 0
        slots = 1 if len(backends) == 1 else 2 * SLOTS_PER_CHUNK + 3
        first = self._next_chunk
        owners = [backends[slot % len(backends)] for slot in range(slots)]
        for start in range(0, slots, SLOTS_PER_CHUNK):
            part = owners[start : start + SLOTS_PER_CHUNK]
            addresses = b"".join(ip(address) for address, _ in part).ljust(4 * SLOTS_PER_CHUNK, b"\0")
            ports = b"".join(port.to_bytes(2) for _, port in part).ljust(2 * SLOTS_PER_CHUNK, b"\0")
            self._write(
                "slots", struct.pack("=I", self._next_chunk), addresses + ports + struct.pack("=I", first)
            )
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
            self._write("slots", chunk, raw[:-4] + struct.pack("=I", first + 1))

    def erase_slots(self, vip: str, port: int, proto: int) -> None:
        self._erase_slots(*self._segments[_SERVICE_KEY.pack(ip(vip), port, proto)])

    def set_rewrite(self, ranges: tuple[str, str, str] | None) -> None:
        """Network, mask, new network; None switches it off."""
        value = (
            _REWRITE.pack(ip(ranges[0]), ip(ranges[2]), ip(ranges[1]), 1) if ranges else bytes(_REWRITE.size)
        )
        self._write("src_ip_rewrite", bytes(4), value)

    def session(self, flow: Flow) -> Session | None:
        raw = bpf.lookup(self.datapath.maps["sessions"], flow.pack(), _SESSION.size)
        return None if raw is None else Session.unpack(raw)

    def sessions(self) -> int:
        """The number of entries; each session has two."""
        return sum(1 for _ in maps.keys(self.datapath.maps["sessions"]))

    def age(self, ticks: int) -> None:
        """Makes all sessions and fragment notes older."""
        for name, layout, at in (("sessions", _SESSION, 4), ("fragments", _FRAGMENT, 3)):
            for key in list(maps.keys(self.datapath.maps[name])):
                raw = bpf.lookup(self.datapath.maps[name], key, layout.size)
                assert raw is not None
                fields = list(layout.unpack(raw))
                fields[at] = (fields[at] - ticks) & 0xFFFFFFFF
                self._write(name, key, layout.pack(*fields))

    def forget(self, flow: Flow) -> None:
        """Evicts one entry, as the kernel may when there is no room."""
        bpf.delete(self.datapath.maps["sessions"], flow.pack())

    def copy_session(self, source: Flow, target: Flow) -> None:
        session = self.session(source)
        assert session
        self._write("sessions", target.pack(), session.pack())

    def events(self) -> dict[str, int]:
        """The counters that are not zero."""
        totals = maps.per_cpu_sums(self.datapath.maps["events"], len(EVENTS))
        return {name: total for name, total in zip(EVENTS, totals, strict=True) if total}

    def reset_limits(self) -> None:
        maps.clear_per_cpu(self.datapath.maps["limits"], _LIMITS)
