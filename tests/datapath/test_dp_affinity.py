"""Session affinity: a client keeps its backend from session to session, whatever becomes of the others."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Sequence

import pytest

from k8slbrp import abi
from pcnhost.engine import bpf
from tests.datapath import maps
from tests.datapath.lab import (
    EXCHANGES,
    SERVER_IF,
    TCP_EXCHANGE,
    UDP_EXCHANGE,
    Exchange,
    Lab,
    assert_dropped,
)
from tests.datapath.packets import CLIENT, PLAIN, SERVER_PORT, UNREACHABLE, VIP, VIP_PORT, quote
from tests.datapath.tables import service_key

SERVERS = [(f"10.1.0.{number}", SERVER_PORT) for number in range(1, 13)]
TIMEOUT = 10_800
each_exchange = pytest.mark.parametrize("exchange", EXCHANGES, ids=str)
either = pytest.mark.parametrize("chunks", [False, True], ids=["inline", "chunks"])


def serve(
    lab: Lab, servers: Sequence[tuple[str, int]] = SERVERS, affinity: int = TIMEOUT, **more: object
) -> None:
    lab.serve(*servers, affinity=affinity, **more)


def opened(lab: Lab, sport: int, client: str = CLIENT, exchange: Exchange = TCP_EXCHANGE) -> str:
    """The backend of a new session."""
    outcome = lab.from_client(exchange.request(client, VIP, PLAIN, sport=sport))
    assert outcome.out == SERVER_IF
    return socket.inet_ntoa(outcome.frame[30:34])


def backend_of(lab: Lab, exchange: Exchange = TCP_EXCHANGE) -> str:
    """The one that all of a few new sessions get."""
    (found,) = {opened(lab, sport, exchange=exchange) for sport in range(20_000, 20_020)}
    return found


def without(*addresses: str) -> list[tuple[str, int]]:
    return [server for server in SERVERS if server[0] not in addresses]


@each_exchange
@either
def test_a_client_keeps_its_backend(lab: Lab, exchange: Exchange, chunks: bool) -> None:
    serve(lab, chunks=chunks)
    first = opened(lab, 10_000, exchange=exchange)
    assert backend_of(lab, exchange) == first
    others = {opened(lab, 10_000, f"10.0.4.{number}", exchange) for number in range(100)}
    assert len(others) == len(SERVERS), "other clients have backends of their own"


def test_without_affinity_nobody_is_remembered(lab: Lab) -> None:
    serve(lab, affinity=0)
    assert len({opened(lab, sport) for sport in range(10_000, 10_200)}) == len(SERVERS)
    assert not list(maps.keys(lab.datapath.maps["affinities"]))


@either
def test_other_backends_come_and_go(lab: Lab, chunks: bool) -> None:
    serve(lab, chunks=chunks)
    first = opened(lab, 10_000)
    others = without(first)
    for kept in (others[:3], others[3:], [], [("10.2.0.1", SERVER_PORT), *others]):
        serve(lab, [*kept, (first, SERVER_PORT)], chunks=chunks)
        assert backend_of(lab) == first
        lab.tables.openings.clear()


@either
@pytest.mark.parametrize("drained", [False, True], ids=["gone", "drained"])
def test_the_backend_gets_no_sessions_any_more(lab: Lab, chunks: bool, drained: bool) -> None:
    serve(lab, chunks=chunks)
    first = opened(lab, 10_000)
    serve(lab, without(first), drained=[(first, SERVER_PORT)] if drained else [], chunks=chunks)
    second = backend_of(lab)
    assert second != first
    serve(lab, chunks=chunks)
    lab.tables.openings.clear()
    assert backend_of(lab) == second, "the new choice is remembered"


def test_a_backend_with_another_port_is_another_one(lab: Lab) -> None:
    serve(lab)
    first = opened(lab, 10_000)
    serve(lab, [*without(first), (first, SERVER_PORT + 1)])
    outcome = lab.from_client(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN, sport=10_001))
    chosen = socket.inet_ntoa(outcome.frame[30:34]), int.from_bytes(outcome.frame[36:38])
    assert chosen != (first, SERVER_PORT)


def test_the_timeout_begins_anew_with_each_session(lab: Lab) -> None:
    serve(lab, affinity=1000)
    chosen = set()
    for sport in range(10_000, 10_020):
        chosen.add(opened(lab, sport))
        lab.tables.age(990)
    assert len(chosen) == 1


@pytest.mark.parametrize("idle", [999, 1002], ids=["in time", "too late"])
def test_the_timeout_ends_it(lab: Lab, idle: int) -> None:
    serve(lab, affinity=1000)
    moved = 0
    for number in range(100):
        before = opened(lab, 10_000, client := f"10.0.4.{number}")
        lab.tables.age(idle)
        moved += opened(lab, 10_001, client) != before
    assert moved == 0 if idle < 1000 else moved > 80


def test_packets_of_a_session_do_not_prolong_it(lab: Lab) -> None:
    serve(lab, affinity=100)
    chosen = Counter[str]()
    for number in range(50):
        client = f"10.0.4.{number}"
        before = opened(lab, 10_000, client, UDP_EXCHANGE)
        for _ in range(3):
            lab.tables.age(60)
            assert opened(lab, 10_000, client, UDP_EXCHANGE) == before
        chosen[str(opened(lab, 10_001, client, UDP_EXCHANGE) == before)] += 1
    assert chosen["False"] > 30


def test_services_are_told_apart(lab: Lab) -> None:
    """Address, port and protocol."""
    serve(lab)
    serve(lab, vip="10.96.7.7")
    different = set()
    for number in range(60):
        client = f"10.0.4.{number}"
        tcp, udp = opened(lab, 10_000, client), opened(lab, 10_000, client, UDP_EXCHANGE)
        outcome = lab.from_client(TCP_EXCHANGE.request(client, "10.96.7.7", PLAIN, sport=10_000))
        other = socket.inet_ntoa(outcome.frame[30:34])
        different |= {("udp", tcp != udp), ("vip", tcp != other)}
    assert {("udp", True), ("vip", True)} <= different


def test_clients_with_a_virtual_address(lab: Lab) -> None:
    """The client's true address counts: a change of the ranges moves nobody, and two clients stay two."""
    serve(lab)
    chosen = {}
    for number in range(50):
        lab.tables.set_rewrite(("10.0.0.0", "255.255.0.0", "172.20.0.0"))
        chosen[number] = opened(lab, 10_000, f"10.0.4.{number}")
    for ranges in (("10.0.0.0", "255.255.0.0", "172.21.0.0"), None):
        lab.tables.set_rewrite(ranges)
        for number, server in chosen.items():
            assert opened(lab, 10_001 + (ranges is None), f"10.0.4.{number}") == server
    assert len(set(chosen.values())) > 5


def test_a_backend_that_is_its_own_client(lab: Lab) -> None:
    members = [(CLIENT, SERVER_PORT), *SERVERS]
    serve(lab, members)
    first = opened(lab, 10_000)
    assert backend_of(lab) == first
    serve(lab, [(CLIENT, SERVER_PORT)])
    lab.from_client(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN, sport=10_100))
    serve(lab, members)
    assert backend_of_new(lab) == {CLIENT}


def backend_of_new(lab: Lab) -> set[str]:
    return {opened(lab, sport) for sport in range(30_000, 30_020)}


def test_an_error_about_an_unknown_session_finds_the_backend(lab: Lab) -> None:
    serve(lab)
    first = opened(lab, 10_000)
    for sport in range(5000, 5010):
        seen = quote(TCP_EXCHANGE.answer(VIP, CLIENT, PLAIN, sport=VIP_PORT, dport=sport))
        outcome = lab.from_client(UNREACHABLE.quoting(seen, CLIENT, VIP))
        assert socket.inet_ntoa(outcome.frame[30:34]) == first


def test_an_entry_of_another_client(lab: Lab) -> None:
    """The kernel may have used the memory of a client's entry again, for another client, when it is read."""
    serve(lab)
    fd = lab.datapath.maps["affinities"]
    opened(lab, 10_000, "10.0.4.1")
    foreign = bpf.lookup(fd, key_of("10.0.4.1"), abi.size("affinity"))
    assert foreign is not None
    backends = set()
    for sport in range(20_000, 20_040):
        bpf.update(fd, key_of("10.0.4.2"), foreign)
        backends.add(opened(lab, sport, "10.0.4.2"))
    assert len(backends) > 5


def key_of(client: str) -> bytes:
    """struct affinity_key of a client of the TCP service."""
    service = abi.struct("service_key").from_buffer_copy(service_key(VIP, VIP_PORT, socket.IPPROTO_TCP))
    return abi.pack("affinity_key", service=service, client=client)


def test_only_sessions_are_remembered(lab: Lab) -> None:
    """An RST of something forgotten opens none, nor does an ICMP error; what is refused does not."""
    serve(lab)
    lab.from_client(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN, flags="R"))
    seen = quote(TCP_EXCHANGE.answer(VIP, CLIENT, PLAIN, sport=VIP_PORT))
    assert lab.from_client(UNREACHABLE.quoting(seen, CLIENT, VIP)).out == SERVER_IF
    serve(lab, sources=["192.168.0.0/16"])
    assert_dropped(lab.from_client(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN)))
    assert not list(maps.keys(lab.datapath.maps["affinities"]))
