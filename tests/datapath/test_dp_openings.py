"""The table `openings`: which session goes when a set is full, and where one stands that finds no place in its set."""

from __future__ import annotations

import socket

import pytest

from testbed.openings import WAYS
from tests.datapath.harness import Way, through
from tests.datapath.lab import SERVER_IF, TCP_EXCHANGE, UDP_EXCHANGE, Exchange, Lab, assert_dropped
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
from tests.datapath.tables import FRONTEND, TIMEOUTS, Flow
from tests.datapath.talk import answer, request

PORTS = range(1024, 65536)
PROTOCOLS = {TCP_EXCHANGE: socket.IPPROTO_TCP, UDP_EXCHANGE: socket.IPPROTO_UDP}
each_exchange = pytest.mark.parametrize("exchange", PROTOCOLS, ids=str)


@pytest.fixture
def lab(lab: Lab) -> Lab:
    lab.serve((SERVER, SERVER_PORT))
    lab.serve((OTHER_SERVER, SERVER_PORT), vip=OTHER_VIP)
    return lab


def flow(port: int, exchange: Exchange) -> Flow:
    return Flow(CLIENT, VIP, port, VIP_PORT, PROTOCOLS[exchange], FRONTEND)


def ports_of_one_set(lab: Lab, exchange: Exchange, number: int) -> list[int]:
    """As many ports of CLIENT whose sessions stand in the same set, and have tags of their own there."""
    by_set: dict[int, dict[int, int]] = {}
    for port in PORTS:
        home, tag = lab.tables.openings.home_of(CLIENT, port, PROTOCOLS[exchange])
        ports = by_set.setdefault(home, {})
        ports.setdefault(tag, port)
        if len(ports) == number:
            return list(ports.values())
    raise ValueError(f"no set has {number}")


def ask(lab: Lab, exchange: Exchange, port: int) -> None:
    request(lab, VIP, SERVER, "S", sport=port, exchange=exchange)


def there(lab: Lab, exchange: Exchange, ports: list[int]) -> list[int]:
    return [port for port in ports if lab.tables.session(flow(port, exchange))]


@each_exchange
def test_a_full_set_gives_up_the_session_that_was_not_seen_for_longest(lab: Lab, exchange: Exchange) -> None:
    first, second, *others, last = ports = ports_of_one_set(lab, exchange, WAYS + 1)
    for port in (first, second, *others):
        ask(lab, exchange, port)
        lab.tables.age(1)
    ask(lab, exchange, first)
    ask(lab, exchange, last)
    assert there(lab, exchange, ports) == [first, *others, last]
    assert lab.tables.changes() == {"opening_evicted": 1}


@each_exchange
def test_one_that_is_over_is_not_counted_as_evicted(lab: Lab, exchange: Exchange) -> None:
    *others, last = ports = ports_of_one_set(lab, exchange, WAYS + 1)
    for port in others:
        ask(lab, exchange, port)
    lab.tables.age(TIMEOUTS[PROTOCOLS[exchange]][0] + 1)
    ask(lab, exchange, last)
    assert there(lab, exchange, ports) == [*others[1:], last]
    assert lab.tables.changes() == {}


@each_exchange
def test_of_those_seen_in_the_same_second_the_oldest_goes(lab: Lab, exchange: Exchange) -> None:
    ports = ports_of_one_set(lab, exchange, 2 * WAYS)
    for number, port in enumerate(ports, 1):
        ask(lab, exchange, port)
        assert there(lab, exchange, ports) == ports[max(number - WAYS, 0) : number]


@each_exchange
def test_a_session_that_is_confirmed_leaves_its_place(lab: Lab, exchange: Exchange) -> None:
    ports = ports_of_one_set(lab, exchange, 2 * WAYS)
    for port in ports:
        ask(lab, exchange, port)
        answer(lab, VIP, SERVER, "SA", sport=port, exchange=exchange)
        request(lab, VIP, SERVER, "A", sport=port, exchange=exchange)
    assert (lab.tables.sessions("openings"), lab.tables.sessions("clients")) == (0, len(ports))
    assert lab.tables.changes() == {"client_added": len(ports)}


@each_exchange
def test_a_packet_of_a_session_that_had_to_go_begins_it_again(lab: Lab, exchange: Exchange) -> None:
    first, *others = ports = ports_of_one_set(lab, exchange, WAYS + 1)
    for port in (*ports, first):
        ask(lab, exchange, port)
    answer(lab, VIP, SERVER, "SA", sport=first, exchange=exchange)
    assert there(lab, exchange, ports) == [first, *others[1:]]


def exchange_of(lab: Lab, exchange: Exchange, port: int) -> None:
    """A session from its first packet on, and its last place."""
    ask(lab, exchange, port)
    ask(lab, exchange, port)
    for _ in range(2):
        answer(lab, VIP, SERVER, "SA", sport=port, exchange=exchange)
        request(lab, VIP, SERVER, "A", sport=port, exchange=exchange)


def take_tag(lab: Lab, exchange: Exchange, port: int, idle: int = 0) -> None:
    """Another client has the tag of this one in its set, and was not seen for so many ticks."""
    ask(lab, exchange, port)
    own = lab.tables.session(flow(port, exchange))
    assert own
    lab.tables.forget_all()
    home = lab.tables.openings.home_of(CLIENT, port, PROTOCOLS[exchange])
    lab.tables.openings.occupy(*home, own.last_seen - idle)


def places(lab: Lab) -> list[int]:
    return [lab.tables.sessions(name) for name in ("openings", "clients", "flows")]


@each_exchange
def test_a_client_whose_tag_is_taken_stands_beside_others(lab: Lab, exchange: Exchange) -> None:
    """And stays there."""
    take_tag(lab, exchange, CLIENT_PORT)
    exchange_of(lab, exchange, CLIENT_PORT)
    assert places(lab) == [1, 0, 2]
    assert lab.tables.changes() == {}


@each_exchange
def test_a_session_that_is_over_keeps_no_tag(lab: Lab, exchange: Exchange) -> None:
    take_tag(lab, exchange, CLIENT_PORT, idle=5000)
    exchange_of(lab, exchange, CLIENT_PORT)
    assert places(lab) == [0, 1, 0]


def test_a_successor_takes_a_tag(lab: Lab) -> None:
    """It cannot stand beside others."""
    exchange_of(lab, TCP_EXCHANGE, CLIENT_PORT)
    last_seen = lab.tables.session(flow(CLIENT_PORT, TCP_EXCHANGE)).last_seen
    lab.serve((OTHER_SERVER, SERVER_PORT))
    lab.tables.openings.occupy(
        *lab.tables.openings.home_of(CLIENT, CLIENT_PORT, socket.IPPROTO_TCP), last_seen
    )
    request(lab, VIP, OTHER_SERVER, "S")
    assert places(lab) == [1, 1, 0]
    answer(lab, VIP, OTHER_SERVER, "SA")


@each_exchange
@through(Way.LATE)
def test_one_packet_on_two_cpus_opens_one_session(lab: Lab, exchange: Exchange) -> None:
    """It is sent twice. One CPU has stored the session just before the other one would, or is about to."""
    ask(lab, exchange, CLIENT_PORT)
    number, _ = lab.tables.openings.home_of(CLIENT, CLIENT_PORT, PROTOCOLS[exchange])
    for writers in (1, 0):
        lab.tables.openings.set_writers(number, writers)
        ask(lab, exchange, CLIENT_PORT)
        assert places(lab) == [1, 0, 0]


@each_exchange
def test_so_does_one_into_whose_set_another_cpu_writes(lab: Lab, exchange: Exchange) -> None:
    first, second = ports_of_one_set(lab, exchange, 2)
    number, _ = lab.tables.openings.home_of(CLIENT, first, PROTOCOLS[exchange])
    lab.tables.openings.set_writers(number, 1)
    exchange_of(lab, exchange, first)
    assert lab.tables.openings.writers() == 1
    assert places(lab) == [0, 0, 2]
    lab.tables.openings.set_writers(number, 0)
    exchange_of(lab, exchange, second)
    assert lab.tables.openings.writers() == 0
    assert places(lab) == [0, 1, 2]


@each_exchange
def test_its_client_port_may_be_used_for_another_service(lab: Lab, exchange: Exchange) -> None:
    take_tag(lab, exchange, CLIENT_PORT)
    ask(lab, exchange, CLIENT_PORT)
    request(lab, OTHER_VIP, OTHER_SERVER, "S", exchange=exchange)
    answer(lab, OTHER_VIP, OTHER_SERVER, "SA", exchange=exchange)
    answer(lab, VIP, SERVER, "SA", exchange=exchange)


def test_an_answer_to_a_session_that_had_to_go_is_dropped(lab: Lab) -> None:
    """The client would reset the connection. It sends its SYN again."""
    first, *others = ports_of_one_set(lab, TCP_EXCHANGE, WAYS + 1)
    for port in (first, *others):
        ask(lab, TCP_EXCHANGE, port)
    assert_dropped(lab.from_server(TCP_EXCHANGE.answer(SERVER, CLIENT, PLAIN, dport=first, flags="SA")))
    assert lab.count("no_session") == 1
    assert lab.from_client(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN, first, flags="S")).out == SERVER_IF
