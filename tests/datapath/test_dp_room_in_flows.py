"""Sessions whose answers stand in `flows` make room for others, also while no host runs: when they end, as others do,
and those that are not confirmed take a part of it only."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from k8slbrp import abi
from pcnhost.engine import bpf
from pcnhost.engine.source import Hook
from tests.datapath import maps
from tests.datapath.harness import Datapath, Outcome, timeless_copies
from tests.datapath.lab import CLIENT_IF, SERVER_IF, TCP_EXCHANGE, UDP_EXCHANGE, Exchange, Lab
from tests.datapath.packets import (
    CLIENT,
    CLIENT_PORT,
    OTHER_CLIENT,
    OTHER_SERVER,
    OTHER_VIP,
    PLAIN,
    SEEN,
    SERVER,
    SERVER_PORT,
    VIP,
)

SESSIONS = 1024
FLOWS = SESSIONS // 2  # entries of the table
PLACES = FLOWS // 4  # of sessions that are not confirmed
FLOOD = 2 * FLOWS
DAY = 86_400  # ticks
USER, NEW, FORGED = 2000, 3000, 10000  # source ports; the forged ones begin here

each_exchange = pytest.mark.parametrize("exchange", [TCP_EXCHANGE, UDP_EXCHANGE], ids=str)


@pytest.fixture(scope="module")
def datapaths() -> Iterator[Callable[[Hook], Datapath]]:
    """Programs with a small table, and a clock that the test moves."""
    with timeless_copies(SESSIONS) as copy:
        yield copy


@pytest.fixture
def lab(lab: Lab) -> Lab:
    for vip in (VIP, OTHER_VIP):
        lab.serve((SERVER, SERVER_PORT), vip=vip)
    lab.tables.set_rewrite((CLIENT, "255.255.255.255", SEEN))
    lab.datapath.set_clock(1000)
    return lab


def answers(lab: Lab) -> int:
    """How many sessions stand in `flows`: each has one entry there for its answers."""
    entries = map(abi.struct("session").from_buffer_copy, lab.tables.entries("flows").values())
    return sum(entry.flags & abi.CONSTANTS["SESSION_FLAG_FROM_SERVER"] for entry in entries)


def ask(lab: Lab, exchange: Exchange, port: int, flags: str = "A", vip: str = VIP) -> bool:
    return lab.from_client(exchange.request(CLIENT, vip, PLAIN, port, flags=flags)).out == SERVER_IF


def tell(lab: Lab, exchange: Exchange, port: int, flags: str = "A") -> bool:
    return lab.from_server(exchange.answer(SERVER, SEEN, PLAIN, dport=port, flags=flags)).out == CLIENT_IF


def opens(lab: Lab, exchange: Exchange, port: int) -> bool:
    return ask(lab, exchange, port, "S") and tell(lab, exchange, port, "SA") and ask(lab, exchange, port, "A")


def whole_connection(lab: Lab, port: int) -> bool:
    """Whether every packet of it has arrived."""
    exchange = TCP_EXCHANGE
    opened = opens(lab, exchange, port)
    closing = ask(lab, exchange, port, "FA") and tell(lab, exchange, port, "FA")
    return opened and closing and ask(lab, exchange, port, "A")


def flood(lab: Lab, exchange: Exchange, flags: str = "S", answer: str = "") -> None:
    """`answer`: flags of what a server says that cannot know that a packet is forged."""
    for port in range(FORGED, FORGED + FLOOD):
        assert ask(lab, exchange, port, flags), f"the one after {port - FORGED}"
        if answer:
            assert tell(lab, exchange, port, answer)


def source_port(outcome: Outcome) -> int:
    assert outcome.out == SERVER_IF
    return int.from_bytes(outcome.frame[34:36])


def test_more_connections_than_there_are_places(lab: Lab) -> None:
    for number in range(3 * SESSIONS):
        lab.datapath.set_clock(1000 + number)
        assert whole_connection(lab, 2000 + number), f"the one after {number}"


def source_port_of_a_closed_session(lab: Lab) -> int:
    """Its session with OTHER_VIP stands in `clients` and has another port than its client's own: this one, which has
    become free for others."""
    assert ask(lab, TCP_EXCHANGE, CLIENT_PORT, "S")
    assert ask(lab, TCP_EXCHANGE, CLIENT_PORT, "S", OTHER_VIP)
    older = lab.tables.session(TCP_EXCHANGE.forward_flow(vip=OTHER_VIP))
    assert older
    port = older.source_port
    assert port != CLIENT_PORT
    for flags in ("SA", "FA"):
        tell(lab, TCP_EXCHANGE, CLIENT_PORT, flags)
        ask(lab, TCP_EXCHANGE, CLIENT_PORT, "FA")
    for _ in range(2):  # the second time it has the place of the first in `clients`
        ask(lab, TCP_EXCHANGE, CLIENT_PORT, "S", OTHER_VIP)
        tell(lab, TCP_EXCHANGE, port, "SA")
        for flags in ("A", "FA"):
            ask(lab, TCP_EXCHANGE, CLIENT_PORT, flags, OTHER_VIP)
        tell(lab, TCP_EXCHANGE, port, "FA")
    lab.datapath.set_clock(1300)
    return port


def test_an_older_session_does_not_take_the_answers_of_a_newer_one_along(lab: Lab) -> None:
    """The newer one has got the source port that the older one had."""
    port = source_port_of_a_closed_session(lab)
    assert opens(lab, TCP_EXCHANGE, port)
    for number in range(SESSIONS):
        whole_connection(lab, 2000 + number)
        assert tell(lab, TCP_EXCHANGE, port, "A"), f"after {number} more have ended"


def test_a_session_that_leaves_its_backend_takes_no_other_answers_along(lab: Lab) -> None:
    """Another session has got the source port that the older one had, and the backend of that one's service changes."""
    port = source_port_of_a_closed_session(lab)
    assert opens(lab, TCP_EXCHANGE, port)
    lab.serve((OTHER_SERVER, SERVER_PORT), vip=OTHER_VIP)
    assert ask(lab, TCP_EXCHANGE, CLIENT_PORT, "S", OTHER_VIP)
    assert tell(lab, TCP_EXCHANGE, port, "A")


@pytest.mark.parametrize(
    ("exchange", "flags", "answer"),
    [
        (UDP_EXCHANGE, "", ""),
        (TCP_EXCHANGE, "S", ""),
        (TCP_EXCHANGE, "S", "SA"),
        (TCP_EXCHANGE, "A", ""),
        (TCP_EXCHANGE, "A", "R"),
        (TCP_EXCHANGE, "FA", ""),
    ],
)
def test_a_flood_keeps_no_new_client_out(lab: Lab, exchange: Exchange, flags: str, answer: str) -> None:
    flood(lab, exchange, flags, answer)
    assert answers(lab) <= PLACES
    for port in range(NEW, NEW + 100):
        assert opens(lab, exchange, port)


@each_exchange
def test_neither_does_one_whose_packets_come_twice(lab: Lab, exchange: Exchange) -> None:
    flood(lab, exchange)
    lab.datapath.set_clock(1001)
    flood(lab, exchange)
    assert answers(lab) <= PLACES
    for port in range(NEW, NEW + 100):
        assert opens(lab, exchange, port)


@each_exchange
def test_sessions_that_live_outlast_the_flood(lab: Lab, exchange: Exchange) -> None:
    ports = range(USER, USER + 100)
    assert all(opens(lab, exchange, port) for port in ports)
    flood(lab, exchange)
    assert all(tell(lab, exchange, port) and ask(lab, exchange, port) for port in ports)


def test_sessions_found_mid_stream_outlast_it_once_both_sides_are_heard(lab: Lab) -> None:
    ports = range(USER, USER + 100)
    for port in ports:
        assert ask(lab, TCP_EXCHANGE, port) and tell(lab, TCP_EXCHANGE, port) and ask(lab, TCP_EXCHANGE, port)
    flood(lab, TCP_EXCHANGE, "A")
    assert all(tell(lab, TCP_EXCHANGE, port) and ask(lab, TCP_EXCHANGE, port) for port in ports)


@each_exchange
def test_a_slow_server_answers_after_the_client_has_asked_again(lab: Lab, exchange: Exchange) -> None:
    assert ask(lab, exchange, USER, "S")
    flood(lab, exchange)
    lab.datapath.set_clock(1001)
    assert ask(lab, exchange, USER, "S")
    assert tell(lab, exchange, USER, "SA")


@each_exchange
def test_two_sessions_never_share_a_source_port(lab: Lab, exchange: Exchange) -> None:
    """The first one has lost its place before the second one comes."""
    lab.from_client(exchange.request(CLIENT, VIP, PLAIN, USER))
    flood(lab, exchange)
    lab.datapath.set_clock(1003)
    second = source_port(lab.from_client(exchange.request(CLIENT, OTHER_VIP, PLAIN, USER)))
    assert source_port(lab.from_client(exchange.request(CLIENT, VIP, PLAIN, USER))) != second


def test_a_stream_that_nobody_answers_stays_as_it_is(lab: Lab) -> None:
    """It stands beside another session of its port. In each second another such session begins than can stay."""
    lab.tables.set_rewrite((OTHER_CLIENT, "255.255.255.255", SEEN))
    lab.from_client(UDP_EXCHANGE.request(CLIENT, VIP, PLAIN, USER))
    lab.from_server(UDP_EXCHANGE.answer(SERVER, CLIENT, PLAIN, dport=USER))
    stream = UDP_EXCHANGE.request(CLIENT, OTHER_VIP, PLAIN, USER)
    first = source_port(lab.from_client(stream))
    for number in range(2 * PLACES):
        lab.datapath.set_clock(1000 + number)
        request = UDP_EXCHANGE.request(OTHER_CLIENT, VIP, PLAIN, FORGED + number)
        assert lab.from_other_client(request).out == SERVER_IF
        assert source_port(lab.from_client(stream)) == first
    assert lab.count("new_session") == 2 + 2 * PLACES


@each_exchange
def test_a_session_that_is_over_does_not_take_its_successor_along(lab: Lab, exchange: Exchange) -> None:
    """Both have the same flows, and the new one takes the place of the old one: every place here is that one's."""
    assert ask(lab, exchange, USER, "S")
    places = lab.datapath.maps["unconfirmed"]
    (place,) = (value for value in maps.contents(places).values() if value and any(value))
    for index in range(bpf.map_spec(places).max_entries):
        bpf.update(places, bpf.u32(index), place)
    lab.datapath.set_clock(1000 + DAY)
    assert ask(lab, exchange, USER, "S")
    assert lab.tables.sessions("openings") == 1
    assert tell(lab, exchange, USER, "SA")
