"""Sessions that are over make room, so that those that live but are idle are not pushed out of a full table."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pcnhost.engine.source import Hook
from tests.datapath.harness import RETIRED_ENTRIES, Datapath
from tests.datapath.lab import CLIENT_IF, SERVER_IF, TCP_EXCHANGE, UDP_EXCHANGE, Exchange, Lab, assert_out
from tests.datapath.packets import (
    CLIENT,
    CLIENT_PORT,
    OTHER_SERVER,
    OTHER_VIP,
    PLAIN,
    SERVER,
    SERVER_PORT,
    VIP,
    VIP_PORT,
)

FIRST_PORT = 2000
each_exchange = pytest.mark.parametrize("exchange", [TCP_EXCHANGE, UDP_EXCHANGE], ids=str)


@pytest.fixture(scope="module")
def datapaths(timeless: Callable[[Hook], Datapath]) -> Callable[[Hook], Datapath]:
    """What is removed depends on the time: here it stands still."""
    return timeless


@pytest.fixture
def lab(lab: Lab) -> Lab:
    lab.serve((SERVER, SERVER_PORT))
    return lab


def request(lab: Lab, exchange: Exchange, sport: int, flags: str = "A", vip: str = VIP) -> bool:
    """Whether the backend of `vip` gets the client's packet."""
    server = SERVER if vip == VIP else OTHER_SERVER
    outcome = lab.from_client(exchange.request(CLIENT, vip, PLAIN, sport, flags=flags))
    return outcome.frame == exchange.request(CLIENT, server, PLAIN, sport, SERVER_PORT, flags=flags)


def answer(lab: Lab, exchange: Exchange, dport: int, flags: str = "A", vip: str = VIP) -> bool:
    """Whether the client gets the server's packet from `vip`."""
    server = SERVER if vip == VIP else OTHER_SERVER
    outcome = lab.from_server(exchange.answer(server, CLIENT, PLAIN, dport=dport, flags=flags))
    return outcome.frame == exchange.answer(vip, CLIENT, PLAIN, VIP_PORT, dport, flags=flags)


def use(lab: Lab, exchange: Exchange, sport: int) -> None:
    """A short session, from its first packet to its last."""
    assert request(lab, exchange, sport, "S")
    assert answer(lab, exchange, sport, "SA")
    if exchange is TCP_EXCHANGE:
        for flags in ("A", "FA"):
            assert request(lab, exchange, sport, flags)
        assert answer(lab, exchange, sport, "FA")
        assert request(lab, exchange, sport, "A")


def use_many(lab: Lab, exchange: Exchange, number: int = RETIRED_ENTRIES) -> None:
    for sport in range(FIRST_PORT, FIRST_PORT + number):
        use(lab, exchange, sport)


@each_exchange
def test_sessions_that_are_over_go(lab: Lab, exchange: Exchange) -> None:
    use(lab, exchange, CLIENT_PORT)
    lab.tables.age(2)
    use_many(lab, exchange, RETIRED_ENTRIES - 1)
    assert lab.tables.sessions() == RETIRED_ENTRIES
    use(lab, exchange, CLIENT_PORT + 1)
    assert lab.tables.sessions() == RETIRED_ENTRIES
    assert lab.tables.session(exchange.forward_flow()) is None


@each_exchange
def test_stragglers_have_time(lab: Lab, exchange: Exchange) -> None:
    use(lab, exchange, CLIENT_PORT)
    lab.tables.age(1)
    use_many(lab, exchange)
    assert answer(lab, exchange, CLIENT_PORT)


@each_exchange
def test_sessions_in_use_stay(lab: Lab, exchange: Exchange) -> None:
    assert request(lab, exchange, CLIENT_PORT, "S")
    assert answer(lab, exchange, CLIENT_PORT, "SA")
    lab.tables.age(2)
    assert request(lab, exchange, CLIENT_PORT)
    lab.tables.age(100)
    for _ in range(3):
        use_many(lab, exchange)
        lab.tables.age(2)
    assert answer(lab, exchange, CLIENT_PORT)
    assert lab.tables.sessions() == RETIRED_ENTRIES + 1


def test_a_tuple_that_is_used_again_stays(lab: Lab) -> None:
    use(lab, TCP_EXCHANGE, CLIENT_PORT)
    lab.tables.age(2)
    for flags in ("S", "A"):
        assert request(lab, TCP_EXCHANGE, CLIENT_PORT, flags)
    lab.tables.age(1000)
    use_many(lab, TCP_EXCHANGE)
    assert answer(lab, TCP_EXCHANGE, CLIENT_PORT)


@each_exchange
def test_a_session_by_way_of_which_others_are_found_stays(lab: Lab, exchange: Exchange) -> None:
    lab.serve((OTHER_SERVER, SERVER_PORT), vip=OTHER_VIP)
    assert request(lab, exchange, CLIENT_PORT, "S")
    assert request(lab, exchange, CLIENT_PORT, "S", vip=OTHER_VIP)
    for flags in ("FA", "A"):
        assert answer(lab, exchange, CLIENT_PORT, flags)
        assert request(lab, exchange, CLIENT_PORT, flags)
    lab.tables.age(20)
    use_many(lab, exchange)
    assert answer(lab, exchange, CLIENT_PORT, vip=OTHER_VIP)
    assert request(lab, exchange, CLIENT_PORT, vip=OTHER_VIP)


@each_exchange
def test_both_entries_go(lab: Lab, exchange: Exchange) -> None:
    lab.tables.set_rewrite((CLIENT, "255.255.255.255", "10.9.8.7"))
    seen = "10.9.8.7"
    for turn in range(3 * RETIRED_ENTRIES):
        sport = FIRST_PORT + turn
        out = exchange.request(seen, SERVER, PLAIN, sport, SERVER_PORT)
        assert_out(lab.from_client(exchange.request(CLIENT, VIP, PLAIN, sport)), SERVER_IF, out)
        back = exchange.answer(VIP, CLIENT, PLAIN, VIP_PORT, sport, flags="RA")
        assert_out(
            lab.from_server(exchange.answer(SERVER, seen, PLAIN, dport=sport, flags="RA")), CLIENT_IF, back
        )
        lab.tables.age(2)
    assert lab.tables.sessions() == RETIRED_ENTRIES
