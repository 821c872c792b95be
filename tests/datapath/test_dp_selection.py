"""Which backend a new session gets: any of the service's slots, evenly, and always the same for the same flow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from socket import IPPROTO_TCP

import pytest
from scapy.layers.inet import IP
from scapy.layers.l2 import Ether

from pcnhost.engine.source import Hook
from tests.datapath.harness import Datapath
from tests.datapath.lab import EXCHANGES, SERVER_IF, TCP_EXCHANGE, Exchange, Lab
from tests.datapath.packets import CLIENT, PLAIN, SERVER_PORT, VIP, VIP_PORT
from tests.datapath.tables import Tables

SERVERS = [f"10.1.0.{i}" for i in range(1, 6)]


def chosen(lab: Lab, packet: bytes) -> str:
    outcome = lab.from_client(packet)
    assert outcome.out == SERVER_IF
    return str(Ether(outcome.frame)[IP].dst)


def choices(lab: Lab, exchange: Exchange, flows: int) -> list[str]:
    """The backend of each of `flows` clients that differ in their port only."""
    lab.serve(*((server, SERVER_PORT) for server in SERVERS))
    return [
        chosen(lab, exchange.request(CLIENT, VIP, PLAIN, sport=10000 + i, payload=b"")) for i in range(flows)
    ]


@pytest.mark.parametrize("exchange", EXCHANGES, ids=str)
def test_flows_spread_evenly(lab: Lab, exchange: Exchange) -> None:
    flows = 1000
    counts = Counter(choices(lab, exchange, flows))
    assert counts.keys() == set(SERVERS)
    for count in counts.values():
        assert abs(count - flows / len(SERVERS)) < 75  # six times the standard deviation of a fair choice


def test_clients_spread_evenly(lab: Lab) -> None:
    lab.serve(*((server, SERVER_PORT) for server in SERVERS))
    counts = Counter(
        chosen(lab, TCP_EXCHANGE.request(f"10.0.{i // 250}.{i % 250}", VIP, PLAIN, payload=b""))
        for i in range(1000)
    )
    for server in SERVERS:
        assert abs(counts[server] - 200) < 75


@pytest.mark.parametrize("exchange", EXCHANGES, ids=str)
def test_same_flow_same_backend(lab: Lab, exchange: Exchange) -> None:
    before = choices(lab, exchange, 50)
    lab.datapath.clear("sessions")
    assert choices(lab, exchange, 50) == before


@pytest.mark.parametrize("multi", [True], ids=["MULTI"])
@pytest.mark.parametrize("hook", [Hook.XDP], ids=["XDP"])
def test_same_choice_in_tc_and_xdp(lab: Lab, datapaths: Callable[[Hook], Datapath]) -> None:
    other = Lab(datapaths(Hook.TC), Tables(datapaths(Hook.TC)), lab.multi)
    other.set_up()
    assert choices(lab, TCP_EXCHANGE, 50) == choices(other, TCP_EXCHANGE, 50)


def test_every_slot_is_used(lab: Lab) -> None:
    """Also those of the second chunk, and of the last one, which is not full."""
    backends = [(f"10.1.1.{i}", SERVER_PORT) for i in range(131)]
    lab.tables.set_service(VIP, VIP_PORT, IPPROTO_TCP, backends)
    requests = (TCP_EXCHANGE.request(CLIENT, VIP, PLAIN, sport=1000 + i, payload=b"") for i in range(1500))
    assert {chosen(lab, packet) for packet in requests} == {address for address, _ in backends}
