"""A load balancer with two clients and the servers behind it, in every hook and mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from socket import IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP
from typing import Any

from scapy.layers.l2 import Ether
from scapy.packet import Packet

from pcnhost.engine.source import Hook
from tests.datapath.harness import Datapath, Outcome, Verdict
from tests.datapath.packets import (
    CLIENT,
    CLIENT_PORT,
    OTHER_CLIENT,
    PAYLOAD,
    SERVER,
    SERVER_PORT,
    VIP,
    VIP_PORT,
    Shape,
    frame,
    ping,
    pong,
    tcp,
    udp,
    udp_unsummed,
)
from tests.datapath.tables import BACKEND, FLOOD, FRONTEND, NO_PORT, Flow, Tables

CLIENT_IF, OTHER_CLIENT_IF, SERVER_IF = 0, 1, 2


@dataclass
class Lab:
    """SINGLE mode: one FRONTEND port for everybody. MULTI: one each for CLIENT and OTHER_CLIENT."""

    datapath: Datapath
    tables: Tables
    multi: bool

    @property
    def hook(self) -> Hook:
        return self.datapath.hook

    def set_up(self) -> None:
        self.tables.multi = self.multi
        self.tables.reset()
        self.tables.add_port(CLIENT_IF, FRONTEND, SERVER_IF, CLIENT)
        if self.multi:
            self.tables.add_port(OTHER_CLIENT_IF, FRONTEND, SERVER_IF, OTHER_CLIENT)
        self.tables.add_port(SERVER_IF, BACKEND, NO_PORT if self.multi else CLIENT_IF)

    def move_backend(self, index: int) -> None:
        """The BACKEND port goes away and comes back under another index."""
        self.tables.remove_port(SERVER_IF)
        self.tables.add_port(index, BACKEND, NO_PORT if self.multi else CLIENT_IF)
        self.tables.set_out(CLIENT_IF, index)

    @property
    def other_client_if(self) -> int:
        return OTHER_CLIENT_IF if self.multi else CLIENT_IF

    def from_client(self, packet: bytes) -> Outcome:
        return self.datapath.send(CLIENT_IF, packet)

    def from_other_client(self, packet: bytes) -> Outcome:
        return self.datapath.send(self.other_client_if, packet)

    def from_server(self, packet: bytes) -> Outcome:
        return self.datapath.send(SERVER_IF, packet)

    def serve(
        self,
        *backends: tuple[str, int],
        vip: str = VIP,
        port: int = VIP_PORT,
        drained: Sequence[tuple[str, int]] = (),
        **more: Any,
    ) -> None:
        """Makes `vip` a service of all protocols with these backends; `more` is for Tables.set_service()."""
        for proto in (IPPROTO_TCP, IPPROTO_UDP):
            self.tables.set_service(vip, port, proto, backends, drained, **more)
        pinged, idle = ([(address, 0) for address, _ in ends] for ends in (backends, drained))
        self.tables.set_service(vip, 0, IPPROTO_ICMP, pinged, idle, **more)

    def count(self, event: str) -> int:
        return self.tables.events().get(event, 0)


def assert_out(outcome: Outcome, port: int, expected: bytes) -> None:
    """The packet left by `port`, exactly as `expected`, and nobody else got it."""
    assert outcome.out == port
    assert outcome.punts == ()
    got, wanted = outcome.frame, expected
    assert got.hex(" ") == wanted.hex(" "), f"{Ether(got).summary()} instead of {Ether(wanted).summary()}"


def assert_dropped(outcome: Outcome) -> None:
    assert outcome.out is Verdict.DROPPED
    assert outcome.punts == ()


def assert_punted(outcome: Outcome, reason: int, in_port: int, expected: bytes) -> None:
    """The control plane got the packet, and nobody else."""
    assert outcome.out is Verdict.DROPPED
    (punt,) = outcome.punts
    assert (punt.reason, punt.in_port) == (reason, in_port)
    assert punt.frame.hex(" ") == expected.hex(" ")


def assert_flooded(outcome: Outcome, expected: bytes) -> None:
    """The control plane got the packet, to give it to all FRONTEND ports."""
    assert_punted(outcome, FLOOD, SERVER_IF, expected)


@dataclass(frozen=True)
class Exchange:
    """A request to a service and its answer, as the client and as the server see them."""

    name: str
    proto: int

    def __str__(self) -> str:
        return self.name

    def _message(self, sport: int, dport: int, flags: str, payload: bytes) -> Packet:
        match self.name:
            case "tcp":
                return tcp(sport, dport, flags, payload)
            case "udp":
                return udp(sport, dport, payload)
            case "udp-unsummed":
                return udp_unsummed(sport, dport, payload)
        return ping(sport, payload)

    def request(
        self,
        src: str,
        dst: str,
        shape: Shape,
        sport: int = CLIENT_PORT,
        dport: int = VIP_PORT,
        flags: str = "S",
        payload: bytes = PAYLOAD,
    ) -> bytes:
        return frame(src, dst, self._message(sport, dport, flags, payload), shape, ttl=61)

    def answer(
        self,
        src: str,
        dst: str,
        shape: Shape,
        sport: int = SERVER_PORT,
        dport: int = CLIENT_PORT,
        flags: str = "SA",
        payload: bytes = PAYLOAD,
    ) -> bytes:
        is_ping = self.proto == IPPROTO_ICMP
        l4 = pong(dport, payload) if is_ping else self._message(sport, dport, flags, payload)
        return frame(src, dst, l4, shape, ttl=62)

    @property
    def vport(self) -> int:
        """The port under which the service is known."""
        return 0 if self.proto == IPPROTO_ICMP else VIP_PORT

    def endpoint(self, server: str) -> tuple[str, int]:
        return server, 0 if self.proto == IPPROTO_ICMP else SERVER_PORT

    def forward_flow(self, client: str = CLIENT, sport: int = CLIENT_PORT, vip: str = VIP) -> Flow:
        return Flow(client, vip, sport, self.vport, self.proto, FRONTEND)

    def reverse_flow(self, server: str = SERVER, client: str = CLIENT, dport: int = CLIENT_PORT) -> Flow:
        return Flow(server, client, self.endpoint(server)[1], dport, self.proto, BACKEND)


TCP_EXCHANGE = Exchange("tcp", IPPROTO_TCP)
UDP_EXCHANGE = Exchange("udp", IPPROTO_UDP)
PING_EXCHANGE = Exchange("ping", IPPROTO_ICMP)
EXCHANGES = (TCP_EXCHANGE, UDP_EXCHANGE, Exchange("udp-unsummed", IPPROTO_UDP), PING_EXCHANGE)
