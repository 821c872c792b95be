"""What the load balancer is meant to do with each packet, written from its documentation.

The one thing the model does not know is which of a service's backends a new session gets, and which source port
when the client's own one is taken: it learns that from the packet the datapath has made, and checks that it was
allowed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from socket import IPPROTO_ICMP, IPPROTO_TCP
from typing import Any

from tests.datapath.harness import RETIRED_ENTRIES
from tests.datapath.headers import (
    ACK,
    ECHO_REPLY,
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
from tests.datapath.model_service import Address, Affinities, Endpoint, Service, ServiceKey
from tests.datapath.model_session import (
    CLOSING,
    RESET,
    Client,
    FlowKey,
    Found,
    Session,
    client_of,
)
from tests.datapath.tables import ARP_REPLY, BACKEND, FLOOD, FRAGMENT_HOLD, FRAGMENT_RELEASE, FRONTEND, REJECT

SLOW_PATH_BUDGET = 256
ACK_WINDOW = 1 << 17
FRAGMENT_TIMEOUT = 30
STRAGGLER_TICKS = 2
RESET_TICKS = 240
FIRST_USER_PORT = 1024


class Violation(AssertionError):
    """The datapath made a choice it must not make."""


@dataclass
class Port:
    """`out`: where packets go that no session sends elsewhere; None: by destination address."""

    side: int
    out: int | None
    generation: int


@dataclass
class Expected:
    """`out`: output port, None when the packet ends here. `punt`: why the control plane got it as it came.
    `releases`: it is told besides that the datagram's first fragment has come."""

    out: int | None
    frame: bytes
    punt: int | None = None
    releases: bool = False


@dataclass
class Note:
    """What becomes of a datagram's later fragments."""

    verdict: str
    seen: int
    src: Address = b""
    dst: Address = b""
    port: int = 0
    generation: int = 0


@dataclass
class Model:
    multi: bool
    now: int = 0
    ports: dict[int, Port] = field(default_factory=dict)
    frontends: dict[Address, int] = field(default_factory=dict)
    services: dict[ServiceKey, Service] = field(default_factory=dict)
    known: set[ServiceKey] = field(default_factory=set)  # services and backends that are or have been
    rewrite: tuple[int, int, int] | None = None  # network, mask, new network
    reject_unserved: bool = False
    clients: dict[Client, Session] = field(default_factory=dict)
    openings: dict[Client, Session] = field(default_factory=dict)
    flows: dict[FlowKey, tuple[Session, bool]] = field(
        default_factory=dict
    )  # and whether the client sends them
    notes: dict[tuple[Address, Address, int, int, int], Note] = field(default_factory=dict)
    events: Counter[str] = field(default_factory=Counter)
    _spent: Counter[tuple[int, int]] = field(default_factory=Counter)
    affinities: Affinities = field(default_factory=Affinities)
    _choices: dict[tuple[FlowKey, int], Endpoint] = field(default_factory=dict)
    _retired: dict[int, Client] = field(default_factory=dict)
    _retirements: int = 0
    _fate: Note = field(default_factory=lambda: Note("drop", 0))  # of later fragments

    def set_service(self, key: ServiceKey, service: Service) -> None:
        self.services[key] = service
        self.known |= {key, (key[0], 0, 0)}
        for address, port in service.members:
            self.known |= {(address, port, key[2]), (address, 0, 0)}

    def expect(self, in_port: int, frame: bytes, observed: bytes) -> Expected:
        """What must become of `frame`, given that the datapath has made `observed` of it."""
        port = self.ports.get(in_port)
        if port is None:
            return self._drop(frame, "port_not_ready")
        data = bytearray(frame)
        kind, l3, datagram = classify(data)
        if kind is Kind.MALFORMED:
            return self._drop(frame, "malformed")
        if kind is Kind.ARP:
            return self._arp(port, data, l3)
        if datagram is None:
            is_flooded = port.side == BACKEND and self.multi
            return self._punt(frame, FLOOD) if is_flooded else self._send(port.out, data)
        if kind is Kind.LATER_FRAGMENT:
            return self._later_fragment(port, datagram)
        note = self._note_key(port, datagram)
        if kind is Kind.FLOW:
            expected = self._flow(in_port, port, datagram, observed)
        elif kind is Kind.ICMP_ERROR:
            expected = self._icmp_error(port, datagram, observed)
        else:
            expected = self._untranslated(port, datagram)
        if datagram.is_first_fragment:
            expected.releases = self._note_first_fragment(port, datagram, note, expected)
        return expected

    # --- ways to end ---

    def _drop(self, frame: bytes | bytearray, event: str) -> Expected:
        self.events[event] += 1
        return Expected(None, bytes(frame))

    def _send(self, out: int | None, data: bytearray) -> Expected:
        return self._drop(data, "no_port") if out is None else Expected(out, bytes(data))

    def _punt(self, frame: bytes | bytearray, reason: int) -> Expected:
        return Expected(None, bytes(frame), self._within_budget(reason))

    def _within_budget(self, reason: int, event: str = "rate_limited") -> int | None:
        if self._spent[reason, self.now] >= SLOW_PATH_BUDGET:
            if event:
                self.events[event] += 1
            return None
        self._spent[reason, self.now] += 1
        return reason

    def _untranslated(self, port: Port, datagram: Datagram) -> Expected:
        self._fate = Note("pass", self.now)
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

    def _note(self, key: tuple[Address, Address, int, int, int]) -> Note | None:
        note = self.notes.get(key)
        return note if note and self.now - note.seen <= FRAGMENT_TIMEOUT else None

    def _is_near_service(self, key: tuple[Address, Address, int, int, int]) -> bool:
        return (key[1] if key[4] == FRONTEND else key[0], 0, 0) in self.known

    def _note_first_fragment(
        self, port: Port, datagram: Datagram, key: tuple[Address, Address, int, int, int], expected: Expected
    ) -> bool:
        """Whether the slow path holds later ones."""
        if self._fate.verdict != "translate" and not self._is_near_service(key):
            return False
        old = self._note(key)
        self.notes[key] = self._fate
        if old is None or old.verdict != "held":
            return False
        self._spent[FRAGMENT_RELEASE, self.now] += 1
        return self._spent[FRAGMENT_RELEASE, self.now] <= SLOW_PATH_BUDGET

    def _later_fragment(self, port: Port, datagram: Datagram) -> Expected:
        key = self._note_key(port, datagram)
        note = self._note(key)
        if note and note.verdict == "drop":
            return self._drop(datagram.data, "fragment")
        if note and note.verdict == "translate":
            datagram.set_addresses(note.src, note.dst)
            return self._send(self._egress(port, note.port, note.generation, note.dst), datagram.data)
        if note and note.verdict == "pass":
            return self._untranslated(port, datagram)
        if datagram.proto not in SHORTEST_L4 or not self._is_near_service(key):
            return self._untranslated(port, datagram)
        if self._within_budget(FRAGMENT_HOLD) is None:
            return Expected(None, bytes(datagram.data))
        if note is None:
            self.notes[key] = Note("held", self.now)
        self.events["fragment_held"] += 1
        return Expected(None, bytes(datagram.data), FRAGMENT_HOLD)

    # --- sessions ---

    def _flow(self, in_port: int, port: Port, datagram: Datagram, observed: bytes) -> Expected:
        self._fate = Note("drop", self.now)
        key: FlowKey = (datagram.src, datagram.dst, *datagram.ports, datagram.proto, port.side)
        found = self._successor(self._find(key), datagram)
        if found and not self._is_over(found.session) and self._keeps(found, datagram):
            self._refresh(found, datagram, in_port)
        elif found and found.is_successor:
            del self.openings[client_of(found.session.request)]
            answers = self.flows.get(found.session.answer)
            if answers and answers[0].is_same(found.session):
                del self.flows[found.session.answer]
            return self._drop(datagram.data, "table_changed")
        elif port.side == BACKEND:
            if self._is_backend(datagram.src, datagram.ports[0], datagram.proto) and self._is_answer(
                datagram
            ):
                return self._drop(datagram.data, "no_session")
            return self._untranslated(port, datagram)
        else:
            opened = self._open(key, datagram, in_port, observed, found)
            if opened is None:
                is_tcp = datagram.proto == IPPROTO_TCP
                if found and is_tcp and datagram.tcp_flags & (SYN | ACK | RST) == SYN:
                    self._forget(found)
                return self._no_such_service(port, datagram)
            if isinstance(opened, Expected):
                return opened
            found = opened
        return self._translated(port, datagram, found)

    def _forget(self, found: Found) -> None:
        """A connection begins that is not this session's, which is over."""
        for table, entries in (("clients", self.clients), ("openings", self.openings)):
            if found.table == table:
                del entries[client_of(found.session.request)]
        self.flows.pop(found.session.request, None)
        self.flows.pop(found.session.answer, None)

    def _translated(self, port: Port, datagram: Datagram, found: Found) -> Expected:
        session = found.session
        self._fate = Note("translate", self.now, *found.result[:2], session.port, session.generation)
        out = self._egress(port, session.port, session.generation, session.client[0])
        datagram.set_flow(*found.result)
        return self._send(out, datagram.data)

    def _is_answer(self, datagram: Datagram) -> bool:
        if datagram.proto == IPPROTO_TCP:
            return datagram.tcp_flags & (SYN | ACK | RST) != SYN
        return datagram.proto != IPPROTO_ICMP or datagram.icmp_type == ECHO_REPLY

    def _is_backend(self, address: Address, port: int, proto: int) -> bool:
        return any((address, port) in s.members for key, s in self.services.items() if key[2] == proto)

    def _has_session(self, client: Endpoint, server: Endpoint, proto: int) -> bool:
        """Whether answers of this server, which may be a backend that is removed, are those to a session."""
        answer = server[0], client[0], server[1], client[1], proto, BACKEND
        for entries in (self.openings, self.clients):
            session = entries.get((*client, proto))
            if session is not None and session.answer_from_server == answer:
                return not self._is_over(session)
        return answer in self.flows and not self._is_over(self.flows[answer][0])

    def _no_such_service(self, port: Port, datagram: Datagram) -> Expected:
        is_vip = any(vip == datagram.dst for vip, _, _ in self.services)
        is_asking = datagram.proto != IPPROTO_ICMP or datagram.icmp_type == ECHO_REQUEST
        if self.reject_unserved and is_vip and is_asking:
            self.events["rejected"] += 1
            return self._punt(datagram.data, REJECT)
        return self._untranslated(port, datagram)

    def _find(self, key: FlowKey) -> Found | None:
        end, is_frontend = client_of(key), key[5] == FRONTEND
        for table, entries in (("clients", self.clients), ("flows", None), ("openings", self.openings)):
            if entries is None:
                if key in self.flows and not self._is_over(self.flows[key][0]):
                    session, from_client = self.flows[key]
                    return Found(table, session, from_client)
                continue
            session = entries.get(end)
            if session and key == (session.request if is_frontend else session.answer_from_server):
                server = (key[1], key[3], key[4]) if is_frontend else (key[0], key[2], key[4])
                if table == "clients" or server in self.known:
                    return Found(table, session, is_frontend)
        return None

    def _successor(self, found: Found | None, datagram: Datagram) -> Found | None:
        """That of a session, if it has one and the packet is for it: a SYN, or an answer to its server."""
        if found is None or not (found.from_client and found.table == "clients" and found.session.contested):
            return found
        successor = self.openings.get(client_of(found.session.request))
        if successor is None or successor.request != found.session.request or self._is_over(successor):
            return found
        flags = datagram.tcp_flags & (SYN | ACK | RST)
        acknowledges = flags in (ACK, RST | ACK) and (datagram.acknowledged or 1) == successor.server_sequence
        is_challenged = successor.state in ("answered", "established", "client closed", "server closed")
        if flags == SYN or acknowledges or (flags == RST and is_challenged):
            return Found("openings", successor, True, is_successor=True)
        return found

    def _is_over(self, session: Session) -> bool:
        return self.now - session.seen > session.timeout

    def _keeps(self, found: Found, datagram: Datagram) -> bool:
        """A SYN goes to the backend of a session in use, which knows what to make of it. UDP and ICMP ones need a
        backend that still is the service's."""
        session = found.session
        if not found.from_client or (session.direct and session.proto != IPPROTO_TCP):
            return True
        service = self.services.get((*session.vip, session.proto))
        if datagram.proto == IPPROTO_TCP:
            if datagram.tcp_flags & (SYN | ACK | RST) != SYN:
                return True
            if session.state == "closed":
                return False
            if session.direct:
                return True
            if session.state in RESET:
                return service is not None and session.backend in service.usable
        return service is not None and session.backend in service.members

    def _next_state(self, found: Found, datagram: Datagram) -> str:
        session, state = found.session, found.session.state
        if session.proto != IPPROTO_TCP:
            if state == "opening":
                return state if found.from_client else "answered"
            return "established" if state == "answered" and session.seen != self.now else state
        flags = datagram.tcp_flags
        me, other = ("client", "server") if found.from_client else ("server", "client")
        if flags & RST:
            return state if state == "closed" else "reset"
        if not flags & (SYN | ACK):
            return state
        if flags & FIN and state not in RESET:
            return "closed" if state in ("closed", f"{other} closed") else f"{me} closed"
        if flags & SYN and found.from_client:
            return "opening" if state in RESET else state
        if flags & SYN and state in ("client closed", "server closed"):
            return "answered"
        if state in ("opening", "answered"):
            return "established" if found.from_client else "answered"
        if state not in RESET:
            return state
        if state != f"reset, {other}":
            return f"reset, {me}"
        return f"{me} closed" if flags & FIN else "established"

    def _refresh(self, found: Found, datagram: Datagram, in_port: int) -> None:
        session, before = found.session, (found.session.state, found.session.seen)
        state = self._next_state(found, datagram)
        confirms = self._confirms(found, datagram)
        unconfirmed = not session.confirmed and (found.table != "clients" or not session.is_plain)
        follows = unconfirmed and self._follow_server(found, datagram)
        end = client_of(session.request)
        opening = self.openings.get(end)
        confirms_now = confirms and (
            unconfirmed or (opening is not None and opening.request == session.request)
        )
        way_back = session.port, session.generation
        if found.from_client and session.generation != self.ports[in_port].generation:
            way_back = self._way_back(session.client[0], in_port)
        moves = way_back[1] != session.generation
        is_tcp = session.proto == IPPROTO_TCP
        repeats = is_tcp and datagram.tcp_flags & RST and before[0] == state
        if repeats or (before == (state, self.now) and not confirms_now and not moves and not follows):
            return
        session.state, session.seen = state, self.now
        session.confirmed |= confirms
        session.port, session.generation = way_back
        promotes = confirms and found.table == "openings"
        if found.table == "flows" or not session.is_plain:
            promotes |= self._refresh_partner(session, found.from_client) and confirms
        old = self.clients.get(end)
        if promotes and (old is None or (is_tcp and old.request == session.request)):
            if old is not None:
                self.flows.pop(old.answer, None)
            self.clients[end] = self.openings.pop(end)
        if self._retires(session) and (promotes or before[0] != state):
            self._retire(session)

    def _follow_server(self, found: Found, datagram: Datagram) -> bool:
        """Remembers where the server's sequence numbers are, once a tick, until its client has left them behind."""
        session, before = found.session, found.session.server_sequence
        if session.proto != IPPROTO_TCP or (flags := datagram.tcp_flags) & RST:
            return False
        if found.from_client:
            ahead = (datagram.acknowledged - before) % (1 << 32)
            if flags & (SYN | ACK) == ACK and ACK_WINDOW <= ahead < 1 << 31:
                session.server_sequence = 0
        elif not before or session.seen != self.now or flags & SYN:
            session.server_sequence = (datagram.sequence + bool(flags & SYN)) % (1 << 32) or 1
        return session.server_sequence != before

    @staticmethod
    def _confirms(found: Found, datagram: Datagram) -> bool:
        """Both sides know of the session: in TCP the client has seen what the server has sent."""
        session = found.session
        if session.proto != IPPROTO_TCP:
            return not found.from_client
        if not found.from_client or datagram.tcp_flags & (SYN | ACK | RST) != ACK:
            return False
        if session.confirmed and not session.is_plain:
            return True
        ahead = (datagram.acknowledged - session.server_sequence + ACK_WINDOW) % (1 << 32)
        return session.server_sequence != 0 and ahead < 2 * ACK_WINDOW

    def _refresh_partner(self, session: Session, from_client: bool) -> bool:
        """Whether the partner is an entry in `openings`."""
        end = client_of(session.request)
        if not from_client:
            found = [table[end] for table in (self.clients, self.openings) if end in table]
            for entry in found:
                if entry.is_same(session):
                    entry.take_state(session)
                    return entry is self.openings.get(end)
            if any(entry.request == session.request for entry in found):
                return False
        other = session.answer if from_client else session.request
        if other in self.flows:
            entry = self.flows[other][0]
            if entry.is_same(session):
                entry.take_state(session)
        elif session.state not in CLOSING:
            self.flows[other] = (replace(session), not from_client)
        return False

    @staticmethod
    def _retires(session: Session) -> bool:
        return session.state in ("closed", "reset") or (
            session.state == "answered" and session.proto != IPPROTO_TCP
        )

    def _retire(self, session: Session) -> None:
        """The one whose turn it is goes if nobody needs it."""
        entry = self.clients.get(client_of(session.request))
        if entry is None or not entry.is_same(session):
            return
        index = self._retirements % RETIRED_ENTRIES
        self._retirements += 1
        end = self._retired.get(index)
        self._retired[index] = client_of(session.request)
        oldest = self.clients.get(end) if end else None
        if oldest is None:
            return
        idle = self.now - oldest.seen
        if idle < STRAGGLER_TICKS or (oldest.state in RESET and idle < RESET_TICKS):
            return
        if self._retires(oldest) or oldest.state in RESET or self._is_over(oldest):
            if not oldest.is_plain:
                self.flows.pop(oldest.answer, None)
            del self.clients[client_of(oldest.request)]

    # --- new sessions ---

    def _open(
        self, key: FlowKey, datagram: Datagram, in_port: int, observed: bytes, found: Found | None
    ) -> Found | Expected | None:
        """None: not for a service."""
        client, vip, proto = (key[0], key[2]), (key[1], key[3]), key[4]
        if (*vip, proto) not in self.known:
            return None
        if proto == IPPROTO_ICMP and datagram.icmp_type != ECHO_REQUEST:
            return None
        flags = datagram.tcp_flags if proto == IPPROTO_TCP else 0
        service = self.services.get((*vip, proto))
        made = Datagram(bytearray(observed), datagram.l3, datagram.l4)
        if service is None:
            if client[0] == vip[0] or not (
                self._is_backend(*vip, proto) or self._has_session(client, vip, proto)
            ):
                return None
            backend, visible = vip, client
        elif not service.serves(client[0]):
            return self._drop(datagram.data, "source_range")
        elif not service.usable:
            self.events["rejected"] += 1
            return self._punt(datagram.data, REJECT)
        else:
            backend = made.dst, made.ports[1]
            self._check_choice(key, service, backend)
            visible = self._visible(client[0], backend[0], vip[0]), client[1]
        state = "opening"
        if proto == IPPROTO_TCP and flags & (SYN | ACK) == ACK:
            state = "client closed" if flags & FIN else "established"
        stays = flags & (SYN | ACK | RST) == SYN and self._stays(found)
        way_back = self._way_back(client[0], in_port) if stays else (in_port, self.ports[in_port].generation)
        session = Session(client, vip, visible, backend, proto, state, self.now, *way_back)
        session.direct = service is None
        if not flags & RST:
            self._take_source_port(session, made.ports[0], found)
            self._store(session, found, stays=stays)
            self.events["new_session"] += 1
            if service is not None:
                self.affinities.note((*vip, proto), service, client[0], backend, self.now)
        return Found("", session, True)

    def _check_choice(self, key: FlowKey, service: Service, backend: Endpoint) -> None:
        if backend not in service.usable:
            raise Violation(f"{backend} is no usable backend")
        kept = self.affinities.of((key[1], key[3], key[4]), service, key[0], self.now)
        if kept is not None:
            if backend != kept:
                raise Violation(f"{backend} instead of {kept}, which the client has had last")
        elif self._choices.setdefault((key, service.version), backend) != backend:
            raise Violation(f"{backend} instead of the backend that the same flow had before")

    def _take_source_port(self, session: Session, port: int, found: Found | None) -> None:
        """The client's own one, or the one of an earlier session of the flow; if taken, a free one of the same
        kind."""
        own = session.visible[1]
        former = found.session.visible[1] if found else own
        is_own_taken = self._is_taken(session)
        session.visible = session.visible[0], port
        if port != own and port != former and not is_own_taken:
            raise Violation(f"source port {port} though {own} is free")
        if self._is_taken(session, but_closed=True) or (port < FIRST_USER_PORT) != (own < FIRST_USER_PORT):
            raise Violation(f"source port {port} must not be used for {own}")

    def _gives_way(self, old: Session, new: Session, *, but_closed: bool = True) -> bool:
        return old.request == new.request or self._is_over(old) or (but_closed and old.state == "closed")

    def _answered_by(self, session: Session) -> dict[str, Session]:
        """By table, the sessions of other flows whose entries an answer to `session` would find."""
        key = session.answer
        is_frontend = key[5] == FRONTEND
        found = {}
        for table, entries in (("clients", self.clients), ("openings", self.openings)):
            old = entries.get(client_of(key))
            if old and key == (old.request if is_frontend else old.answer_from_server):
                found[table] = old
        if key in self.flows:
            found["flows"] = self.flows[key][0]
        return {table: old for table, old in found.items() if old.request != session.request}

    def _is_taken(self, session: Session, *, but_closed: bool = False) -> bool:
        """Whether answers to `session` would be taken for those to another one."""
        return any(
            not self._gives_way(old, session, but_closed=but_closed)
            for old in self._answered_by(session).values()
        )

    def _stays(self, found: Found | None) -> bool:
        """Whether a session that a SYN leaves stays until its successor is confirmed."""
        if found is None or found.table != "clients" or self._is_over(found.session):
            return False
        return found.session.state not in ("closed", "ended")

    def _store(self, session: Session, found: Found | None, *, stays: bool) -> None:
        for table in self._answered_by(session):  # they have given way
            entries_of_table: dict[Any, Any] = {
                "clients": self.clients,
                "openings": self.openings,
                "flows": self.flows,
            }[table]
            del entries_of_table[session.answer if table == "flows" else client_of(session.answer)]
        end = client_of(session.request)
        entries = self.clients if end in self.clients and not stays else self.openings
        holders = [] if stays else [table[end] for table in (self.clients, self.openings) if end in table]
        is_placed = all(self._gives_way(old, session) for old in holders)
        left = replace(found.session) if found else None
        if stays and found:
            found.session.contested, left = True, None
        if is_placed:
            self.openings.pop(end, None)
            entries[end] = replace(session)
            self.flows.pop(session.request, None)
            if session.is_plain:
                self.flows.pop(session.answer, None)
        else:
            self.flows[session.request] = (replace(session), True)
        if not is_placed or not session.is_plain:
            self.flows[session.answer] = (replace(session), False)
        if left is None or (left.backend, left.visible[0]) == (session.backend, session.visible[0]):
            return
        was_over = self._is_over(left)
        left.take_state(session)
        left.direct = session.direct
        if session.proto == IPPROTO_TCP:
            if left.answer in self.flows and self.flows[left.answer][0].is_same(left):
                del self.flows[left.answer]
        elif not was_over:  # late answers of the backend that was left still come from the VIP
            self.flows[left.answer] = (left, False)

    def forget(self, end: Client) -> None:
        """The kernel has evicted what was kept for a client."""
        self.clients.pop(end, None)
        self.openings.pop(end, None)

    def _visible(self, client: Address, backend: Address, vip: Address) -> Address:
        if client == backend:
            return vip
        if self.rewrite is None or not self._is_in(client, self.rewrite[0]):
            return client
        _, mask, new_network = self.rewrite
        return (new_network | int.from_bytes(client) & ~mask).to_bytes(4)

    def _way_back(self, client: Address, in_port: int) -> tuple[int, int]:
        """The port of a client, and its generation: the one with its address, or where its packet came in."""
        port = self.frontends.get(client, in_port) if self.multi else in_port
        return port, self.ports[port].generation

    def _egress(self, port: Port, out: int, generation: int, client: Address) -> int | None:
        if port.side == FRONTEND:
            return port.out
        leaving = self.ports.get(out)
        if leaving and leaving.side == FRONTEND and leaving.generation == generation:
            return out
        return self.frontends.get(client) if self.multi else port.out

    # --- ICMP errors ---

    def _icmp_error(self, port: Port, error: Datagram, observed: bytes) -> Expected:
        self._fate = Note("drop", self.now)
        inner = quoted_flow(error)
        if inner is None or inner.src != error.dst:
            return self._untranslated(port, error)
        sport, dport = inner.ports
        key: FlowKey = (inner.dst, inner.src, dport, sport, inner.proto, port.side)
        found = self._find(key)
        if found is None or self._is_over(found.session):
            service = self.services.get((inner.src, sport, inner.proto))
            if port.side == BACKEND or service is None:
                return self._untranslated(port, error)
            if not service.usable or not service.serves(inner.dst):
                return self._drop(error.data, "icmp_error")
            found = self._chosen(key, service, error, observed)
        session = found.session
        out = self._egress(port, session.port, session.generation, session.client[0])
        src, dst, new_sport, new_dport = found.result
        outer = src if error.src == inner.dst else error.src
        self._fate = Note("translate", self.now, outer, dst, session.port, session.generation)
        before = error.sum_of_icmp()
        error.set_addresses(outer, dst)
        inner.set_flow(dst, src, new_dport, new_sport)
        error.keep_sum_of_icmp(before)
        return self._send(out, error.data)

    def _chosen(self, key: FlowKey, service: Service, error: Datagram, observed: bytes) -> Found:
        """The session that the quoted flow would have, if it had one."""
        made = quoted_flow(Datagram(bytearray(observed), error.l3, error.l4))
        if made is None:
            raise Violation("the quoted packet has become unreadable")
        backend = made.src, made.ports[0]
        self._check_choice(key, service, backend)
        client, vip = (key[0], key[2]), (key[1], key[3])
        visible = self._visible(client[0], backend[0], vip[0]), client[1]
        return Found("", Session(client, vip, visible, backend, key[4], "opening", self.now, 0, 0), True)

    # --- ARP ---

    def _arp(self, port: Port, data: bytearray, l3: int) -> Expected:
        sender, target = bytes(data[l3 + 14 : l3 + 18]), bytes(data[l3 + 24 : l3 + 28])
        if port.side == FRONTEND:
            expected = self._send(port.out, data)
            if self.rewrite and word(data, l3 + 6) == 2 and self._is_in(sender, self.rewrite[0]):
                expected.punt = self._within_budget(ARP_REPLY, "")
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
