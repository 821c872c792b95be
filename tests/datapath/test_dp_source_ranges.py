"""Source ranges: from where a service's new sessions may come."""

from __future__ import annotations

import pytest

from tests.datapath.lab import EXCHANGES, SERVER_IF, TCP_EXCHANGE, UDP_EXCHANGE, Exchange, Lab, assert_dropped
from tests.datapath.packets import CLIENT, LONG, PLAIN, SERVER, SERVER_PORT, VIP, VIP_PORT, fragments

each_exchange = pytest.mark.parametrize("exchange", EXCHANGES, ids=str)
either = pytest.mark.parametrize("chunks", [False, True], ids=["inline", "chunks"])


def serve(lab: Lab, *sources: str, vip: str = VIP, chunks: bool = False) -> None:
    lab.serve((SERVER, SERVER_PORT), vip=vip, sources=sources, chunks=chunks)


def passes(
    lab: Lab, client: str = CLIENT, exchange: Exchange = TCP_EXCHANGE, vip: str = VIP, sport: int = 10_000
) -> bool:
    outcome = lab.from_client(exchange.request(client, vip, PLAIN, sport=sport))
    if outcome.out == SERVER_IF:
        return True
    assert_dropped(outcome)
    return False


@each_exchange
@either
def test_sources_outside_are_dropped_and_counted(lab: Lab, exchange: Exchange, chunks: bool) -> None:
    serve(lab, "192.168.0.0/16", chunks=chunks)
    assert not passes(lab, exchange=exchange)
    assert lab.tables.events() == {"source_range": 1}
    assert lab.tables.sessions() == 0
    serve(lab, "192.168.0.0/16", f"{CLIENT}/32", chunks=chunks)
    assert passes(lab, exchange=exchange)
    assert lab.tables.events() == {"source_range": 1, "new_session": 1}


@pytest.mark.parametrize(
    ("ranges", "inside", "outside"),
    [
        (["10.0.0.0/8"], ["10.0.0.0", "10.255.255.255"], ["9.255.255.255", "11.0.0.0"]),
        (["10.0.0.16/28"], ["10.0.0.16", "10.0.0.31"], ["10.0.0.15", "10.0.0.32"]),
        (["10.0.0.5/32"], ["10.0.0.5"], ["10.0.0.4", "10.0.0.6"]),
        (["0.0.0.0/0"], ["10.0.0.5", "200.1.1.1"], []),
        (["10.0.0.0/9", "10.128.0.0/9"], ["10.0.0.1", "10.200.0.1"], ["12.0.0.1"]),
        (["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32"], ["10.1.2.3", "10.1.2.4", "10.9.9.9"], ["11.1.2.3"]),
    ],
    ids=["8", "28", "32", "0", "two halves", "nested"],
)
def test_prefixes(lab: Lab, ranges: list[str], inside: list[str], outside: list[str]) -> None:
    serve(lab, *ranges)
    assert {client: passes(lab, client) for client in (*inside, *outside)} == {
        **dict.fromkeys(inside, True),
        **dict.fromkeys(outside, False),
    }


def test_ranges_are_those_of_one_service(lab: Lab) -> None:
    """Another address, and another protocol of the same one."""
    serve(lab, "192.168.0.0/16")
    serve(lab, "10.0.0.0/8", vip="10.96.7.7")
    lab.tables.set_service(VIP, VIP_PORT, UDP_EXCHANGE.proto, [(SERVER, SERVER_PORT)])
    assert not passes(lab)
    assert passes(lab, vip="10.96.7.7")
    assert passes(lab, exchange=UDP_EXCHANGE)


@each_exchange
def test_sessions_that_are_there_go_on(lab: Lab, exchange: Exchange) -> None:
    serve(lab)
    assert passes(lab, exchange=exchange)
    serve(lab, "192.168.0.0/16")
    assert passes(lab, exchange=exchange)
    assert not passes(lab, exchange=exchange, sport=10_001)
    serve(lab)
    assert passes(lab, exchange=exchange, sport=10_001)


def test_older_sets_allow_nothing(lab: Lab) -> None:
    """What the control plane has not removed yet, or has only prepared, is of no effect."""
    serve(lab, "10.0.0.0/8")
    for _ in range(300):
        serve(lab, "192.168.0.0/16")
    assert not passes(lab)


def test_a_refused_source_comes_before_missing_backends(lab: Lab) -> None:
    lab.serve(sources=["192.168.0.0/16"])
    assert not passes(lab)
    assert lab.tables.events() == {"source_range": 1}


def test_fragments_of_a_refused_source(lab: Lab) -> None:
    serve(lab, "192.168.0.0/16")
    for piece in fragments(UDP_EXCHANGE.request(CLIENT, VIP, PLAIN, payload=LONG)):
        assert_dropped(lab.from_client(piece))
    events = lab.tables.events()
    assert events.pop("source_range") == 1
    assert list(events) == ["fragment"]


def test_connections_to_the_backend_itself_are_not_concerned(lab: Lab) -> None:
    serve(lab, "192.168.0.0/16")
    outcome = lab.from_client(TCP_EXCHANGE.request(CLIENT, SERVER, PLAIN, dport=SERVER_PORT))
    assert outcome.out == SERVER_IF


def test_a_virtual_client_is_asked_for_its_own_address(lab: Lab) -> None:
    lab.tables.set_rewrite(("10.0.0.0", "255.255.255.0", "10.9.8.0"))
    serve(lab, "10.9.8.0/24")
    assert not passes(lab)
    serve(lab, "10.0.0.0/24")
    assert passes(lab)
