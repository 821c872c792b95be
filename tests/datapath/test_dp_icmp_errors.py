"""ICMP errors about packets of a session: they reach whoever sent the packet, quoting what that one sent."""

from __future__ import annotations

import socket

import pytest
from scapy.layers.inet import ICMP

from tests.datapath import maps
from tests.datapath.harness import Verdict
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
from tests.datapath.packets import (
    CLIENT,
    CLIENT_PORT,
    ETHERNET,
    OTHER_CLIENT,
    OTHER_SERVER,
    OTHER_VIP,
    PLAIN,
    ROUTER,
    SERVER,
    SERVER_PORT,
    SHAPES,
    STRANGER,
    UNREACHABLE,
    VIP,
    VIP_PORT,
    IcmpError,
    Shape,
    frame,
    quote,
    tcp,
)
from tests.datapath.tables import SESSION_TABLES

KINDS = (
    UNREACHABLE,
    IcmpError("fragmentation-needed", 3, 4, 1280),
    IcmpError("time-exceeded", 11, 0),
    IcmpError("parameter-problem", 12, 0, 20 << 24),
    IcmpError("source-quench", 4, 0),
)

each_exchange = pytest.mark.parametrize("exchange", EXCHANGES, ids=str)
each_kind = pytest.mark.parametrize("kind", KINDS, ids=str)
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def open_session(lab: Lab, exchange: Exchange) -> None:
    lab.serve((SERVER, SERVER_PORT))
    assert lab.from_client(exchange.request(CLIENT, VIP, PLAIN)).out == SERVER_IF


@each_exchange
@each_kind
@pytest.mark.parametrize("sender", [SERVER, ROUTER], ids=["server", "router"])
def test_error_about_a_request(lab: Lab, exchange: Exchange, kind: IcmpError, sender: str) -> None:
    open_session(lab, exchange)
    seen = quote(exchange.request(CLIENT, SERVER, PLAIN, dport=SERVER_PORT))
    sent = quote(exchange.request(CLIENT, VIP, PLAIN))
    outcome = lab.from_server(kind.quoting(seen, sender, CLIENT))
    public = VIP if sender == SERVER else sender
    assert_out(outcome, CLIENT_IF, kind.quoting(sent, public, CLIENT))


@each_exchange
@each_kind
@pytest.mark.parametrize("sender", [CLIENT, ROUTER], ids=["client", "router"])
def test_error_about_an_answer(lab: Lab, exchange: Exchange, kind: IcmpError, sender: str) -> None:
    open_session(lab, exchange)
    seen = quote(exchange.answer(VIP, CLIENT, PLAIN, sport=VIP_PORT))
    sent = quote(exchange.answer(SERVER, CLIENT, PLAIN))
    outcome = lab.from_client(kind.quoting(seen, sender, VIP))
    assert_out(outcome, SERVER_IF, kind.quoting(sent, sender, SERVER))


@each_exchange
@each_kind
@pytest.mark.parametrize("from_client", [True, False], ids=["client", "server"])
def test_an_error_touches_no_session(
    lab: Lab, exchange: Exchange, kind: IcmpError, from_client: bool
) -> None:
    """It neither ends nor prolongs one."""
    open_session(lab, exchange)
    lab.tables.age(20)
    tables = [lab.datapath.maps[name] for name in SESSION_TABLES]
    before = [maps.contents(fd) for fd in tables]
    if from_client:
        about = quote(exchange.answer(VIP, CLIENT, PLAIN, sport=VIP_PORT))
        assert lab.from_client(kind.quoting(about, CLIENT, VIP)).out == SERVER_IF
    else:
        about = quote(exchange.request(CLIENT, SERVER, PLAIN, dport=SERVER_PORT))
        assert lab.from_server(kind.quoting(about, SERVER, CLIENT)).out == CLIENT_IF
    assert [maps.contents(fd) for fd in tables] == before


@each_exchange
@each_shape
@pytest.mark.parametrize("l4_bytes", [8, 18, 19, 20, 40])
def test_any_shape_and_length_of_the_quote(lab: Lab, exchange: Exchange, shape: Shape, l4_bytes: int) -> None:
    open_session(lab, exchange)
    seen = quote(exchange.request(CLIENT, SERVER, shape, dport=SERVER_PORT), shape, l4_bytes)
    sent = quote(exchange.request(CLIENT, VIP, shape), shape, l4_bytes)
    outcome = lab.from_server(UNREACHABLE.quoting(seen, SERVER, CLIENT, shape))
    assert_out(outcome, CLIENT_IF, UNREACHABLE.quoting(sent, VIP, CLIENT, shape))

    seen = quote(exchange.answer(VIP, CLIENT, shape, sport=VIP_PORT), shape, l4_bytes)
    sent = quote(exchange.answer(SERVER, CLIENT, shape), shape, l4_bytes)
    outcome = lab.from_client(UNREACHABLE.quoting(seen, CLIENT, VIP, shape))
    assert_out(outcome, SERVER_IF, UNREACHABLE.quoting(sent, CLIENT, SERVER, shape))


def test_quote_with_half_a_checksum(lab: Lab) -> None:
    """The first half of a checksum is of no use and stays as it is."""
    open_session(lab, TCP_EXCHANGE)
    seen = quote(TCP_EXCHANGE.request(CLIENT, SERVER, PLAIN, dport=SERVER_PORT), l4_bytes=17)
    sent = quote(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN), l4_bytes=16) + seen[-1:]
    outcome = lab.from_server(UNREACHABLE.quoting(seen, ROUTER, CLIENT))
    assert_out(outcome, CLIENT_IF, UNREACHABLE.quoting(sent, ROUTER, CLIENT))


@each_exchange
@pytest.mark.parametrize("damaged", ["error", "quote"])
def test_wrong_checksum_of_an_error_stays_wrong(lab: Lab, exchange: Exchange, damaged: str) -> None:
    """That of the ICMP message, or that of the quoted IP header in a message whose own checksum is right."""
    open_session(lab, exchange)
    icmp, quoted = ETHERNET + 20, ETHERNET + 28
    seen = bytearray(quote(exchange.request(CLIENT, SERVER, PLAIN, dport=SERVER_PORT)))
    seen[10] ^= damaged == "quote"
    error = bytearray(UNREACHABLE.quoting(bytes(seen), ROUTER, CLIENT))
    error[icmp + 2] ^= damaged == "error"
    outcome = lab.datapath.send(SERVER_IF, bytes(error), complete=False)
    assert outcome.out == CLIENT_IF
    got = outcome.frame
    right = UNREACHABLE.quoting(quote(exchange.request(CLIENT, VIP, PLAIN)), ROUTER, CLIENT)
    wrong = {at for at in range(0, len(right), 2) if got[at : at + 2] != right[at : at + 2]}
    assert wrong == ({icmp + 2} if damaged == "error" else {icmp + 2, quoted + 10})
    assert (got == UNREACHABLE.quoting(got[quoted:], ROUTER, CLIENT)) == (damaged == "quote")


def test_quote_of_a_first_fragment(lab: Lab) -> None:
    open_session(lab, UDP_EXCHANGE)

    def fragment(dst: str, dport: int) -> bytes:
        whole = UDP_EXCHANGE.request(CLIENT, dst, PLAIN, dport=dport)
        return quote(frame(CLIENT, dst, whole[ETHERNET + 20 :], flags="MF", id=77, proto=17), l4_bytes=8)

    outcome = lab.from_server(UNREACHABLE.quoting(fragment(SERVER, SERVER_PORT), ROUTER, CLIENT))
    assert_out(outcome, CLIENT_IF, UNREACHABLE.quoting(fragment(VIP, VIP_PORT), ROUTER, CLIENT))


@each_exchange
def test_error_about_a_request_from_a_replaced_source_port(lab: Lab, exchange: Exchange) -> None:
    lab.serve((SERVER, SERVER_PORT))
    lab.serve((SERVER, SERVER_PORT), vip=OTHER_VIP)
    lab.from_client(exchange.request(CLIENT, VIP, PLAIN))
    lab.from_client(exchange.request(CLIENT, OTHER_VIP, PLAIN))
    session = lab.tables.session(exchange.forward_flow(vip=OTHER_VIP))
    assert session and session.source_port != CLIENT_PORT
    seen = quote(exchange.request(CLIENT, SERVER, PLAIN, session.source_port, SERVER_PORT))
    sent = quote(exchange.request(CLIENT, OTHER_VIP, PLAIN))
    outcome = lab.from_server(UNREACHABLE.quoting(seen, SERVER, CLIENT))
    assert_out(outcome, CLIENT_IF, UNREACHABLE.quoting(sent, OTHER_VIP, CLIENT))


@each_exchange
@each_kind
def test_error_about_an_unknown_session_of_a_service(lab: Lab, exchange: Exchange, kind: IcmpError) -> None:
    """Another node may have it: the error goes to the backend that a packet of the flow would get."""
    lab.serve((SERVER, SERVER_PORT), (OTHER_SERVER, SERVER_PORT))
    for sport in range(5000, 5008):
        seen = quote(exchange.answer(VIP, CLIENT, PLAIN, sport=VIP_PORT, dport=sport))
        outcome = lab.from_client(kind.quoting(seen, CLIENT, VIP))
        assert lab.tables.sessions() == 0
        request = lab.from_client(exchange.request(CLIENT, VIP, PLAIN, sport))
        server = socket.inet_ntoa(request.frame[30:34])
        sent = quote(exchange.answer(server, CLIENT, PLAIN, dport=sport))
        assert_out(outcome, SERVER_IF, kind.quoting(sent, CLIENT, server))
        lab.tables.forget(exchange.forward_flow(sport=sport))


@each_exchange
def test_error_about_a_service_without_backends(lab: Lab, exchange: Exchange) -> None:
    lab.serve()
    seen = quote(exchange.answer(VIP, CLIENT, PLAIN, sport=VIP_PORT))
    assert_dropped(lab.from_client(UNREACHABLE.quoting(seen, CLIENT, VIP)))
    assert lab.tables.events() == {"icmp_error": 1}


def test_error_about_an_ended_session(lab: Lab) -> None:
    open_session(lab, TCP_EXCHANGE)
    lab.tables.age(300)
    seen = quote(TCP_EXCHANGE.request(CLIENT, SERVER, PLAIN, dport=SERVER_PORT))
    error = UNREACHABLE.quoting(seen, SERVER, CLIENT)
    assert_out(lab.from_server(error), CLIENT_IF, error)


def _errors_of_nobody() -> dict[str, bytes]:
    own = quote(frame(VIP, STRANGER, tcp(50000, 443)))
    later_fragment = quote(frame(VIP, CLIENT, b"x" * 40, frag=10, proto=17))
    return {
        "own-traffic-of-the-vip": own,
        "other-protocol": quote(frame(VIP, CLIENT, b"x" * 40, proto=47)),
        "other-icmp": quote(frame(VIP, CLIENT, ICMP(type="timestamp-request"))),
        "own-ping-of-the-vip": quote(PING_EXCHANGE.request(VIP, STRANGER, PLAIN)),
        "later-fragment": later_fragment,
        "cut-l4": own[:27],
        "cut-ip": own[:19],
        "nothing": b"",
        "not-ipv4": b"\x60" + own[1:],
        "short-ihl": b"\x44" + own[1:],
        "long-ihl": b"\x4f" + own[1:40],
    }


@pytest.mark.parametrize("quoted", _errors_of_nobody().values(), ids=_errors_of_nobody().keys())
def test_error_that_is_not_about_a_service_passes(lab: Lab, quoted: bytes) -> None:
    """A VIP may be the address of a host, which needs its own errors."""
    lab.serve((SERVER, SERVER_PORT))
    error = UNREACHABLE.quoting(quoted, ROUTER, VIP)
    assert_out(lab.from_client(error), SERVER_IF, error)
    error = UNREACHABLE.quoting(quoted, ROUTER, CLIENT)
    assert_out(lab.from_server(error), CLIENT_IF, error)
    assert lab.tables.events() == {}


def test_error_to_an_unknown_destination(lab: Lab) -> None:
    error = UNREACHABLE.quoting(quote(frame(STRANGER, SERVER, tcp(1, 2))), SERVER, STRANGER)
    outcome = lab.from_server(error)
    if lab.multi:
        assert outcome.out is Verdict.DROPPED
        assert lab.tables.events() == {"no_port": 1}
    else:
        assert_out(outcome, CLIENT_IF, error)


@each_exchange
def test_error_to_somebody_else_than_it_quotes_passes(lab: Lab, exchange: Exchange) -> None:
    """An error goes to whoever has sent the quoted packet. What quotes a session but goes elsewhere is forged."""
    open_session(lab, exchange)
    error = UNREACHABLE.quoting(quote(exchange.answer(VIP, CLIENT, PLAIN, sport=VIP_PORT)), ROUTER, STRANGER)
    assert_out(lab.from_client(error), SERVER_IF, error)
    seen = quote(exchange.request(CLIENT, SERVER, PLAIN, dport=SERVER_PORT))
    error = UNREACHABLE.quoting(seen, ROUTER, OTHER_CLIENT)
    assert_out(lab.from_server(error), lab.other_client_if, error)
    assert lab.tables.events() == {"new_session": 1}
