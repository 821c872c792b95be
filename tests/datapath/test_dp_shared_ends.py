"""Several sessions of one client port: at most one can be kept for the client's end, and none may take the answers of
another."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pcnhost.engine.source import Hook
from tests.datapath.harness import Datapath
from tests.datapath.lab import (
    CLIENT_IF,
    EXCHANGES,
    SERVER_IF,
    TCP_EXCHANGE,
    Exchange,
    Lab,
    assert_dropped,
    assert_out,
)
from tests.datapath.packets import (
    CLIENT,
    CLIENT_PORT,
    OTHER_SERVER,
    OTHER_VIP,
    PLAIN,
    SERVER,
    SERVER_PORT,
    VIP,
)
from tests.datapath.tables import SHORT_TIMEOUTS
from tests.datapath.talk import answer, request

each_exchange = pytest.mark.parametrize("exchange", EXCHANGES, ids=str)

THIRD_VIP = "10.96.0.12"
SYN_TO_OTHER_VIP = TCP_EXCHANGE.request(CLIENT, OTHER_VIP, PLAIN)
SOURCE_PORT_ATTEMPTS = 16  # the client's own port among them


@pytest.fixture(scope="module")
def datapaths(timeless: Callable[[Hook], Datapath]) -> Callable[[Hook], Datapath]:
    """Which source ports are tried depends on the time: here it stands still."""
    return timeless


def close(lab: Lab, vip: str, server: str) -> None:
    request(lab, vip, server, "FA")
    answer(lab, vip, server, "FA")


def source_port(lab: Lab, exchange: Exchange = TCP_EXCHANGE, vip: str = OTHER_VIP) -> int:
    session = lab.tables.session(exchange.forward_flow(vip=vip))
    assert session
    return session.source_port


@each_exchange
def test_sessions_with_different_backends(lab: Lab, exchange: Exchange) -> None:
    lab.serve((SERVER, SERVER_PORT))
    lab.serve((OTHER_SERVER, SERVER_PORT), vip=OTHER_VIP)
    for flags in ("S", "A", "A"):
        for vip, server in ((VIP, SERVER), (OTHER_VIP, OTHER_SERVER)):
            request(lab, vip, server, flags, exchange=exchange)
            answer(lab, vip, server, exchange=exchange)
    assert lab.tables.events() == {"new_session": 2}
    assert lab.tables.sessions() == 3


@each_exchange
def test_they_keep_each_other_alive_in_either_direction(lab: Lab, exchange: Exchange) -> None:
    """Both kinds of entry are refreshed by either side alone."""
    lab.serve((SERVER, SERVER_PORT))
    lab.serve((OTHER_SERVER, SERVER_PORT), vip=OTHER_VIP)
    for vip, server in ((VIP, SERVER), (OTHER_VIP, OTHER_SERVER)):
        request(lab, vip, server, "S", exchange=exchange)
        request(lab, vip, server, exchange=exchange)
    for _ in range(8):
        lab.tables.age(25)
        request(lab, VIP, SERVER, exchange=exchange)
        answer(lab, OTHER_VIP, OTHER_SERVER, exchange=exchange)
    answer(lab, VIP, SERVER, exchange=exchange)
    request(lab, OTHER_VIP, OTHER_SERVER, exchange=exchange)
    assert lab.tables.events() == {"new_session": 2}


@each_exchange
def test_a_session_that_is_over_gives_its_place_away(lab: Lab, exchange: Exchange) -> None:
    lab.serve((SERVER, SERVER_PORT))
    lab.serve((OTHER_SERVER, SERVER_PORT), vip=OTHER_VIP)
    request(lab, VIP, SERVER, "S", exchange=exchange)
    lab.tables.age(300)
    request(lab, OTHER_VIP, OTHER_SERVER, "S", exchange=exchange)
    answer(lab, OTHER_VIP, OTHER_SERVER, exchange=exchange)
    assert lab.tables.sessions() == 1


def test_a_closed_session_gives_its_place_away(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    lab.serve((OTHER_SERVER, SERVER_PORT), vip=OTHER_VIP)
    request(lab, VIP, SERVER, "S")
    close(lab, VIP, SERVER)
    request(lab, OTHER_VIP, OTHER_SERVER, "S")
    answer(lab, OTHER_VIP, OTHER_SERVER, "SA")
    assert lab.tables.sessions() == 1


@pytest.mark.parametrize("from_client", [True, False], ids=["client", "server"])
def test_a_session_closed_on_one_side_does_not(lab: Lab, from_client: bool) -> None:
    lab.serve((SERVER, SERVER_PORT))
    lab.serve((OTHER_SERVER, SERVER_PORT), vip=OTHER_VIP)
    request(lab, VIP, SERVER, "S")
    (request if from_client else answer)(lab, VIP, SERVER, "FA")
    request(lab, OTHER_VIP, OTHER_SERVER, "S")
    lab.serve((OTHER_SERVER, SERVER_PORT))
    (answer if from_client else request)(lab, VIP, SERVER, "PA")
    (request if from_client else answer)(lab, VIP, SERVER, "A")
    answer(lab, OTHER_VIP, OTHER_SERVER, "SA")


@each_exchange
def test_source_port_shared_by_two_vips(lab: Lab, exchange: Exchange) -> None:
    """Both sessions look the same to the backend, unless the later one gets another source port."""
    lab.serve((SERVER, SERVER_PORT))
    lab.serve((SERVER, SERVER_PORT), vip=OTHER_VIP)
    request(lab, VIP, SERVER, "S", exchange=exchange)
    outcome = lab.from_client(exchange.request(CLIENT, OTHER_VIP, PLAIN))
    other = source_port(lab, exchange)
    assert other != CLIENT_PORT
    assert other >= 1024
    assert_out(outcome, SERVER_IF, exchange.request(CLIENT, SERVER, PLAIN, other, SERVER_PORT))
    for _ in range(2):
        answer(lab, VIP, SERVER, "SA", exchange=exchange)
        answer(lab, OTHER_VIP, SERVER, "SA", seen_port=other, exchange=exchange)
        request(lab, VIP, SERVER, "A", exchange=exchange)
        request(lab, OTHER_VIP, SERVER, "A", seen_port=other, exchange=exchange)


@each_exchange
@pytest.mark.parametrize("from_client", [True, False], ids=["client", "server"])
def test_a_replaced_source_port_stays_while_one_direction_is_busy(
    lab: Lab, exchange: Exchange, from_client: bool
) -> None:
    """However short the timeouts are: here the client, or the server, is silent for longer than any of them."""
    lab.tables.set_settings(SHORT_TIMEOUTS)
    lab.serve((SERVER, SERVER_PORT))
    lab.serve((SERVER, SERVER_PORT), vip=OTHER_VIP)
    request(lab, VIP, SERVER, "S", exchange=exchange)
    lab.from_client(exchange.request(CLIENT, OTHER_VIP, PLAIN))
    other = source_port(lab, exchange)
    for _ in range(4):
        lab.tables.age(25)
        (request if from_client else answer)(lab, OTHER_VIP, SERVER, seen_port=other, exchange=exchange)
    request(lab, OTHER_VIP, SERVER, seen_port=other, exchange=exchange)
    answer(lab, OTHER_VIP, SERVER, seen_port=other, exchange=exchange)
    assert lab.tables.events() == {"new_session": 2}


@each_exchange
def test_a_replaced_source_port_is_not_given_to_its_owner(lab: Lab, exchange: Exchange) -> None:
    """The client comes from the port that another session of its was given: the answers must not mix."""
    lab.serve((SERVER, SERVER_PORT))
    lab.serve((SERVER, SERVER_PORT), vip=OTHER_VIP)
    request(lab, VIP, SERVER, "S", exchange=exchange)
    lab.from_client(exchange.request(CLIENT, OTHER_VIP, PLAIN))
    other = source_port(lab, exchange)
    lab.from_client(exchange.request(CLIENT, VIP, PLAIN, sport=other))
    session = lab.tables.session(exchange.forward_flow(sport=other))
    assert session
    assert session.source_port not in (CLIENT_PORT, other)
    answer(lab, OTHER_VIP, SERVER, seen_port=other, exchange=exchange)
    answer(lab, VIP, SERVER, sport=other, seen_port=session.source_port, exchange=exchange)


def open_at_all_source_ports(lab: Lab, last_flags: str) -> list[int]:
    """Connects to VIP from all ports that a connection to OTHER_VIP from CLIENT_PORT would try in this tick, in their
    order, and sends the client's FIN and `last_flags` of the server."""
    lab.serve((SERVER, SERVER_PORT))
    lab.serve((SERVER, SERVER_PORT), vip=OTHER_VIP)
    ports = [CLIENT_PORT]
    for _ in range(SOURCE_PORT_ATTEMPTS - 1):
        for port in ports:
            request(lab, VIP, SERVER, "S", sport=port)
        assert lab.from_client(SYN_TO_OTHER_VIP).out == SERVER_IF
        ports.append(source_port(lab))
        lab.tables.forget_all()
    assert len(set(ports)) == SOURCE_PORT_ATTEMPTS
    for port in ports:
        request(lab, VIP, SERVER, "S", sport=port)
        request(lab, VIP, SERVER, "FA", sport=port)
        answer(lab, VIP, SERVER, last_flags, sport=port)
    return ports


def test_no_source_port_left(lab: Lab) -> None:
    """With every alternative taken as well, the packet is dropped and counted; a second later it tries others."""
    lab.datapath.set_clock(1000)
    ports = open_at_all_source_ports(lab, last_flags="A")
    assert_dropped(lab.from_client(SYN_TO_OTHER_VIP))
    assert lab.count("source_ports") == 1
    lab.datapath.set_clock(1001)
    assert lab.from_client(SYN_TO_OTHER_VIP).out == SERVER_IF
    assert source_port(lab) not in ports


def test_source_ports_of_closed_sessions_are_the_last_choice(lab: Lab) -> None:
    """The backend may remember them for a while; but without them a busy client would run out of ports."""
    ports = open_at_all_source_ports(lab, last_flags="FA")
    request(lab, OTHER_VIP, SERVER, "S", seen_port=ports[-1])
    answer(lab, OTHER_VIP, SERVER, "SA", seen_port=ports[-1])
    assert lab.count("source_ports") == 0


def test_one_client_port_for_many_services(lab: Lab) -> None:
    """Connections to three services with the same backends, each closed before the port is used again."""
    vips = (VIP, OTHER_VIP, THIRD_VIP)
    for vip in vips:
        lab.serve((SERVER, SERVER_PORT), vip=vip)
    for _ in range(5):
        for vip in vips:
            assert lab.from_client(TCP_EXCHANGE.request(CLIENT, vip, PLAIN)).out == SERVER_IF
            port = source_port(lab, vip=vip)
            request(lab, vip, SERVER, "FA", seen_port=port)
            answer(lab, vip, SERVER, "FA", seen_port=port)
    assert set(lab.tables.events()) == {"new_session"}


def test_concurrent_connections_of_one_client_port(lab: Lab) -> None:
    """All of them at once: the one that is kept for the client's end, and those that are not."""
    vips = [f"10.96.1.{number}" for number in range(1, 9)]
    for vip in vips:
        lab.serve((SERVER, SERVER_PORT), (OTHER_SERVER, SERVER_PORT), vip=vip)
        assert lab.from_client(TCP_EXCHANGE.request(CLIENT, vip, PLAIN)).out == SERVER_IF
    seen = set()
    for vip in vips:
        session = lab.tables.session(TCP_EXCHANGE.forward_flow(vip=vip))
        assert session
        _, server, port, _ = session.back
        seen.add((server, port))
        answer(lab, vip, server, "SA", seen_port=port)
        request(lab, vip, server, "A", seen_port=port)
    assert len(seen) == len(vips)


def test_source_ports_are_found_while_half_of_them_are_free(lab: Lab) -> None:
    """30,000 connections of one client through one VIP, then 2,000 through another one from the same ports."""
    lab.serve((SERVER, SERVER_PORT))
    lab.serve((SERVER, SERVER_PORT), vip=OTHER_VIP)
    syn, other_syn = (bytearray(TCP_EXCHANGE.request(CLIENT, vip, PLAIN)) for vip in (VIP, OTHER_VIP))
    synack = bytearray(TCP_EXCHANGE.answer(SERVER, CLIENT, PLAIN))
    ack, other_ack = (
        bytearray(TCP_EXCHANGE.request(CLIENT, vip, PLAIN, flags="A")) for vip in (VIP, OTHER_VIP)
    )
    for port in range(10_000, 40_000):
        syn[34:36] = synack[36:38] = ack[34:36] = port.to_bytes(2)
        for interface, packet in ((CLIENT_IF, syn), (SERVER_IF, synack), (CLIENT_IF, ack)):
            lab.datapath.run(interface, bytes(packet))
    assert lab.tables.sessions("clients") == 30_000
    seen = set()
    for port in range(10_000, 12_000):
        other_syn[34:36] = port.to_bytes(2)
        run = lab.datapath.run(CLIENT_IF, bytes(other_syn))
        assert lab.datapath.verdict(run) == SERVER_IF
        seen.add(int.from_bytes(run.frame[34:36]))
        synack[36:38], other_ack[34:36] = run.frame[34:36], port.to_bytes(2)
        for interface, packet in ((SERVER_IF, synack), (CLIENT_IF, other_ack)):
            lab.datapath.run(interface, bytes(packet))
    assert len(seen) == 2_000
    assert not seen & set(range(10_000, 40_000))
    assert min(seen) >= 1024
    assert lab.count("source_ports") == 0


@each_exchange
def test_a_port_below_1024_stays_below_1024(lab: Lab, exchange: Exchange) -> None:
    lab.serve((SERVER, SERVER_PORT))
    lab.serve((SERVER, SERVER_PORT), vip=OTHER_VIP)
    for sport in (1, 600, 1023):
        request(lab, VIP, SERVER, "S", sport=sport, exchange=exchange)
        lab.from_client(exchange.request(CLIENT, OTHER_VIP, PLAIN, sport))
        session = lab.tables.session(exchange.forward_flow(sport=sport, vip=OTHER_VIP))
        assert session
        assert session.source_port in set(range(1, 1024)) - {sport}


@each_exchange
def test_an_entry_beside_others_is_found_without_them(lab: Lab, exchange: Exchange) -> None:
    """The session that is kept for the client may be removed first."""
    lab.serve((SERVER, SERVER_PORT))
    lab.serve((OTHER_SERVER, SERVER_PORT), vip=OTHER_VIP)
    request(lab, VIP, SERVER, "S", exchange=exchange)
    request(lab, OTHER_VIP, OTHER_SERVER, "S", exchange=exchange)
    lab.tables.forget(exchange.forward_flow(), "clients", "openings")
    for _ in range(2):
        answer(lab, OTHER_VIP, OTHER_SERVER, exchange=exchange)
        request(lab, OTHER_VIP, OTHER_SERVER, exchange=exchange)
    assert lab.tables.events() == {"new_session": 2}
