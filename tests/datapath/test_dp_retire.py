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
    SEEN,
    SERVER,
    SERVER_PORT,
    VIP,
    VIP_PORT,
)
from tests.datapath.talk import answer, request

FIRST_PORT, FORGED = 2000, 10_000
each_exchange = pytest.mark.parametrize("exchange", [TCP_EXCHANGE, UDP_EXCHANGE], ids=str)


@pytest.fixture(scope="module")
def datapaths(timeless: Callable[[Hook], Datapath]) -> Callable[[Hook], Datapath]:
    """What is removed depends on the time: here it stands still."""
    return timeless


@pytest.fixture
def lab(lab: Lab) -> Lab:
    lab.serve((SERVER, SERVER_PORT))
    return lab


def use(lab: Lab, exchange: Exchange, sport: int) -> None:
    """A short session, from its first packet to its last."""
    request(lab, VIP, SERVER, "S", sport=sport, exchange=exchange)
    answer(lab, VIP, SERVER, "SA", sport=sport, exchange=exchange)
    if exchange is TCP_EXCHANGE:
        for flags in ("A", "FA"):
            request(lab, VIP, SERVER, flags, sport=sport, exchange=exchange)
        answer(lab, VIP, SERVER, "FA", sport=sport, exchange=exchange)
        request(lab, VIP, SERVER, "A", sport=sport, exchange=exchange)


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
    answer(lab, VIP, SERVER, exchange=exchange)


@each_exchange
def test_sessions_in_use_stay(lab: Lab, exchange: Exchange) -> None:
    request(lab, VIP, SERVER, "S", exchange=exchange)
    answer(lab, VIP, SERVER, "SA", exchange=exchange)
    lab.tables.age(2)
    request(lab, VIP, SERVER, exchange=exchange)
    lab.tables.age(100)
    for _ in range(3):
        use_many(lab, exchange)
        lab.tables.age(2)
    answer(lab, VIP, SERVER, exchange=exchange)
    assert lab.tables.sessions() == RETIRED_ENTRIES + 1


def test_a_tuple_that_is_used_again_stays(lab: Lab) -> None:
    use(lab, TCP_EXCHANGE, CLIENT_PORT)
    lab.tables.age(2)
    for flags in ("S", "A"):
        request(lab, VIP, SERVER, flags)
    lab.tables.age(1000)
    use_many(lab, TCP_EXCHANGE)
    answer(lab, VIP, SERVER)


@each_exchange
def test_a_session_beside_others_goes_as_well(lab: Lab, exchange: Exchange) -> None:
    """A stray packet, or one to another service from the same port, keeps no finished session."""
    lab.serve((OTHER_SERVER, SERVER_PORT), vip=OTHER_VIP)
    use(lab, exchange, CLIENT_PORT)
    request(lab, OTHER_VIP, OTHER_SERVER, "S", exchange=exchange)
    lab.from_server(exchange.answer("192.0.2.7", CLIENT, PLAIN, flags="R"))
    lab.tables.age(2)
    use_many(lab, exchange)
    assert lab.tables.session(exchange.forward_flow()) is None
    answer(lab, OTHER_VIP, OTHER_SERVER, exchange=exchange)
    request(lab, OTHER_VIP, OTHER_SERVER, exchange=exchange)


@each_exchange
def test_stray_packets_keep_no_session_that_is_over(lab: Lab, exchange: Exchange) -> None:
    """To and from its client's port, of nobody."""
    use(lab, exchange, CLIENT_PORT)
    lab.from_server(exchange.answer("192.0.2.7", CLIENT, PLAIN, flags="R"))
    lab.from_client(exchange.request(CLIENT, "192.0.2.7", PLAIN))
    lab.tables.age(2)
    use_many(lab, exchange)
    assert lab.tables.session(exchange.forward_flow()) is None


@pytest.mark.parametrize("seen", [CLIENT, SEEN], ids=["", "rewritten"])
def test_forged_packets_that_servers_reset_take_no_turn(lab: Lab, seen: str) -> None:
    """Sessions without a place in `clients` need none in the FIFO: those that are over would leave it too early."""
    use(lab, TCP_EXCHANGE, CLIENT_PORT)
    if seen != CLIENT:
        lab.tables.set_rewrite((CLIENT, "255.255.255.255", seen))
    for sport in range(FORGED, FORGED + RETIRED_ENTRIES):
        assert lab.from_client(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN, sport)).out == SERVER_IF
        reset = TCP_EXCHANGE.answer(SERVER, seen, PLAIN, dport=sport, flags="R")
        assert lab.from_server(reset).out == CLIENT_IF
    lab.tables.set_rewrite(None)
    lab.tables.age(2)
    use_many(lab, TCP_EXCHANGE)
    assert lab.tables.session(TCP_EXCHANGE.forward_flow()) is None


def test_reset_session_has_four_minutes(lab: Lab) -> None:
    """RFC 7857, section 2.2: the RST may have been forged."""
    for flags in ("S", "A"):
        request(lab, VIP, SERVER, flags)
        answer(lab, VIP, SERVER, "A")
    request(lab, VIP, SERVER, "R")
    lab.tables.age(230)
    use_many(lab, TCP_EXCHANGE)
    answer(lab, VIP, SERVER, "PA")
    request(lab, VIP, SERVER, "A")
    lab.tables.age(3600)
    answer(lab, VIP, SERVER, "PA")


@each_exchange
@pytest.mark.parametrize("is_hairpin", [False, True], ids=["rewritten", "hairpin"])
def test_both_entries_go(lab: Lab, exchange: Exchange, is_hairpin: bool) -> None:
    """Of a client whom the backend sees under another address, and of a pod that is its own backend."""
    seen, server, answers = SEEN, SERVER, lab.from_server
    if is_hairpin:
        lab.serve((CLIENT, SERVER_PORT))
        seen, server, answers = VIP, CLIENT, lab.from_client
    else:
        lab.tables.set_rewrite((CLIENT, "255.255.255.255", seen))
    for turn in range(3 * RETIRED_ENTRIES):
        sport = FIRST_PORT + turn
        out = exchange.request(seen, server, PLAIN, sport, SERVER_PORT)
        assert_out(lab.from_client(exchange.request(CLIENT, VIP, PLAIN, sport)), SERVER_IF, out)
        back = exchange.answer(VIP, CLIENT, PLAIN, VIP_PORT, sport, flags="FA")
        outcome = answers(exchange.answer(server, seen, PLAIN, dport=sport, flags="FA"))
        assert_out(outcome, SERVER_IF if is_hairpin else CLIENT_IF, back)
        lab.from_client(exchange.request(CLIENT, VIP, PLAIN, sport, flags="FA"))
        lab.tables.age(2)
    assert lab.tables.sessions() == 2 * RETIRED_ENTRIES
