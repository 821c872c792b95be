"""The maps of the datapath as src/datapath/abi.h lays them out, filled directly."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from k8slbrp import abi
from k8slbrp.maps import backend_check, endpoint_hash, head_check, known_bit, rewrite_check, service_hash
from pcnhost.engine import bpf
from testbed.openings import Openings
from tests.datapath import maps
from tests.datapath.harness import OPENINGS_SECRET

FRONTEND, BACKEND = abi.CONSTANTS["SIDE_FRONTEND"], abi.CONSTANTS["SIDE_BACKEND"]
ARP_REPLY, FLOOD, REJECT, FRAGMENT_HOLD, FRAGMENT_RELEASE, RESET = range(abi.CONSTANTS["REASON_COUNT"])
NO_PORT = abi.CONSTANTS["NO_PORT"]
MAX_PORTS = abi.CONSTANTS["MAX_PORTS"]
INLINE_BACKENDS = abi.CONSTANTS["INLINE_BACKENDS"]
INLINE_SLOTS = abi.CONSTANTS["INLINE_SLOTS"]
CHUNK_BYTES = abi.CONSTANTS["CHUNK_BYTES"]
BACKENDS_PER_BUCKET = abi.CONSTANTS["BACKENDS_PER_BUCKET"]
EVENTS = tuple(name.removeprefix("drop_") for name in abi.names("EVENT_")[:-1])
SESSION_TABLES = ("clients", "openings", "flows")
COUNTERS_OF_TESTS = 8  # of `traffic`
MORE_TABLES = ("affinities", "source_ranges")

TIMEOUTS = {
    socket.IPPROTO_TCP: (240, 240, 86400, 3600, 3600, 240, 240, 240, 240, 240),
    socket.IPPROTO_UDP: (120, 120, 180),
    socket.IPPROTO_ICMP: (60, 60, 60),
}
"""Idle timeouts by protocol and state, as the control plane sets them unless told otherwise."""


def ip(text: str) -> bytes:
    return socket.inet_aton(text)


def service_key(vip: str, port: int, proto: int) -> bytes:
    return abi.pack("service_key", vip=vip, vport=port, proto=proto)


SHORT_TIMEOUTS = {proto: (60,) * len(states) for proto, states in TIMEOUTS.items()}


@dataclass(frozen=True)
class Flow:
    """A packet's addresses and ports, and the side from which it enters."""

    saddr: str
    daddr: str
    sport: int
    dport: int
    proto: int
    side: int

    def client_key(self) -> bytes:
        """struct client_key of whoever is on the clients' side."""
        address, port = (self.saddr, self.sport) if self.side == FRONTEND else (self.daddr, self.dport)
        return abi.pack("client_key", ip=address, port=port, proto=self.proto)

    def flow_key(self) -> bytes:
        """struct flow_key."""
        ends = {"saddr": self.saddr, "daddr": self.daddr, "sport": self.sport, "dport": self.dport}
        return abi.pack("flow_key", **ends, proto=self.proto, side=self.side)


@dataclass(frozen=True)
class Session:
    """struct session; times in ticks, flows as client and server address and their ports."""

    front: tuple[str, str, int, int]
    back: tuple[str, str, int, int]
    last_seen: int
    port_generation: int
    port: int
    state: int
    flags: int
    removals: int
    table: str

    @property
    def source_port(self) -> int:
        """The client's port as the backend sees it."""
        return self.back[2]

    def serves(self, flow: Flow) -> bool:
        from_client = flow.side == FRONTEND if self.table != "flows" else not self.flags & 1
        ends = (flow.saddr, flow.daddr, flow.sport, flow.dport)
        if not from_client:
            ends = (flow.daddr, flow.saddr, flow.dport, flow.sport)
        return ends == (self.front if from_client else self.back)

    @staticmethod
    def unpack(raw: bytes, table: str) -> Session:
        entry = abi.struct("session").from_buffer_copy(raw)
        front, back = (
            (_text(flow.client), _text(flow.server), flow.client_port, flow.server_port)
            for flow in (entry.front, entry.back)
        )
        rest = ("last_seen", "port_generation", "port", "state", "flags", "removals")
        return Session(front, back, *(getattr(entry, name) for name in rest), table)


def _text(address: int) -> str:
    return socket.inet_ntoa(address.to_bytes(4))


Endpoint = tuple[str, int]
Ranges = tuple[str, str, str]  # of src-ip-rewrite: network, mask, new network


def _packed(endpoint: Endpoint, accepts: bool, counter: int, checks: int) -> bytes:
    """struct backend; `checks` is the service_hash()."""
    flags = accepts | counter << abi.CONSTANTS["BACKEND_COUNTER_SHIFT"]
    backend = abi.struct("backend")(ip=int.from_bytes(ip(endpoint[0])), port=endpoint[1], flags=flags)
    backend.check = backend_check(checks, backend)
    return bytes(backend)


def _rewrite(ranges: Ranges | None) -> bytes:
    """struct src_ip_rewrite; None: off."""
    rewrite = abi.struct("src_ip_rewrite")()
    if ranges:
        rewrite.net, rewrite.mask, rewrite.new_net = (int.from_bytes(ip(one)) for one in ranges)
        rewrite.check = rewrite_check(rewrite)
    return bytes(rewrite)


def _hash_of(endpoint: Endpoint) -> int:
    """backend_hash() of abi.h."""
    (address, port) = struct.unpack("=IH", ip(endpoint[0]) + endpoint[1].to_bytes(2))
    mixed = (address << 16 | port) * 0x9E3779B97F4A7C15 & 2**64 - 1
    mixed ^= mixed >> 32
    return (mixed * 0xBF58476D1CE4E5B9 & 2**64 - 1) >> 32


def _place(endpoints: Sequence[Endpoint]) -> tuple[list[int], int]:
    """An index for each, in the second of its buckets where there is room, and the number of buckets."""
    buckets = 8
    while True:
        crowd = [0] * buckets
        indexes = []
        for endpoint in endpoints:
            mixed = _hash_of(endpoint)
            second, first = mixed >> 16 & buckets - 1, mixed & buckets - 1
            chosen = second if crowd[second] < BACKENDS_PER_BUCKET else first
            indexes.append(chosen * BACKENDS_PER_BUCKET + crowd[chosen])
            crowd[chosen] += 1
        if max(crowd) <= BACKENDS_PER_BUCKET:
            assert buckets * BACKENDS_PER_BUCKET <= 256, "indexes are bytes here"
            return indexes, buckets
        buckets *= 2


def _slot_chunks(slots: Sequence[int], shift: int) -> list[bytes]:
    """The indexes in fields of 2^shift bits."""
    number = sum(index << (position << shift) for position, index in enumerate(slots))
    raw = b"".join(struct.pack("=H", number >> at & 0xFFFF) for at in range(0, len(slots) << shift, 16))
    return [raw[at : at + CHUNK_BYTES] for at in range(0, len(raw), CHUNK_BYTES)]


def _backend_chunks(backends: Mapping[int, bytes], buckets: int) -> list[bytes]:
    nobody = bytes(abi.size("backend"))
    raw = b"".join(backends.get(index, nobody) for index in range(buckets * BACKENDS_PER_BUCKET))
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
    _members: dict[bytes, set[Endpoint]] = field(default_factory=dict)
    _known: dict[int, int] = field(default_factory=dict)
    _source_sets: dict[bytes, int] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)  # of services set from now on: by backend

    @cached_property
    def openings(self) -> Openings:
        return Openings(self.datapath.maps["openings"], OPENINGS_SECRET)

    def reset(self) -> None:
        """Back to a cube without ports, services and sessions."""
        for name in (
            "frontends",
            "services",
            "vips",
            "chunks",
            "endpoints",
            "fragments",
            *MORE_TABLES,
        ):
            maps.clear(self.datapath.maps[name])
        self.forget_all()
        for index in range(MAX_PORTS):
            self._write("ports", struct.pack("=I", index), bytes(abi.size("port")))
            self.datapath.disconnect(index)
        self.set_rewrite(None)
        self.set_settings()
        # Nothing ever hints that there are no flows, which is harmless.
        maps.clear_array(self.datapath.maps["retired"])
        maps.clear_array(self.datapath.maps["unconfirmed"])
        maps.clear_array(self.datapath.maps["known"])
        self._known.clear()
        maps.clear_per_cpu(self.datapath.maps["retired_next"], 1)
        maps.clear_per_cpu(self.datapath.maps["events"], len(EVENTS))
        maps.clear_per_cpu(self.datapath.maps["traffic"], COUNTERS_OF_TESTS, abi.size("traffic"))
        maps.clear_per_cpu(self.datapath.maps["totals"], abi.CONSTANTS["TOTALS"], abi.size("total"))
        maps.clear_per_cpu(self.datapath.maps["table_changes"], abi.CONSTANTS["CHANGE_COUNT"])
        self.counters.clear()
        self.reset_limits()
        self._segments.clear()
        self._members.clear()
        self._source_sets.clear()

    def set_settings(
        self, timeouts: Mapping[int, Sequence[int]] = TIMEOUTS, reject_unserved: bool = False
    ) -> None:
        """Idle timeouts by protocol and state; whether a VIP's ports without service refuse."""
        settings = abi.struct("settings")()
        for proto, by_state in timeouts.items():
            for state, seconds in enumerate(by_state):
                settings.timeouts[proto][state] = seconds
        settings.longest_timeout = max(max(by_state) for by_state in timeouts.values())
        settings.reject_unserved = reject_unserved
        self._write("settings", bytes(4), bytes(settings))

    def _know(self, address: str, port: int, proto: int) -> None:
        for bit in (known_bit(address, port, proto), known_bit(address, 0, 0)):
            index = bit // 64
            self._known[index] = self._known.get(index, 0) | 1 << bit % 64
            self._write("known", struct.pack("=I", index), struct.pack("=Q", self._known[index]))

    def _write(self, name: str, key: bytes, value: bytes) -> None:
        bpf.update(self.datapath.maps[name], key, value)

    def add_port(self, index: int, side: int, out: int = NO_PORT, address: str = "0.0.0.0") -> int:
        """A port with a neighbour; returns its generation, which no port had before."""
        self._generation += 1
        entry = abi.pack("port", side=side, multi=self.multi, out=out, generation=self._generation)
        self._write("ports", struct.pack("=I", index), entry)
        if self.multi and side == FRONTEND:
            self._write("frontends", ip(address), struct.pack("=H", index))
        self.datapath.connect(index)
        return self._generation

    def set_out(self, index: int, out: int) -> None:
        """Changes where unmatched packets of a port go, without making it a new port."""
        key = struct.pack("=I", index)
        raw = bpf.lookup(self.datapath.maps["ports"], key, abi.size("port"))
        assert raw is not None
        port = abi.struct("port").from_buffer_copy(raw)
        port.out = out
        self._write("ports", key, bytes(port))

    def remove_port(self, index: int) -> None:
        for key in list(maps.keys(self.datapath.maps["frontends"])):
            if bpf.lookup(self.datapath.maps["frontends"], key, 2) == struct.pack("=H", index):
                bpf.delete(self.datapath.maps["frontends"], key)
        self._write("ports", struct.pack("=I", index), bytes(abi.size("port")))
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
        slots: int = INLINE_SLOTS,
        affinity: int = 0,
        sources: Sequence[str] = (),
    ) -> None:
        """Each of `backends` gets the same share, `drained` ones belong to the service without. Backends stand in
        the entry where possible, or in `chunks`; so do `slots`. `affinity` is its timeout, `sources` are
        prefixes."""
        key = service_key(vip, port, proto)
        old = self._segments.get(key, range(0))
        members = [*backends, *drained]
        chunks = chunks or len(members) > INLINE_BACKENDS
        indexes, buckets = _place(members) if chunks else (list(range(len(members))), 0)
        usable, shift = indexes[: len(backends)], 3 if buckets else 2
        slots = len(usable) if len(usable) < 2 and not chunks else slots if usable else 0
        table = (
            _slot_chunks([usable[slot % len(usable)] for slot in range(slots)], shift) if slots > 1 else []
        )
        self._version += 1
        checks = service_hash(key, self._version)
        values = [
            _packed(endpoint, number < len(backends), self.counters.get(endpoint[0], 0), checks)
            for number, endpoint in enumerate(members)
        ]
        stored = _backend_chunks(dict(zip(indexes, values, strict=True)), buckets)
        inline = b"" if chunks else b"".join(values)
        words = table.pop() if slots == INLINE_SLOTS and not chunks else b""
        segment = self._write_chunks(table + stored)
        self._know(vip, port, proto)
        for endpoint in members:
            self._know(*endpoint, proto)
            self._write("endpoints", self._endpoint_key(endpoint, proto), struct.pack("=I", 1))
        self._write("vips", ip(vip), struct.pack("=I", 1))
        source_set = self._write_sources(key, sources)
        head = abi.struct("service_head")(
            self._version, slots, segment.start, buckets, shift, source_set, affinity
        )
        head.check = head_check(checks, head)
        entry = bytes(head) + inline.ljust(abi.size("backend") * INLINE_BACKENDS, b"\0") + words
        self._write("services", key, entry.ljust(abi.size("service"), b"\0"))
        self._segments[key] = segment
        self._erase(old)
        self._set_members(key, set(members))

    def remove_service(self, vip: str, port: int, proto: int) -> None:
        key = service_key(vip, port, proto)
        bpf.delete(self.datapath.maps["services"], key)
        self._erase(self._segments.pop(key))
        self._set_members(key, set())
        if not any(other[:4] == key[:4] for other in self._segments):
            bpf.delete(self.datapath.maps["vips"], ip(vip))

    @staticmethod
    def _endpoint_key(endpoint: Endpoint, proto: int) -> bytes:
        return service_key(endpoint[0], endpoint[1], proto)

    def _set_members(self, key: bytes, members: set[Endpoint]) -> None:
        """What has become of the backends of a service; those of no service are none any more."""
        gone, proto = self._members.get(key, set()) - members, key[6]
        self._members[key] = members
        for endpoint in gone:
            if not any(endpoint in others for other, others in self._members.items() if other[6] == proto):
                bpf.delete(self.datapath.maps["endpoints"], self._endpoint_key(endpoint, proto))

    def _write_sources(self, key: bytes, prefixes: Sequence[str]) -> int:
        """A new set of source ranges beside older ones; returns its number."""
        if not prefixes:
            return 0
        number = self._source_sets.get(key, 0) % 255 + 1
        self._source_sets[key] = number
        for prefix in prefixes:
            address, length = prefix.split("/")
            service = abi.struct("service_key").from_buffer_copy(key)
            service.pad = number
            bits = abi.CONSTANTS["SERVICE_KEY_BITS"] + int(length)
            entry = abi.pack("source_range", prefix_length=bits, service=service, ip=address)
            self._write("source_ranges", entry, struct.pack("=I", 1))
        return number

    def _write_chunks(self, contents: Sequence[bytes]) -> range:
        first = self._next_chunk
        self._next_chunk += len(contents)
        for number, content in enumerate(contents, start=first):
            self._write("chunks", struct.pack("=I", number), content)
        return range(first, first + len(contents)) if contents else range(0)

    def _erase(self, segment: range) -> None:
        """What a service leaves behind, and the announcement that backends may have gone."""
        for number in segment:
            bpf.delete(self.datapath.maps["chunks"], struct.pack("=I", number))
        self._removals += 1
        self._write("removals", bytes(4), struct.pack("=I", self._removals))

    def tear_service(self, vip: str, port: int, proto: int) -> None:
        """Leaves the entry as if the kernel were just using its memory again."""

        def change(entry: Any) -> None:
            entry.head.version += 1

        self._change_service(service_key(vip, port, proto), change)

    def exchange_service(self, vip: str, port: int, proto: int, other: str, *, head: bool = True) -> None:
        """Puts the entry of the service at `other` in its place, or all but the head, as if the kernel had used its
        memory again."""
        key, source = service_key(vip, port, proto), service_key(other, port, proto)
        kept = 0 if head else abi.size("service_head")
        self._write("services", key, self._service(key)[:kept] + self._service(source)[kept:])

    def mix_versions(self, vip: str, port: int, proto: int) -> None:
        """Makes the head of an entry that of a later version, and says that backends have been removed."""

        def change(entry: Any) -> None:
            entry.head.version += 1
            entry.head.check = head_check(service_hash(key, entry.head.version), entry.head)

        key = service_key(vip, port, proto)
        self._change_service(key, change)
        self._erase(range(0))

    def half_write(self, vip: str, port: int, proto: int, before: bytes, written: int) -> None:
        """Leaves what the kernel has there while it writes the entry over `before`, an earlier one of the service:
        the head and the first `written` backends."""
        done = abi.size("service_head") + written * abi.size("backend")
        self.put_beside(vip, port, proto, self.entry(vip, port, proto)[:done] + before[done:])

    def put_beside(self, vip: str, port: int, proto: int, entry: bytes) -> None:
        """Leaves an entry of the service where a lookup of the datapath finds it once (Way.WRITING, Way.PREFETCHED)."""
        self._write("services", service_key(vip, port, proto)[:7] + b"\1", entry)

    def entry(self, vip: str, port: int, proto: int) -> bytes:
        """The service's entry."""
        return self._service(service_key(vip, port, proto))

    def _change_service(self, key: bytes, change: Callable[[Any], None]) -> None:
        entry = abi.struct("service").from_buffer_copy(self._service(key))
        change(entry)
        self._write("services", key, bytes(entry))

    def _service(self, key: bytes) -> bytes:
        raw = bpf.lookup(self.datapath.maps["services"], key, abi.size("service"))
        assert raw is not None
        return raw

    def exchange_chunks(self, vip: str, port: int, proto: int, other: str) -> None:
        """Puts the chunks of the service at `other` in its place, as if the kernel had used their memory again."""
        numbers, sources = (self._segments[service_key(at, port, proto)] for at in (vip, other))
        for number, source in zip(numbers, sources, strict=True):
            content = bpf.lookup(self.datapath.maps["chunks"], struct.pack("=I", source), CHUNK_BYTES)
            assert content is not None
            self._write("chunks", struct.pack("=I", number), content)

    def erase_chunks(self, vip: str, port: int, proto: int) -> None:
        self._erase(self._segments[service_key(vip, port, proto)])

    def set_rewrite(self, ranges: Ranges | None) -> None:
        """None switches it off."""
        self._write("src_ip_rewrite", bytes(4), _rewrite(ranges))

    def half_write_rewrite(self, before: Ranges | None, after: Ranges | None, written: int) -> None:
        """Leaves what is there while the kernel writes one setting over another: so many words are written."""
        done = 4 * written
        self._write("src_ip_rewrite", bytes(4), _rewrite(after)[:done] + _rewrite(before)[done:])

    def session(self, flow: Flow) -> Session | None:
        """What packets of this flow find."""
        for table in SESSION_TABLES:
            key = flow.flow_key() if table == "flows" else flow.client_key()
            raw = self._entry(table, key)
            if raw is not None and (session := Session.unpack(raw, table)).serves(flow):
                return session
        return None

    def sessions(self, *tables: str) -> int:
        """The number of entries, of all tables unless told."""
        return sum(len(self.entries(table)) for table in tables or SESSION_TABLES)

    def entries(self, table: str) -> dict[bytes, bytes]:
        """struct session by key of a table of sessions."""
        if table == "openings":
            return self.openings.entries()
        return {key: value or b"" for key, value in maps.contents(self.datapath.maps[table]).items()}

    def _entry(self, table: str, key: bytes) -> bytes | None:
        if table == "openings":
            return self.openings.lookup(key)
        return bpf.lookup(self.datapath.maps[table], key, abi.size("session"))

    def age(self, ticks: int) -> None:
        """Makes all sessions, fragment notes and affinities older."""
        for name, layout, member in (
            *((name, "session", "last_seen") for name in SESSION_TABLES),
            ("fragments", "fragment", "last_seen"),
            ("affinities", "affinity", "last_opened"),
        ):
            for entry in self._changed(name, layout):
                setattr(entry, member, (getattr(entry, member) - ticks) & 0xFFFFFFFF)
        self._age_hints(ticks)

    def _changed(self, name: str, layout: str) -> Iterator[Any]:
        """All entries of a map, each of which is written back as the caller has left it."""
        for key, raw in self.entries(name).items():
            entry = abi.struct(layout).from_buffer_copy(raw)
            yield entry
            if name == "openings":
                self.openings.update(key, bytes(entry))
            else:
                self._write(name, key, bytes(entry))

    def _age_hints(self, ticks: int) -> None:
        """Those of the clients in `flows`."""
        fd = self.datapath.maps["flow_hints"]
        entries = bpf.map_spec(fd).max_entries
        indexes = set()
        for raw in maps.keys(self.datapath.maps["flows"]):
            key = abi.struct("flow_key").from_buffer_copy(raw)
            client = (key.saddr, key.sport) if key.side == FRONTEND else (key.daddr, key.dport)
            indexes.add(endpoint_hash(_text(client[0]), client[1], key.proto) % entries)
        for index in indexes:
            (last_used,) = struct.unpack("=I", bpf.lookup(fd, struct.pack("=I", index), 4) or bytes(4))
            older = struct.pack("=I", (last_used - ticks) & 0xFFFFFFFF | 1)
            self._write("flow_hints", struct.pack("=I", index), older)

    def end_sessions(self, *tables: str) -> None:
        """Marks sessions as ended with a reset: all of them, or those in some tables."""
        for name in tables or SESSION_TABLES:
            for entry in self._changed(name, "session"):
                entry.state = abi.CONSTANTS["SESSION_ENDED"]

    def tear_sessions(self, table: str) -> None:
        """Half of each entry is another session's by now: the half that its packets do not look like."""
        for entry in self._changed(table, "session"):
            if entry.flags & abi.CONSTANTS["SESSION_FLAG_FROM_SERVER"]:
                entry.front.client ^= 1
            else:
                entry.back.server ^= 1

    def forget_all(self) -> None:
        """Evicts all sessions."""
        maps.clear(self.datapath.maps["clients"])
        maps.clear(self.datapath.maps["flows"])
        self.openings.clear()

    def forget(self, flow: Flow, *tables: str) -> None:
        """Evicts what is kept for a flow, as happens when there is no room."""
        for table in tables or SESSION_TABLES:
            key = flow.flow_key() if table == "flows" else flow.client_key()
            if self._entry(table, key) is None:
                continue
            if table == "openings":
                self.openings.delete(key)
            else:
                bpf.delete(self.datapath.maps[table], key)

    def events(self) -> dict[str, int]:
        """The counters that are not zero."""
        totals = maps.per_cpu_sums(self.datapath.maps["events"], len(EVENTS))
        return {name: total for name, total in zip(EVENTS, totals, strict=True) if total}

    def traffic(self, counter: int) -> tuple[int, ...]:
        """Packets and bytes from clients, the same to clients, and new sessions."""
        return maps.per_cpu_structs(self.datapath.maps["traffic"], counter, "=5Q")

    def changes(self) -> dict[str, int]:
        """What has become of entries for clients, as far as it is not zero."""
        names = abi.names("CHANGE_")[:-1]
        totals = maps.per_cpu_sums(self.datapath.maps["table_changes"], len(names))
        return {name: total for name, total in zip(names, totals, strict=True) if total}

    def total(self, side: int, fate: str) -> tuple[int, ...]:
        """Packets and bytes: those that came in from a side and were `passed`, `dropped`, …"""
        index = side * abi.CONSTANTS["FATE_COUNT"] + abi.CONSTANTS[f"FATE_{fate.upper()}"]
        return maps.per_cpu_structs(self.datapath.maps["totals"], index, "=2Q")

    def copies(self, reason: int) -> tuple[int, ...]:
        """Packets for this reason: given to the control plane, and gone their way without."""
        return maps.per_cpu_structs(self.datapath.maps["limits"], reason, "=8x2Q")

    def reset_limits(self) -> None:
        maps.clear_per_cpu(self.datapath.maps["limits"], abi.CONSTANTS["REASON_COUNT"], abi.size("limit"))
