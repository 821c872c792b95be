"""Services without usable backends, and ports that no service has where these are refused: the control plane answers,
and nothing leaks to the BACKEND port."""

from __future__ import annotations

from socket import IPPROTO_TCP, IPPROTO_UDP

import pytest

from tests.datapath import talk
from tests.datapath.lab import (
    CLIENT_IF,
    EXCHANGES,
    SERVER_IF,
    TCP_EXCHANGE,
    Exchange,
    Lab,
    assert_dropped,
    assert_out,
    assert_punted,
)
from tests.datapath.packets import (
    CLIENT,
    OTHER_SERVER,
    PLAIN,
    SERVER,
    SERVER_PORT,
    SHAPES,
    STRANGER,
    UNREACHABLE,
    VIP,
    VIP_PORT,
    Shape,
    frame,
    pong,
    quote,
    tcp,
)
from tests.datapath.tables import REJECT

each_exchange = pytest.mark.parametrize("exchange", EXCHANGES, ids=str)


@each_exchange
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_no_backends(lab: Lab, exchange: Exchange, shape: Shape) -> None:
    lab.serve()
    packet = exchange.request(CLIENT, VIP, shape)
    assert_punted(lab.from_client(packet), REJECT, CLIENT_IF, packet)
    assert lab.tables.events() == {"rejected": 1}
    assert lab.tables.sessions() == 0


def test_no_backends_but_a_live_session(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    for flags in ("S", "A"):
        lab.from_client(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN, flags=flags))
    lab.serve()
    packet = TCP_EXCHANGE.request(CLIENT, VIP, PLAIN, flags="A")
    expected = TCP_EXCHANGE.request(CLIENT, SERVER, PLAIN, dport=SERVER_PORT, flags="A")
    assert_out(lab.from_client(packet), SERVER_IF, expected)
    packet = TCP_EXCHANGE.request(CLIENT, VIP, PLAIN, flags="S")
    assert_punted(lab.from_client(packet), REJECT, CLIENT_IF, packet)


def test_only_backends_without_a_share(lab: Lab) -> None:
    lab.tables.set_service(VIP, VIP_PORT, IPPROTO_TCP, [], [(SERVER, SERVER_PORT)])
    packet = TCP_EXCHANGE.request(CLIENT, VIP, PLAIN)
    assert_punted(lab.from_client(packet), REJECT, CLIENT_IF, packet)


def test_backend_comes_back(lab: Lab) -> None:
    lab.serve()
    lab.from_client(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN))
    lab.serve((SERVER, SERVER_PORT))
    packet = TCP_EXCHANGE.request(CLIENT, VIP, PLAIN)
    expected = TCP_EXCHANGE.request(CLIENT, SERVER, PLAIN, dport=SERVER_PORT)
    assert_out(lab.from_client(packet), SERVER_IF, expected)


def test_rejecting_is_limited(lab: Lab) -> None:
    lab.serve()
    packet = TCP_EXCHANGE.request(CLIENT, VIP, PLAIN)
    punted = sum(len(lab.from_client(packet).punts) for _ in range(1200))
    assert 256 <= punted <= 1024  # a tick may end meanwhile, and the test change its CPU
    assert lab.tables.events() == {"rejected": 1200, "rate_limited": 1200 - punted}


def test_chunks_of_another_service(lab: Lab) -> None:
    """A service whose chunks somebody else has got by now: no packet may use them."""
    other = "10.0.9.9"
    lab.serve((SERVER, SERVER_PORT), chunks=True)
    lab.serve((OTHER_SERVER, SERVER_PORT), vip=other, chunks=True)
    lab.tables.exchange_chunks(VIP, VIP_PORT, IPPROTO_TCP, other)
    assert_dropped(lab.from_client(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN)))
    lab.tables.erase_chunks(VIP, VIP_PORT, IPPROTO_TCP)
    assert_dropped(lab.from_client(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN)))
    assert lab.tables.events() == {"table_changed": 2}


def test_entry_of_a_service_that_is_no_more(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    lab.tables.tear_service(VIP, VIP_PORT, IPPROTO_TCP)
    assert_dropped(lab.from_client(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN)))
    assert lab.tables.events() == {"table_changed": 1}


def refuse_unserved(lab: Lab) -> None:
    """VIP has services of TCP and UDP at one port, and none for ping."""
    lab.tables.set_settings(reject_unserved=True)
    for proto in (IPPROTO_TCP, IPPROTO_UDP):
        lab.tables.set_service(VIP, VIP_PORT, proto, [(SERVER, SERVER_PORT)])


@each_exchange
@pytest.mark.parametrize("flags", ["S", "A", "R"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_what_a_vip_does_not_serve_is_refused(lab: Lab, exchange: Exchange, flags: str, shape: Shape) -> None:
    refuse_unserved(lab)
    packet = exchange.request(CLIENT, VIP, shape, dport=VIP_PORT + 1, flags=flags)
    assert_punted(lab.from_client(packet), REJECT, CLIENT_IF, packet)
    assert lab.tables.events() == {"rejected": 1}
    assert lab.tables.sessions() == 0


def test_refusing_ports_without_service_is_limited(lab: Lab) -> None:
    refuse_unserved(lab)
    packet = TCP_EXCHANGE.request(CLIENT, VIP, PLAIN, dport=VIP_PORT + 1)
    punted = sum(len(lab.from_client(packet).punts) for _ in range(1200))
    assert 256 <= punted <= 1024
    assert lab.tables.events() == {"rejected": 1200, "rate_limited": 1200 - punted}


@each_exchange
def test_what_is_no_request_to_a_vip_is_not_refused(lab: Lab, exchange: Exchange) -> None:
    """Other addresses, what comes from the servers, answers to pings of the address itself, and errors to it."""
    refuse_unserved(lab)
    for packet in (
        exchange.request(CLIENT, STRANGER, PLAIN, dport=VIP_PORT + 1),
        frame(CLIENT, VIP, pong(7)),
        frame(CLIENT, VIP, b"x" * 40, proto=47),
        UNREACHABLE.quoting(quote(frame(VIP, STRANGER, tcp(50000, 443))), STRANGER, VIP),
    ):
        assert_out(lab.from_client(packet), SERVER_IF, packet)
    packet = exchange.answer(VIP, CLIENT, PLAIN, sport=VIP_PORT + 1)
    assert_out(lab.from_server(packet), CLIENT_IF, packet)
    assert lab.tables.events() == {}


@each_exchange
def test_refusing_concerns_no_service(lab: Lab, exchange: Exchange) -> None:
    refuse_unserved(lab)
    lab.serve((SERVER, SERVER_PORT))
    for flags in ("S", "A"):
        talk.request(lab, VIP, SERVER, flags, exchange=exchange)
        talk.answer(lab, VIP, SERVER, "A", exchange=exchange)
    assert lab.tables.events() == {"new_session": 1}
