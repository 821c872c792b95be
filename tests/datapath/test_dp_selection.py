"""Which backend a new session gets: all have their share, and the same flow gets the same one."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from socket import IPPROTO_TCP, IPPROTO_UDP

import pytest

from pcnhost.engine.source import Hook
from tests.datapath.harness import Datapath
from tests.datapath.lab import (
    EXCHANGES,
    PING_EXCHANGE,
    SERVER_IF,
    TCP_EXCHANGE,
    UDP_EXCHANGE,
    Exchange,
    Lab,
    assert_dropped,
)
from tests.datapath.packets import CLIENT, PLAIN, SERVER_PORT, VIP, VIP_PORT
from tests.datapath.tables import INLINE_BACKENDS, INLINE_SLOTS, Tables

SERVERS = [f"10.1.0.{i}" for i in range(1, 6)]
FLOWS, TOLERANCE = 1000, 75  # six times the standard deviation of a fair choice


def requests(exchange: Exchange, flows: int) -> Iterator[bytes]:
    """Requests that differ in their source port only. Their checksums are wrong, which does not matter here."""
    draft = bytearray(exchange.request(CLIENT, VIP, PLAIN, payload=b""))
    port_at = 38 if exchange is PING_EXCHANGE else 34
    for i in range(flows):
        draft[port_at : port_at + 2] = (10000 + i).to_bytes(2)
        yield bytes(draft)


def chosen(lab: Lab, packet: bytes) -> str:
    outcome = lab.from_client(packet)
    assert outcome.out == SERVER_IF
    return socket.inet_ntoa(outcome.frame[30:34])


def choices(
    lab: Lab, exchange: Exchange, flows: int, chunks: bool, servers: Sequence[str] = SERVERS
) -> list[str]:
    lab.serve(*((server, SERVER_PORT) for server in servers), chunks=chunks)
    return [chosen(lab, packet) for packet in requests(exchange, flows)]


either = pytest.mark.parametrize("chunks", [False, True], ids=["inline", "chunks"])


@either
@pytest.mark.parametrize("exchange", EXCHANGES, ids=str)
def test_flows_spread_evenly(lab: Lab, exchange: Exchange, chunks: bool) -> None:
    counts = Counter(choices(lab, exchange, FLOWS, chunks))
    assert counts.keys() == set(SERVERS)
    assert all(abs(count - FLOWS / len(SERVERS)) < TOLERANCE for count in counts.values())


@either
def test_clients_spread_evenly(lab: Lab, chunks: bool) -> None:
    lab.serve(*((server, SERVER_PORT) for server in SERVERS), chunks=chunks)
    draft = bytearray(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN, payload=b""))
    counts: Counter[str] = Counter()
    for i in range(FLOWS):
        draft[28:30] = i.to_bytes(2)
        counts[chosen(lab, bytes(draft))] += 1
    assert all(abs(counts[server] - FLOWS / len(SERVERS)) < TOLERANCE for server in SERVERS)


@either
@pytest.mark.parametrize("exchange", EXCHANGES, ids=str)
def test_same_flow_same_backend(lab: Lab, exchange: Exchange, chunks: bool) -> None:
    before = choices(lab, exchange, 50, chunks)
    lab.tables.openings.clear()
    assert choices(lab, exchange, 50, chunks) == before


@pytest.mark.parametrize("count", [INLINE_BACKENDS, INLINE_BACKENDS + 1, 131])
def test_every_backend_is_used(lab: Lab, count: int) -> None:
    """In the entry of the service, in a chunk, and in several."""
    backends = [(f"10.1.1.{i}", SERVER_PORT) for i in range(count)]
    lab.tables.set_service(VIP, VIP_PORT, IPPROTO_TCP, backends)
    packets = requests(TCP_EXCHANGE, 12 * count)
    assert {chosen(lab, packet) for packet in packets} == {ip for ip, _ in backends}


@pytest.mark.parametrize("slots", [INLINE_SLOTS, 2 * INLINE_SLOTS, 3 * INLINE_SLOTS])
def test_every_backend_of_the_entry_is_used(lab: Lab, slots: int) -> None:
    """By slots in the entry, and by more of them in chunks."""
    backends = [(f"10.1.1.{i}", SERVER_PORT) for i in range(INLINE_BACKENDS)]
    lab.tables.set_service(VIP, VIP_PORT, IPPROTO_TCP, backends, slots=slots)
    packets = requests(TCP_EXCHANGE, 12 * len(backends))
    assert {chosen(lab, packet) for packet in packets} == {ip for ip, _ in backends}


@either
def test_entry_of_another_service(lab: Lab, chunks: bool) -> None:
    """The kernel may have used the memory of a service's entry again, for another service, when it is read."""
    other = "10.0.9.9"
    lab.serve((SERVERS[0], SERVER_PORT), chunks=chunks)
    lab.serve((SERVERS[1], SERVER_PORT), vip=other, chunks=chunks)
    lab.tables.exchange_service(VIP, VIP_PORT, IPPROTO_TCP, other)
    assert_dropped(lab.from_client(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN)))
    assert lab.tables.events() == {"table_changed": 1}


@pytest.mark.parametrize("count", [1, 5], ids=["one backend", "slots"])
def test_backends_of_another_service_in_the_entry(lab: Lab, count: int) -> None:
    """The kernel may be just writing another service's entry there, and not in the order of its bytes."""
    other = "10.0.9.9"
    lab.serve(*((server, SERVER_PORT) for server in SERVERS[:count]))
    lab.serve(*((f"10.1.9.{n}", SERVER_PORT) for n in range(count)), vip=other)
    lab.tables.exchange_service(VIP, VIP_PORT, IPPROTO_TCP, other, head=False)
    assert_dropped(lab.from_client(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN)))
    assert lab.tables.events() == {"table_changed": 1}


@either
def test_a_live_session_asks_again_when_its_backend_is_being_written(lab: Lab, chunks: bool) -> None:
    """UDP looks for the backend after a change. What it finds is of another version, so it says nothing."""
    before = choices(lab, UDP_EXCHANGE, 20, chunks)
    lab.tables.mix_versions(VIP, VIP_PORT, IPPROTO_UDP)
    assert [chosen(lab, packet) for packet in requests(UDP_EXCHANGE, 20)] == before
    assert_dropped(lab.from_client(UDP_EXCHANGE.request("10.0.0.77", VIP, PLAIN)))


@either
@pytest.mark.parametrize("drained", [False, True], ids=["usable", "drained"])
def test_a_backend_that_stays_keeps_its_sessions(lab: Lab, chunks: bool, drained: bool) -> None:
    """UDP looks for the backend after a change; there are so many that some are in their second set."""
    members = [(f"10.1.1.{i}", SERVER_PORT) for i in range(100 if chunks else INLINE_BACKENDS)]
    lab.tables.set_service(VIP, VIP_PORT, IPPROTO_UDP, members, chunks=chunks)
    before = [chosen(lab, packet) for packet in requests(UDP_EXCHANGE, 200)]
    usable, rest = (members[:1], members[1:]) if drained else (members, ())
    lab.tables.set_service(VIP, VIP_PORT, IPPROTO_UDP, usable, rest, chunks=chunks)
    assert [chosen(lab, packet) for packet in requests(UDP_EXCHANGE, 200)] == before


@either
@pytest.mark.parametrize("multi", [True], ids=["MULTI"])
@pytest.mark.parametrize("hook", [Hook.XDP], ids=["XDP"])
def test_same_choice_in_tc_and_xdp(lab: Lab, datapaths: Callable[[Hook], Datapath], chunks: bool) -> None:
    other = Lab(datapaths(Hook.TC), Tables(datapaths(Hook.TC)), lab.multi)
    other.set_up()
    assert choices(lab, TCP_EXCHANGE, 50, chunks) == choices(other, TCP_EXCHANGE, 50, chunks)
