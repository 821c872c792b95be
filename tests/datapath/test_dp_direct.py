"""Connections to a backend's own address: beside sessions of its services, and its answers to nobody."""

from __future__ import annotations

import pytest

from tests.datapath.lab import (
    CLIENT_IF,
    EXCHANGES,
    PING_EXCHANGE,
    SERVER_IF,
    TCP_EXCHANGE,
    UDP_EXCHANGE,
    Exchange,
    Lab,
    assert_dropped,
    assert_out,
)
from tests.datapath.packets import CLIENT, OTHER_SERVER, PLAIN, SERVER, SERVER_PORT, VIP
from tests.datapath.talk import answer, request

each_exchange = pytest.mark.parametrize("exchange", EXCHANGES, ids=str)
with_ports = pytest.mark.parametrize("exchange", [TCP_EXCHANGE, UDP_EXCHANGE, PING_EXCHANGE], ids=str)


def direct_request(lab: Lab, exchange: Exchange, flags: str = "A", seen_port: int | None = None) -> None:
    """A packet of the client to the backend's own address, which must arrive there."""
    packet = exchange.request(CLIENT, SERVER, PLAIN, dport=SERVER_PORT, flags=flags)
    seen = packet
    if seen_port is not None:
        seen = exchange.request(CLIENT, SERVER, PLAIN, seen_port, SERVER_PORT, flags=flags)
    assert_out(lab.from_client(packet), SERVER_IF, seen)


def direct_answer(lab: Lab, exchange: Exchange, flags: str = "A", seen_port: int | None = None) -> None:
    """A packet of the backend to such a client."""
    packet = exchange.answer(SERVER, CLIENT, PLAIN, flags=flags)
    sent = packet
    if seen_port is not None:
        sent = exchange.answer(SERVER, CLIENT, PLAIN, dport=seen_port, flags=flags)
    assert_out(lab.from_server(sent), CLIENT_IF, packet)


@each_exchange
def test_client_straight_to_a_backend(lab: Lab, exchange: Exchange) -> None:
    lab.serve((SERVER, SERVER_PORT))
    for flags in ("S", "A"):
        direct_request(lab, exchange, flags)
        direct_answer(lab, exchange)
    assert lab.tables.sessions() == 1


@each_exchange
def test_client_straight_to_what_is_no_backend(lab: Lab, exchange: Exchange) -> None:
    lab.serve((OTHER_SERVER, SERVER_PORT))
    direct_request(lab, exchange)
    direct_answer(lab, exchange)
    assert lab.tables.sessions() == 0


@with_ports
def test_session_beside_a_direct_connection(lab: Lab, exchange: Exchange) -> None:
    """The later one gets a source port of its own; the direct one goes on untouched."""
    lab.serve((SERVER, SERVER_PORT))
    direct_request(lab, exchange, "S")
    direct_answer(lab, exchange)
    outcome = lab.from_client(exchange.request(CLIENT, VIP, PLAIN))
    assert outcome.out == SERVER_IF
    session = lab.tables.session(exchange.forward_flow())
    assert session
    port = session.source_port
    assert port != session.front[2]
    for _ in range(2):
        direct_answer(lab, exchange, "PA")
        answer(lab, VIP, SERVER, seen_port=port, exchange=exchange)
        request(lab, VIP, SERVER, seen_port=port, exchange=exchange)
        direct_request(lab, exchange)


@with_ports
def test_direct_connection_beside_a_session(lab: Lab, exchange: Exchange) -> None:
    lab.serve((SERVER, SERVER_PORT))
    request(lab, VIP, SERVER, "S", exchange=exchange)
    answer(lab, VIP, SERVER, exchange=exchange)
    assert lab.from_client(exchange.request(CLIENT, SERVER, PLAIN, dport=SERVER_PORT)).out == SERVER_IF
    vport = 0 if exchange.proto == PING_EXCHANGE.proto else SERVER_PORT
    flow = exchange.forward_flow(vip=SERVER)
    session = lab.tables.session(type(flow)(CLIENT, SERVER, flow.sport, vport, flow.proto, flow.side))
    assert session
    port = session.source_port
    for _ in range(2):
        direct_answer(lab, exchange, seen_port=port)
        direct_request(lab, exchange, seen_port=port)
        answer(lab, VIP, SERVER, "PA", exchange=exchange)
        request(lab, VIP, SERVER, "A", exchange=exchange)


def test_direct_connection_to_a_removed_backend_beside_a_session(lab: Lab) -> None:
    """The session drains; the connection beside it has a source port of its own from its first packet on."""
    lab.serve((SERVER, SERVER_PORT))
    for flags in ("S", "A"):
        request(lab, VIP, SERVER, flags)
        answer(lab, VIP, SERVER, "SA")
    lab.serve((OTHER_SERVER, SERVER_PORT))
    first = lab.from_client(TCP_EXCHANGE.request(CLIENT, SERVER, PLAIN, dport=SERVER_PORT))
    port = int.from_bytes(first.frame[34:36])
    assert port != TCP_EXCHANGE.forward_flow().sport
    for _ in range(2):
        direct_answer(lab, TCP_EXCHANGE, seen_port=port)
        direct_request(lab, TCP_EXCHANGE, seen_port=port)
        answer(lab, VIP, SERVER, "PA")
        request(lab, VIP, SERVER, "A")


@each_exchange
def test_direct_connection_to_a_removed_backend_alone(lab: Lab, exchange: Exchange) -> None:
    lab.serve((SERVER, SERVER_PORT))
    lab.serve((OTHER_SERVER, SERVER_PORT))
    for flags in ("S", "A"):
        direct_request(lab, exchange, flags)
        direct_answer(lab, exchange)
    assert lab.tables.sessions() == 0


@pytest.mark.parametrize("last", ["FA", "R"])
def test_client_straight_to_a_backend_after_a_session_from_the_same_port(lab: Lab, last: str) -> None:
    lab.serve((SERVER, SERVER_PORT))
    for flags in ("S", "A", last):
        request(lab, VIP, SERVER, flags)
    answer(lab, VIP, SERVER, "FA")
    sent = TCP_EXCHANGE.request(CLIENT, SERVER, PLAIN, dport=SERVER_PORT)
    outcome = lab.from_client(sent)
    port = int.from_bytes(outcome.frame[34:36])
    direct_answer(lab, TCP_EXCHANGE, "SA", seen_port=port)
    direct_request(lab, TCP_EXCHANGE, seen_port=port)


@each_exchange
def test_answer_of_a_backend_without_session(lab: Lab, exchange: Exchange) -> None:
    """The client knows the backend as the VIP: it would reset a healthy connection whose session was evicted. Its
    next packet makes the session again."""
    lab.serve((SERVER, SERVER_PORT))
    for flags in ("S", "A"):
        request(lab, VIP, SERVER, flags, exchange=exchange)
        answer(lab, VIP, SERVER, "A", exchange=exchange)
    lab.tables.forget(exchange.forward_flow())
    kinds = ("PA", "A", "SA", "FA", "R", "RA") if exchange is TCP_EXCHANGE else ("",)
    for flags in kinds:
        assert_dropped(lab.from_server(exchange.answer(SERVER, CLIENT, PLAIN, flags=flags)))
    assert lab.count("no_session") == len(kinds)
    request(lab, VIP, SERVER, exchange=exchange)
    answer(lab, VIP, SERVER, "PA", exchange=exchange)


def test_backend_that_connects_from_its_port(lab: Lab) -> None:
    """A SYN is no answer, and the packets after the client's SYN-ACK are none of a service."""
    lab.serve((SERVER, SERVER_PORT))
    packet = TCP_EXCHANGE.answer(SERVER, CLIENT, PLAIN, flags="S")
    assert_out(lab.from_server(packet), CLIENT_IF, packet)
    direct_request(lab, TCP_EXCHANGE, "SA")
    for flags in ("A", "PA"):
        direct_answer(lab, TCP_EXCHANGE, flags)


def test_nothing_is_left_of_a_session_when_a_connection_to_somebody_else_begins(lab: Lab) -> None:
    """The service is gone, and its address is a host's: all packets of the client get there, not only the SYN."""
    lab.serve((SERVER, SERVER_PORT))
    for flags in ("S", "A", "FA"):
        request(lab, VIP, SERVER, flags)
        answer(lab, VIP, SERVER, "SA" if flags == "S" else flags)
    lab.tables.remove_service(VIP, TCP_EXCHANGE.vport, TCP_EXCHANGE.proto)
    for flags in ("S", "A", "PA"):
        packet = TCP_EXCHANGE.request(CLIENT, VIP, PLAIN, flags=flags)
        assert_out(lab.from_client(packet), SERVER_IF, packet)
    assert lab.tables.sessions() == 0


def test_nothing_is_left_of_a_session_beside_others_either(lab: Lab) -> None:
    """It has a source port of its own, and stands in `flows`."""
    lab.serve((SERVER, SERVER_PORT))
    request(lab, VIP, SERVER, "S")
    answer(lab, VIP, SERVER, "SA")
    begun = lab.from_client(TCP_EXCHANGE.request(CLIENT, SERVER, PLAIN, dport=SERVER_PORT, flags="S"))
    seen_port = int.from_bytes(begun.frame[34:36])
    for flags in ("A", "FA"):
        direct_request(lab, TCP_EXCHANGE, flags, seen_port=seen_port)
        direct_answer(lab, TCP_EXCHANGE, flags, seen_port=seen_port)
    lab.tables.forget(TCP_EXCHANGE.forward_flow())
    lab.serve((OTHER_SERVER, SERVER_PORT))
    for flags in ("S", "A"):
        direct_request(lab, TCP_EXCHANGE, flags)
    assert lab.tables.sessions("flows") == 0
