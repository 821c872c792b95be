"""Backends that drain or stand by: who gets new sessions, and that no session moves for it."""

from __future__ import annotations

import socket

import pytest

from testbed.api import ApiError
from tests.datapath.headers import ACK, RST, SYN

from .live import Flow, Live

pytestmark = pytest.mark.root

VIP = "10.96.6.1"
PATHS = {
    protocol: f"k8slbrp/lb1/service/{VIP}/80/{name}"
    for protocol, name in ((socket.IPPROTO_TCP, "TCP"), (socket.IPPROTO_UDP, "UDP"))
}
SERVERS = [f"10.20.0.{n}" for n in range(1, 21)]
protocols = pytest.mark.parametrize("protocol", PATHS, ids=["TCP", "UDP"])


def flow(number: int, protocol: int) -> Flow:
    return Flow(
        socket.inet_aton(f"10.10.1.{number % 250 + 1}"), socket.inet_aton(VIP), 2000 + number, 80, protocol
    )


def serve(live: Live, protocol: int, states: dict[str, str]) -> str:
    """A service whose backends have these states."""
    path = PATHS[protocol]
    live.api.post(path, {"backend": [{"ip": ip, "port": 8080, "state": s} for ip, s in states.items()]})
    return path


def opened(live: Live, protocol: int, first: int, count: int = 100) -> dict[int, str]:
    """The backends that flows without session get."""
    chosen = {}
    for number in range(first, first + count):
        chosen[number], _ = live.send(flow(number, protocol), SYN)
        live.send(flow(number, protocol), ACK)
    return chosen


def still(live: Live, protocol: int, chosen: dict[int, str]) -> bool:
    return all(live.send(flow(number, protocol), ACK)[0] == ip for number, ip in chosen.items())


@protocols
@pytest.mark.parametrize("count", [3, 20], ids=["inline", "chunks"])
def test_a_draining_backend_keeps_its_sessions_and_gets_no_new_one(
    live: Live, protocol: int, count: int
) -> None:
    servers = SERVERS[:count]
    path = serve(live, protocol, dict.fromkeys(servers, "ACTIVE"))
    before = opened(live, protocol, 0)
    live.api.patch(f"{path}/backend/{servers[0]}/state", "DRAINING")
    assert servers[0] not in opened(live, protocol, 1000).values()
    assert servers[0] in before.values()
    live.api.delete(f"{path}/backend/{servers[1]}")  # makes UDP look who is left
    kept = {number: ip for number, ip in before.items() if ip != servers[1]}
    assert still(live, protocol, kept)
    live.api.patch(f"{path}/backend/{servers[0]}/state", "ACTIVE")
    assert servers[0] in opened(live, protocol, 2000).values()


@protocols
def test_standby_serves_while_no_active_one_is_left(live: Live, protocol: int) -> None:
    first, second, spare, other = SERVERS[:4]
    path = serve(live, protocol, {first: "ACTIVE", second: "ACTIVE", spare: "STANDBY", other: "STANDBY"})
    assert set(opened(live, protocol, 0).values()) == {first, second}
    live.api.patch(f"{path}/backend/{first}/weight", 0)
    assert set(opened(live, protocol, 1000).values()) == {second}
    live.api.patch(f"{path}/backend/{second}/state", "DRAINING")
    on_standby = opened(live, protocol, 2000)
    assert set(on_standby.values()) == {spare, other}
    live.api.patch(f"{path}/backend/{first}/weight", 1)
    assert set(opened(live, protocol, 3000).values()) == {first}
    live.api.delete(f"{path}/backend/{second}")
    assert still(live, protocol, on_standby)


def test_weight_of_standby_and_of_none(live: Live) -> None:
    """A weight of 0 takes no session on standby either; whoever is left refuses."""
    path = serve(live, socket.IPPROTO_TCP, {SERVERS[0]: "STANDBY", SERVERS[1]: "STANDBY"})
    live.api.patch(f"{path}/backend/{SERVERS[0]}/weight", 0)
    assert set(opened(live, socket.IPPROTO_TCP, 0).values()) == {SERVERS[1]}


def test_states_are_read_as_they_are_set(live: Live) -> None:
    """Whole answers leave out what is the default; the leaf itself always has a value."""
    path = serve(live, socket.IPPROTO_TCP, {SERVERS[0]: "active", SERVERS[1]: "Draining"})
    backend = {"name": "", "ip": SERVERS[0], "port": 8080, "weight": 1}
    other = {**backend, "ip": SERVERS[1], "state": "draining"}
    assert live.api.get(path)["backend"] == [backend, other]
    assert live.api.get(f"{path}/backend/{SERVERS[0]}/state") == "active"
    assert live.api.get(f"{path}/backend/{SERVERS[1]}/state") == "draining"
    live.api.patch(f"{path}/backend/{SERVERS[1]}", {"weight": 2})
    assert live.api.get(f"{path}/backend/{SERVERS[1]}/state") == "draining"
    live.api.put(f"{path}/backend/{SERVERS[1]}", {"port": 8080})
    assert live.api.get(f"{path}/backend/{SERVERS[1]}/state") == "active"
    with pytest.raises(ApiError, match="ACTIVE, DRAINING, STANDBY"):
        live.api.patch(f"{path}/backend/{SERVERS[0]}/state", "GONE")


def test_a_reset_connection_leaves_a_draining_backend(live: Live) -> None:
    path = serve(live, socket.IPPROTO_TCP, dict.fromkeys(SERVERS[:2], "ACTIVE"))
    before = opened(live, socket.IPPROTO_TCP, 0)
    live.api.patch(f"{path}/backend/{SERVERS[0]}/state", "DRAINING")
    for number in before:
        live.send(flow(number, socket.IPPROTO_TCP), RST)
        assert live.send(flow(number, socket.IPPROTO_TCP), SYN)[0] == SERVERS[1]
