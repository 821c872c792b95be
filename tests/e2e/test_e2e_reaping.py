"""Who makes room, and who does not yet, in the tables of a cube that the tests fill themselves."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from k8slbrp import abi
from k8slbrp.maps import entries, pins
from pcnhost.engine import bpf
from tests.engine.support import eventually

from .live import Flow, Live

MAX_SESSIONS = 1024  # the least, so `flows` has 512 entries
cube = pytest.mark.parametrize("live", [{"max-sessions": MAX_SESSIONS}], ids=[""], indirect=True)
pytestmark = [pytest.mark.root, cube]

CUBE = "k8slbrp/lb1"
CLIENT, VIP, SERVER = "10.10.1.1", "10.96.5.1", "10.20.0.1"
TCP, UDP, ICMP = socket.IPPROTO_TCP, socket.IPPROTO_UDP, socket.IPPROTO_ICMP
IDLE, LONG_IDLE = 4, 3600  # seconds; nobody goes who was seen in this second or the last
PATIENCE_S = 20


def number(ip: str) -> int:
    return int.from_bytes(socket.inet_aton(ip), "big")


def seen_last(live: Live) -> int:
    """The tick of a session that has been made now."""
    live.api.post(f"{CUBE}/service/{VIP}/80/TCP", {"backend": [{"ip": SERVER, "port": 8080}]})
    live.connect(Flow(socket.inet_aton(CLIENT), socket.inet_aton(VIP), 1000, 80))
    ((_, value),) = entries(pins(live.lab.state_dir, "lb1") / "clients")
    return int(abi.struct("session").from_buffer_copy(value).last_seen)


def session(port: int, state: str, last_seen: int, place: int = 0) -> bytes:
    flow = abi.struct("flow")
    return bytes(
        abi.struct("session")(
            front=flow(number(CLIENT), number(VIP), port, 80),
            back=flow(number(CLIENT), number(SERVER), port, 8080),
            check=port,
            last_seen=last_seen,
            state=abi.CONSTANTS[f"SESSION_{state}"],
            place_number=place,
        )
    )


@contextmanager
def opened(live: Live, name: str) -> Iterator[int]:
    fd = bpf.open_pin(pins(live.lab.state_dir, "lb1") / name)
    assert fd is not None
    try:
        yield fd
    finally:
        os.close(fd)


def client_key(port: int, proto: int) -> bytes:
    return abi.pack("client_key", ip=CLIENT, port=port, proto=proto)


def flow_key(port: int, proto: int) -> bytes:
    side = abi.CONSTANTS["SIDE_FRONTEND"]
    return bytes(abi.struct("flow_key")(number(CLIENT), number(VIP), port, 80, proto, side))


def left(fd: int, keys: list[bytes]) -> int:
    return sum(bpf.lookup(fd, key, abi.size("session")) is not None for key in keys)


def fill(fd: int, keys: list[bytes], ports: range, state: str, last_seen: int, place: int = 0) -> None:
    """One session for each of the client's ports."""
    for port, key in zip(ports, keys, strict=True):
        bpf.update(fd, key, session(port, state, last_seen, place))


@pytest.mark.parametrize("proto", [UDP, ICMP], ids=["UDP", "ICMP"])
def test_connections_outlast_what_forged_packets_make(live: Live, proto: int) -> None:
    """Servers answer datagrams with a forged source. Their sessions are established, and not idle for long."""
    now = seen_last(live)
    ports, other_ports = range(2000, 2200), range(3000, 3800)
    connections = [client_key(port, TCP) for port in ports]
    datagrams = [client_key(port, proto) for port in other_ports]
    with opened(live, "clients") as clients:
        fill(clients, connections, ports, "ESTABLISHED", now - LONG_IDLE)
        fill(clients, datagrams, other_ports, "ESTABLISHED", now - IDLE)
        most = MAX_SESSIONS * 7 // 8
        assert eventually(lambda: left(clients, [*connections, *datagrams]) <= most, PATIENCE_S)
        assert left(clients, connections) == len(connections)


def test_connections_outlast_segments_that_nobody_answers(live: Live) -> None:
    """In `flows`, a session that begins in the middle is there at once, and not confirmed."""
    now = seen_last(live)
    ports, other_ports = range(2000, 2350), range(3000, 3120)
    connections = [flow_key(port, TCP) for port in ports]
    forged = [flow_key(port, TCP) for port in other_ports]
    with opened(live, "flows") as flows:
        fill(flows, connections, ports, "ESTABLISHED", now - LONG_IDLE)
        fill(flows, forged, other_ports, "ESTABLISHED", now - IDLE, place=1)
        most = MAX_SESSIONS // 2 * 7 // 8
        assert eventually(lambda: left(flows, [*connections, *forged]) <= most, PATIENCE_S)
        assert left(flows, connections) == len(connections)


def test_sessions_that_were_ended_with_a_reset_stay_for_their_timeout(live: Live) -> None:
    """240 s. Until then their ends are told; they are in nobody's list, and count for nobody."""
    now = seen_last(live)
    ports, other_ports = range(2000, 2010), range(3000, 3010)
    recent = [client_key(port, TCP) for port in ports]
    past = [client_key(port, TCP) for port in other_ports]
    with opened(live, "clients") as clients:
        fill(clients, recent, ports, "ENDED", now - 200)
        fill(clients, past, other_ports, "ENDED", now - 250)
        found = live.api.post(f"{CUBE}/sessions/find", {})["session"]
        assert [one["client-port"] for one in found] == [1000]
        assert live.api.get(f"{CUBE}/service/{VIP}/80/TCP/stats/active-sessions") == 1
        assert eventually(lambda: left(clients, past) == 0, PATIENCE_S)
        assert left(clients, recent) == len(recent)
