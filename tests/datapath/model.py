"""What the load balancer is meant to do with each packet, written from its documentation.

The one thing the model does not know is which of a service's backends a new session gets, and which source port
when the client's own one is taken: it learns that from the packet the datapath has made, and checks that it was
allowed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from socket import IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP
from typing import Any

from tests.datapath.harness import RETIRED_ENTRIES
from tests.datapath.headers import (
    ACK,
    ECHO_REQUEST,
    FIN,
    RST,
    SHORTEST_L4,
    SYN,
    Datagram,
    Kind,
    classify,
    quoted_flow,
    word,
)
from tests.datapath.tables import ARP_REPLY, BACKEND, FLOOD, FRONTEND, REJECT

SLOW_PATH_BUDGET = 256
FRAGMENT_TIMEOUT = 30
LOWEST_SOURCE_PORT = 1024
STRAGGLER_TICKS = 2
CLOSING = ("client done", "backend done", "closed")
RETIRING = ("answered", "closed")

Address = bytes
Endpoint = tuple[Address, int]
ServiceKey = tuple[Address, int, int]  # VIP, port, protocol
FlowKey = tuple[Address, Address, int, int, int, int]  # source, destination, their ports, protocol, side
NearEnd = tuple[Address, int, int]  # address and port on the clients' side, protocol


def near_end(key: FlowKey) -> NearEnd:
    src, dst, sport, dport, proto, side = key
    return (src, sport, proto) if side == FRONTEND else (dst, dport, proto)


class Violation(AssertionError):
    """The datapath made a choice it must not make."""


@dataclass
class Port:
    """`out`: where packets go that no session sends elsewhere; None: by destination address."""

    side: int
    out: int | None
    generation: int


@dataclass
class Service:
    """`usable` backends get new sessions; `members` keep those they have. `version` counts changes."""

    usable: frozenset[Endpoint]
    members: frozenset[Endpoint]
    version: int


@dataclass
class Session:
    """A client's flow to a service. `seen`: when either side was last heard of; `reply_side`: where answers
    enter. They leave by `port` while it is of this `generation`."""

    client: Endpoint
    vip: Endpoint
    visible: Endpoint
    backend: Endpoint
    proto: int
    reply_side: int
    state: str
    seen: int
    port: int
    generation: int
    released: bool = False

    @property
    def forward_key(self) -> FlowKey:
        return self.client[0], self.vip[0], self.client[1], self.vip[1], self.proto, FRONTEND

    @property
    def reverse_key(self) -> FlowKey:
        return self.backend[0], self.visible[0], self.backend[1], self.visible[1], self.proto, self.reply_side

    @property
    def timeout(self) -> int:
        if self.proto == IPPROTO_TCP:
            return {"opening": 60, "established": 86400}.get(self.state, 120)
        return 180 if self.proto == IPPROTO_UDP and self.state == "established" else 30


@dataclass
class Entry:
    """What the table of sessions has for `flows`: one direction of a session or both, with a `session` of its own.
    `front` identifies it among those of a near end."""

    session: Session
    front: FlowKey
    flows: tuple[FlowKey, ...]
    is_passed: bool = False

    def serves(self, key: FlowKey) -> bool:
        is_released = self.session.released and key == self.session.reverse_key and key[5] == BACKEND
        return key in self.flows and not is_released


@dataclass
class Direction:
    """One direction of a session, and the entry that is kept for it."""

    session: Session
    is_forward: bool
    entry: Entry

    @property
    def result(self) -> tuple[Address, Address, int, int]:
        """Addresses and ports of the packets that come out."""
        s = self.session
        one, two = (s.visible, s.backend) if self.is_forward else (s.vip, s.client)
        return one[0], two[0], one[1], two[1]


@dataclass
class Expected:
    """`out`: output port, None when the packet ends here. `punt`: why the control plane got it as it came."""

    out: int | None
    frame: bytes
    punt: int | None = None


@dataclass
class Note:
    """What became of a datagram's first fragment."""

    src: Address
    dst: Address
    out: int | None
    seen: int


Place = tuple[dict[Any, Entry], Any]  # Model.ends or Model.flows, and a key of it


@dataclass
class Model:
    multi: bool
    now: int = 0
    ports: dict[int, Port] = field(default_factory=dict)
    frontends: dict[Address, int] = field(default_factory=dict)
    services: dict[ServiceKey, Service] = field(default_factory=dict)
    rewrite: tuple[int, int, int] | None = None  # network, mask, new network
    ends: dict[NearEnd, Entry] = field(default_factory=dict)
    flows: dict[FlowKey, Entry] = field(default_factory=dict)  # of near ends that were in use
    notes: dict[tuple[Address, Address, int, int, int], Note] = field(default_factory=dict)
    events: Counter[str] = field(default_factory=Counter)
    _spent: Counter[tuple[int, int]] = field(default_factory=Counter)
    _choices: dict[tuple[FlowKey, int], Endpoint] = field(default_factory=dict)
    _retired: dict[int, Place] = field(default_factory=dict)
    _retirements: int = 0

    def expect(self, in_port: int, frame: bytes, observed: bytes) -> Expected:
        """What must become of `frame`, given that the datapath has made `observed` of it."""
        port = self.ports.get(in_port)
        if port is None:
            return self._drop(frame, "no_port")
        data = bytearray(frame)
        kind, l3, datagram = classify(data)
        if kind is Kind.MALFORMED:
            return self._drop(frame, "malformed")
        if kind is Kind.ARP:
            return self._arp(port, data, l3)
        if datagram is None:
            is_flooded = port.side == BACKEND and self.multi
            return self._punt(frame, FLOOD) if is_flooded else self._send(port.out, data)
        match kind:
            case Kind.FLOW:
                return self._flow(in_port, port, datagram, observed)
            case Kind.LATER_FRAGMENT:
                return self._later_fragment(port, datagram)
            case Kind.ICMP_ERROR:
                return self._icmp_error(port, datagram)
        return self._untranslated(port, datagram)

    # --- ways to end ---

    def _drop(self, frame: bytes | bytearray, event: str) -> Expected:
        self.events[event] += 1
        return Expected(None, bytes(frame))

    def _send(self, out: int | None, data: bytearray) -> Expected:
        return self._drop(data, "no_port") if out is None else Expected(out, bytes(data))

    def _punt(self, frame: bytes | bytearray, reason: int) -> Expected:
        return Expected(None, bytes(frame), self._within_budget(reason))

    def _within_budget(self, reason: int) -> int | None:
        if self._spent[reason, self.now] >= SLOW_PATH_BUDGET:
            self.events["rate_limited"] += 1
            return None
        self._spent[reason, self.now] += 1
        return reason

    def _untranslated(self, port: Port, datagram: Datagram) -> Expected:
        if datagram.is_first_fragment:
            self._note_untranslated(port, datagram)
        if port.side == FRONTEND or not self.multi:
            return self._send(port.out, datagram.data)
        out = self.frontends.get(datagram.dst)
        is_for_everybody = datagram.dst[0] >> 4 == 14 or datagram.dst == b"\xff" * 4 or datagram.data[0] & 1
        if out is None and is_for_everybody:
            return self._punt(datagram.data, FLOOD)
        return self._send(out, datagram.data)

    # --- fragments ---

    def _note_key(self, port: Port, datagram: Datagram) -> tuple[Address, Address, int, int, int]:
        return datagram.src, datagram.dst, datagram.identification, datagram.proto, port.side

    def _note_untranslated(self, port: Port, datagram: Datagram) -> None:
        key = self._note_key(port, datagram)
        if port.side == BACKEND:
            self.notes.pop(key, None)
        elif self._is_vip(datagram.dst):
            self.notes[key] = Note(datagram.src, datagram.dst, port.out, self.now)

    def _is_vip(self, address: Address) -> bool:
        return any(vip == address for vip, _, _ in self.services)

    def _later_fragment(self, port: Port, datagram: Datagram) -> Expected:
        note = self.notes.get(self._note_key(port, datagram))
        if note and self.now - note.seen <= FRAGMENT_TIMEOUT:
            datagram.set_addresses(note.src, note.dst)
            return self._send(note.out, datagram.data)
        if port.side == FRONTEND and datagram.proto in SHORTEST_L4 and self._is_vip(datagram.dst):
            return self._drop(datagram.data, "fragment")
        return self._untranslated(port, datagram)

    # --- sessions ---

    def _flow(self, in_port: int, port: Port, datagram: Datagram, observed: bytes) -> Expected:
        key: FlowKey = (datagram.src, datagram.dst, *datagram.ports, datagram.proto, port.side)
        direction = left = self._live(key)
        if direction and not self._still_valid(direction, datagram):
            direction = None
        if direction:
            self._refresh(direction, datagram, in_port)
        elif port.side == BACKEND:
            return self._untranslated(port, datagram)
        else:
            service = self.services.get((datagram.dst, datagram.ports[1], datagram.proto))
            if service is None or (datagram.proto == IPPROTO_ICMP and datagram.icmp_type != ECHO_REQUEST):
                self._release_port(key, datagram)
                return self._untranslated(port, datagram)
            if not service.usable:
                self.events["rejected"] += 1
                return self._punt(datagram.data, REJECT)
            direction = self._open(key, service, datagram, in_port, observed)
            if left and len(left.entry.flows) == 2:
                self._keep_answers(left.entry, direction.session)
        out = self._egress(port, direction)
        if datagram.is_first_fragment:
            self.notes[self._note_key(port, datagram)] = Note(*direction.result[:2], out, self.now)
        datagram.set_flow(*direction.result)
        return self._send(out, datagram.data)

    def _find(self, key: FlowKey) -> Direction | None:
        """Where no session is kept for the near end, the ones of whole flows are not found either."""
        entry = self.ends.get(near_end(key))
        if entry and not entry.serves(key):
            entry.is_passed = True
            entry = self.flows.get(key)
        if entry is None or not entry.serves(key):
            return None
        return Direction(entry.session, key == entry.session.forward_key, entry)

    def _live(self, key: FlowKey) -> Direction | None:
        direction = self._find(key)
        return direction if direction and not self._is_over(direction.session) else None

    def _is_over(self, session: Session) -> bool:
        return self.now - session.seen > session.timeout

    def _still_valid(self, direction: Direction, datagram: Datagram) -> bool:
        """TCP sessions live until a new SYN; UDP and ICMP ones need a backend that still is the service's."""
        session = direction.session
        if not direction.is_forward:
            return True
        if datagram.proto == IPPROTO_TCP:
            if datagram.tcp_flags & (SYN | ACK | RST) != SYN:
                return True
            if session.state != "opening":
                return False
        service = self.services.get((*session.vip, session.proto))
        return service is not None and session.backend in service.members

    def _refresh(self, direction: Direction, datagram: Datagram, in_port: int) -> None:
        session, before = direction.session, (direction.session.state, direction.session.seen)
        session.seen = self.now
        if session.proto != IPPROTO_TCP:
            if session.state == "answered" and direction.is_forward and before[1] != self.now:
                session.state = "established"
            elif session.state == "opening" and not direction.is_forward:
                session.state = "answered"
        elif datagram.tcp_flags & RST:
            session.state = "closed"
        elif datagram.tcp_flags & FIN:
            done = "client done" if direction.is_forward else "backend done"
            session.state = done if session.state in ("opening", "established", done) else "closed"
        elif session.state == "opening" and direction.is_forward and not datagram.tcp_flags & SYN:
            session.state = "established"
        if before == (session.state, session.seen):
            return
        # the moment at which the client's port is noted, and a lost other direction comes back
        if direction.is_forward:
            session.port, session.generation = in_port, self.ports[in_port].generation
        retires = before[0] != session.state and session.state in RETIRING
        if retires:
            self._retire(direction.entry)
        if len(direction.entry.flows) == 1:
            other = session.reverse_key if direction.is_forward else session.forward_key
            self._refresh_other(direction.entry, other, retires)

    def _refresh_other(self, refreshed: Entry, other: FlowKey, retires: bool) -> None:
        session = refreshed.session
        found = self._find(other)
        if found is None and session.state not in CLOSING:
            entry = self._entry(session, other)
            entry.is_passed = refreshed.is_passed
            if near_end(other) in self.ends:
                self.flows[other] = entry
            else:
                self.ends[near_end(other)] = entry
        elif found and (found.session.forward_key, found.session.reverse_key) == (
            session.forward_key,
            session.reverse_key,
        ):  # or left from an earlier use of the same addresses and ports
            earlier = found.session
            earlier.state, earlier.seen = session.state, session.seen
            earlier.port, earlier.generation = session.port, session.generation
            if retires:
                self._retire(found.entry)

    def _retire(self, entry: Entry) -> None:
        """The one whose turn it is goes if nobody needs it."""
        index = self._retirements % RETIRED_ENTRIES
        self._retirements += 1
        place = self._retired.get(index)
        flow = entry.flows[0]
        is_at_end = self.ends.get(near_end(flow)) is entry
        self._retired[index] = (self.ends, near_end(flow)) if is_at_end else (self.flows, flow)
        if place is None:
            return
        entries, key = place
        oldest = entries.get(key)
        if oldest is None or oldest.is_passed or self.now - oldest.session.seen < STRAGGLER_TICKS:
            return
        if oldest.session.state in RETIRING or self._is_over(oldest.session):
            del entries[key]

    def _release_port(self, key: FlowKey, datagram: Datagram) -> None:
        """A connection past the load balancer takes over the port of a session that is being closed."""
        if datagram.proto == IPPROTO_TCP and datagram.tcp_flags & (SYN | ACK | RST) == SYN:
            src, dst, sport, dport, proto, _ = key
            answers = self._find((dst, src, dport, sport, proto, BACKEND))
            if answers and answers.session.state in CLOSING:
                answers.session.released = True

    def _open(
        self, key: FlowKey, service: Service, datagram: Datagram, in_port: int, observed: bytes
    ) -> Direction:
        client, vip = (key[0], key[2]), (key[1], key[3])
        made = Datagram(bytearray(observed), datagram.l3, datagram.l4)
        backend = made.dst, made.ports[1]
        if backend not in service.usable:
            raise Violation(f"{backend} is no usable backend")
        if self._choices.setdefault((key, service.version), backend) != backend:
            raise Violation(f"{backend} instead of the backend that the same flow had before")
        flags = datagram.tcp_flags if datagram.proto == IPPROTO_TCP else 0
        state = "opening"
        if datagram.proto == IPPROTO_TCP and not flags & SYN:
            state = "client done" if flags & FIN else "established"
        is_hairpin = client[0] == backend[0]
        visible = self._visible(client[0], backend[0], vip[0]), client[1]
        reply_side = FRONTEND if is_hairpin else BACKEND
        generation = self.ports[in_port].generation
        session = Session(
            client, vip, visible, backend, key[4], reply_side, state, self.now, in_port, generation
        )
        request = Direction(session, True, self._entry(session, key))
        if flags & RST:
            return request
        if self._is_taken(session):
            session.visible = visible[0], made.ports[0]
            if made.ports[0] < LOWEST_SOURCE_PORT or self._is_taken(session, but_closed=True):
                raise Violation(f"source port {made.ports[0]} is not free")
        self._store(session)
        self.events["new_session"] += 1
        return request

    @staticmethod
    def _entry(session: Session, *flows: FlowKey) -> Entry:
        is_mirrored = flows == (session.reverse_key,) and session.reply_side == FRONTEND
        return Entry(replace(session), session.reverse_key if is_mirrored else session.forward_key, flows)

    def _store(self, session: Session) -> None:
        request, answer = session.forward_key, session.reverse_key
        has_one_end = session.reply_side == BACKEND and near_end(request) == near_end(answer)
        both = self._entry(session, request, answer)
        if has_one_end and self._store_at_end(near_end(request), both):
            return
        for key in (answer, request):
            entry = self._entry(session, key)
            if not self._store_at_end(near_end(key), entry):
                self.flows[key] = entry

    def _store_at_end(self, end: NearEnd, entry: Entry) -> bool:
        """An earlier session gives way when it is over or closed, or used to be the same client's flow."""
        old = self.ends.get(end)
        gives_way = (
            old is None
            or old.front == entry.front
            or old.session.state == "closed"
            or self._is_over(old.session)
        )
        if gives_way:
            entry.is_passed = old is not None and old.is_passed
            self.ends[end] = entry
        return gives_way

    def _keep_answers(self, left: Entry, new: Session) -> None:
        """Late answers to a session that the client has just left still come from the VIP."""
        answers = left.session.reverse_key
        if answers != new.reverse_key:
            self.flows[answers] = self._entry(left.session, answers)
            self.flows[answers].is_passed = left.is_passed

    def forget(self, end: NearEnd) -> None:
        """No direction of any session is known at this near end any more."""
        self.ends.pop(end, None)
        for key in [key for key in self.flows if near_end(key) == end]:
            del self.flows[key]

    def _is_taken(self, session: Session, *, but_closed: bool = False) -> bool:
        """Whether answers to `session` would be taken for those to another one."""
        found = self._live(session.reverse_key)
        if found is None or (but_closed and found.session.state == "closed"):
            return False
        return found.session.forward_key != session.forward_key

    def _visible(self, client: Address, backend: Address, vip: Address) -> Address:
        if client == backend:
            return vip
        if self.rewrite is None or not self._is_in(client, self.rewrite[0]):
            return client
        _, mask, new_network = self.rewrite
        return (new_network | int.from_bytes(client) & ~mask).to_bytes(4)

    def _egress(self, port: Port, direction: Direction) -> int | None:
        if port.side == FRONTEND:
            return port.out
        session = direction.session
        leaving = self.ports.get(session.port)
        if leaving and leaving.side == FRONTEND and leaving.generation == session.generation:
            return session.port
        return self.frontends.get(session.client[0]) if self.multi else port.out

    # --- ICMP errors ---

    def _icmp_error(self, port: Port, error: Datagram) -> Expected:
        inner = quoted_flow(error)
        if inner is None:
            return self._untranslated(port, error)
        sport, dport = inner.ports
        direction = self._live((inner.dst, inner.src, dport, sport, inner.proto, port.side))
        if direction is None:
            if port.side == FRONTEND and (inner.src, sport, inner.proto) in self.services:
                return self._drop(error.data, "icmp_error")
            return self._untranslated(port, error)
        out = self._egress(port, direction)
        src, dst, new_sport, new_dport = direction.result
        before = error.sum_of_icmp()
        error.set_addresses(src if error.src == inner.dst else error.src, dst)
        inner.set_flow(dst, src, new_dport, new_sport)
        error.keep_sum_of_icmp(before)
        return self._send(out, error.data)

    # --- ARP ---

    def _arp(self, port: Port, data: bytearray, l3: int) -> Expected:
        sender, target = bytes(data[l3 + 14 : l3 + 18]), bytes(data[l3 + 24 : l3 + 28])
        if port.side == FRONTEND:
            expected = self._send(port.out, data)
            if self.rewrite and word(data, l3 + 6) == 2 and self._is_in(sender, self.rewrite[0]):
                expected.punt = self._within_budget(ARP_REPLY)
            return expected
        if self.rewrite and self._is_in(target, self.rewrite[2]):
            network, mask, _ = self.rewrite
            target = (network | int.from_bytes(target) & ~mask).to_bytes(4)
            data[l3 + 24 : l3 + 28] = target
        if not self.multi:
            return self._send(port.out, data)
        out = self.frontends.get(target)
        if out is None and sender in (target, bytes(4)):
            return self._punt(data, FLOOD)
        return self._send(out, data)

    def _is_in(self, address: Address, network: int) -> bool:
        assert self.rewrite
        return int.from_bytes(address) & self.rewrite[1] == network
