"""Which backend a new session gets: all have their share, and the same flow gets the same one."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from socket import IPPROTO_TCP

import pytest

from pcnhost.engine.source import Hook
from tests.datapath import maps
from tests.datapath.harness import Datapath
from tests.datapath.lab import EXCHANGES, PING_EXCHANGE, SERVER_IF, TCP_EXCHANGE, Exchange, Lab
from tests.datapath.packets import CLIENT, PLAIN, SERVER_PORT, VIP, VIP_PORT
from tests.datapath.tables import MAX_CANDIDATES, Tables

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
    lab: Lab, exchange: Exchange, flows: int, slots: bool, servers: Sequence[str] = SERVERS
) -> list[str]:
    lab.serve(*((server, SERVER_PORT) for server in servers), slots=slots)
    return [chosen(lab, packet) for packet in requests(exchange, flows)]


either = pytest.mark.parametrize("slots", [False, True], ids=["candidates", "slots"])


@either
@pytest.mark.parametrize("exchange", EXCHANGES, ids=str)
def test_flows_spread_evenly(lab: Lab, exchange: Exchange, slots: bool) -> None:
    counts = Counter(choices(lab, exchange, FLOWS, slots))
    assert counts.keys() == set(SERVERS)
    assert all(abs(count - FLOWS / len(SERVERS)) < TOLERANCE for count in counts.values())


@either
def test_clients_spread_evenly(lab: Lab, slots: bool) -> None:
    lab.serve(*((server, SERVER_PORT) for server in SERVERS), slots=slots)
    draft = bytearray(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN, payload=b""))
    counts: Counter[str] = Counter()
    for i in range(FLOWS):
        draft[28:30] = i.to_bytes(2)
        counts[chosen(lab, bytes(draft))] += 1
    assert all(abs(counts[server] - FLOWS / len(SERVERS)) < TOLERANCE for server in SERVERS)


@either
@pytest.mark.parametrize("exchange", EXCHANGES, ids=str)
def test_same_flow_same_backend(lab: Lab, exchange: Exchange, slots: bool) -> None:
    before = choices(lab, exchange, 50, slots)
    maps.clear(lab.datapath.maps["sessions"])
    assert choices(lab, exchange, 50, slots) == before


def test_only_the_flows_of_a_candidate_that_goes_choose_anew(lab: Lab) -> None:
    before = choices(lab, TCP_EXCHANGE, 300, slots=False)
    maps.clear(lab.datapath.maps["sessions"])
    after = choices(lab, TCP_EXCHANGE, 300, slots=False, servers=[*SERVERS[3:], *SERVERS[:2]])
    gone = SERVERS[2]
    assert gone in before
    assert [old if old != gone else new for old, new in zip(before, after, strict=True)] == after
    assert {new for old, new in zip(before, after, strict=True) if old == gone} == {*SERVERS} - {gone}


def test_every_candidate_is_used(lab: Lab) -> None:
    servers = [f"10.1.1.{i}" for i in range(MAX_CANDIDATES)]
    assert set(choices(lab, TCP_EXCHANGE, 400, slots=False, servers=servers)) == set(servers)


@either
@pytest.mark.parametrize("multi", [True], ids=["MULTI"])
@pytest.mark.parametrize("hook", [Hook.XDP], ids=["XDP"])
def test_same_choice_in_tc_and_xdp(lab: Lab, datapaths: Callable[[Hook], Datapath], slots: bool) -> None:
    other = Lab(datapaths(Hook.TC), Tables(datapaths(Hook.TC)), lab.multi)
    other.set_up()
    assert choices(lab, TCP_EXCHANGE, 50, slots) == choices(other, TCP_EXCHANGE, 50, slots)


def test_every_slot_is_used(lab: Lab) -> None:
    """Also those of the second chunk, and of the last one, which is not full."""
    backends = [(f"10.1.1.{i}", SERVER_PORT) for i in range(131)]
    lab.tables.set_service(VIP, VIP_PORT, IPPROTO_TCP, backends)
    assert {chosen(lab, packet) for packet in requests(TCP_EXCHANGE, 1500)} == {ip for ip, _ in backends}
