"""Services without usable backends: the control plane answers, and nothing leaks to the BACKEND port."""

from __future__ import annotations

from socket import IPPROTO_TCP

import pytest

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
from tests.datapath.packets import CLIENT, PLAIN, SERVER, SERVER_PORT, SHAPES, VIP, VIP_PORT, Shape
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


def test_chunks_replaced_twice_meanwhile(lab: Lab) -> None:
    """A service whose chunks somebody else has got by now: no packet may use them."""
    lab.serve((SERVER, SERVER_PORT), chunks=True)
    lab.tables.hand_over_chunks(VIP, VIP_PORT, IPPROTO_TCP)
    assert_dropped(lab.from_client(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN)))
    lab.tables.erase_chunks(VIP, VIP_PORT, IPPROTO_TCP)
    assert_dropped(lab.from_client(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN)))
    assert lab.tables.events() == {"table_changed": 2}


def test_entry_of_a_service_that_is_no_more(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    lab.tables.tear_service(VIP, VIP_PORT, IPPROTO_TCP)
    assert_dropped(lab.from_client(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN)))
    assert lab.tables.events() == {"table_changed": 1}
