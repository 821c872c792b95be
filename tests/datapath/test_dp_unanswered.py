"""Sessions in `flows` that nobody answers take a part of it only, also while no host runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from pcnhost.engine.source import Hook
from tests.datapath.harness import Datapath, timeless_copies
from tests.datapath.lab import CLIENT_IF, SERVER_IF, TCP_EXCHANGE, UDP_EXCHANGE, Exchange, Lab
from tests.datapath.packets import CLIENT, PLAIN, SERVER, SERVER_PORT, VIP

SESSIONS = 1024  # `flows` has half of them
FLOOD = 1024
PLACES = SESSIONS // 8 + 1  # in the FIFO
SEEN = "10.9.8.7"
USER, NEW, FORGED = 2000, 3000, 10000  # source ports; the forged ones begin here

each_exchange = pytest.mark.parametrize("exchange", [TCP_EXCHANGE, UDP_EXCHANGE], ids=str)


@pytest.fixture(scope="module")
def datapaths() -> Iterator[Callable[[Hook], Datapath]]:
    """Programs with a small table, and a clock that the test moves."""
    with timeless_copies(SESSIONS) as copy:
        yield copy


@pytest.fixture
def lab(lab: Lab) -> Lab:
    lab.serve((SERVER, SERVER_PORT))
    lab.tables.set_rewrite((CLIENT, "255.255.255.255", SEEN))
    lab.datapath.set_clock(1000)
    return lab


def ask(lab: Lab, exchange: Exchange, port: int, flags: str = "A") -> bool:
    return lab.from_client(exchange.request(CLIENT, VIP, PLAIN, port, flags=flags)).out == SERVER_IF


def tell(lab: Lab, exchange: Exchange, port: int, flags: str = "A") -> bool:
    return lab.from_server(exchange.answer(SERVER, SEEN, PLAIN, dport=port, flags=flags)).out == CLIENT_IF


def opens(lab: Lab, exchange: Exchange, port: int) -> bool:
    return ask(lab, exchange, port, "S") and tell(lab, exchange, port, "SA") and ask(lab, exchange, port, "A")


def flood(
    lab: Lab, exchange: Exchange, *, first: int = 0, number: int = FLOOD, answered: bool = False
) -> None:
    """`answered`: as a server does that cannot know that a SYN is forged."""
    for port in range(FORGED + first, FORGED + first + number):
        assert ask(lab, exchange, port, "S"), f"the one after {port - FORGED}"
        if answered:
            assert tell(lab, exchange, port, "SA")


@each_exchange
def test_a_flood_keeps_no_new_client_out(lab: Lab, exchange: Exchange) -> None:
    flood(lab, exchange)
    for port in range(NEW, NEW + 100):
        assert opens(lab, exchange, port)


def test_neither_do_forged_syns_that_the_server_answers(lab: Lab) -> None:
    flood(lab, TCP_EXCHANGE, answered=True)
    for port in range(NEW, NEW + 100):
        assert opens(lab, TCP_EXCHANGE, port)


@each_exchange
def test_neither_does_one_whose_packets_come_twice(lab: Lab, exchange: Exchange) -> None:
    flood(lab, exchange)
    lab.datapath.set_clock(1001)
    flood(lab, exchange)
    for port in range(NEW, NEW + 100):
        assert opens(lab, exchange, port)


@each_exchange
def test_sessions_that_live_outlast_the_flood(lab: Lab, exchange: Exchange) -> None:
    ports = range(USER, USER + 100)
    assert all(opens(lab, exchange, port) for port in ports)
    flood(lab, exchange)
    assert all(tell(lab, exchange, port) and ask(lab, exchange, port) for port in ports)


@each_exchange
def test_a_slow_server_answers_after_the_client_has_asked_again(lab: Lab, exchange: Exchange) -> None:
    assert ask(lab, exchange, USER, "S")
    flood(lab, exchange)
    lab.datapath.set_clock(1001)
    assert ask(lab, exchange, USER, "S")
    assert tell(lab, exchange, USER, "SA")


def test_a_later_session_of_the_same_flow_has_its_own_turn(lab: Lab) -> None:
    assert opens(lab, TCP_EXCHANGE, USER)
    assert ask(lab, TCP_EXCHANGE, USER, "FA") and tell(lab, TCP_EXCHANGE, USER, "FA")
    flood(lab, TCP_EXCHANGE, number=PLACES - 10)
    assert ask(lab, TCP_EXCHANGE, USER, "S")
    flood(lab, TCP_EXCHANGE, first=PLACES, number=20)
    assert tell(lab, TCP_EXCHANGE, USER, "SA")
    assert ask(lab, TCP_EXCHANGE, USER, "A")
