"""Floods from both CPUs, of SYNs and of datagrams: sessions that are answered stay, used or idle.

FLOOD_PACKETS is the number of packets of each flood; `make race` asks for 10,000,000.
"""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Callable

import pytest

from bench import kernel
from bench.host import Host
from k8slbrp import abi
from pcnhost.engine import bpf
from tests.datapath.headers import ACK, SYN
from tests.race.racers import Step, Track, serve

pytestmark = [pytest.mark.root, pytest.mark.serial]

FLOOD = int(os.environ.get("FLOOD_PACKETS", "300000"))
SERVERS_IF, CLIENT_IF, OTHER_IF = 0, 1, 2
CLIENT, VIP = "10.10.1.1", "10.96.0.1"
SERVER, LATER_SERVER = ("10.20.0.1", 8080), ("10.20.0.2", 8080)
SESSIONS = 1000
MAX_SESSIONS = 16384
TCP, UDP = socket.IPPROTO_TCP, socket.IPPROTO_UDP
PATHS = [f"k8slbrp/race/service/{VIP}/80/{name}" for name in ("TCP", "UDP")]


def request(sport: int, proto: int, flags: int = ACK) -> Step:
    return Step(CLIENT, VIP, sport, 80, CLIENT_IF, to=SERVER, flags=flags, proto=proto)


def answer(sport: int, proto: int) -> Step:
    to, source = (CLIENT, sport), (VIP, 80)
    return Step(SERVER[0], CLIENT, SERVER[1], sport, SERVERS_IF, to, source, SYN | ACK, proto=proto)


def flood(proto: int) -> Step:
    """Each packet of another client, and the service chooses the later server."""
    clients = 1 << 24
    return Step("32.0.0.0", VIP, 999, 80, OTHER_IF, to=LATER_SERVER, flags=SYN, clients=clients, proto=proto)


IDLE_S = 600
TIMEOUTS = {"udp-answered": 3600, "udp-stream": 3600}  # of UDP too, idle sessions are to be there


def let_be_idle(host: Host, seconds: int) -> None:
    """Sessions that have been answered were last used so long ago."""
    clients = kernel.open_map(host.map_path("race", "clients"))
    for key in list(bpf.keys(clients)):
        value = bpf.lookup(clients, key, ctypes.sizeof(abi.struct("session")))
        assert value
        session = abi.struct("session").from_buffer_copy(value)
        session.last_seen -= seconds
        bpf.update(clients, key, bytes(session))
    os.close(clients)


@pytest.mark.parametrize("proto", [TCP, UDP], ids=["TCP", "UDP"])
def test_a_flood_evicts_no_session_that_is_answered(
    host: Host, on_track: Callable[[int], Track], proto: int
) -> None:
    track = on_track(MAX_SESSIONS)
    host.api.patch("k8slbrp/race/timeouts", TIMEOUTS)
    for name in ("TCP", "UDP"):
        serve(host, VIP, SERVER, name)
    ports = range(2000, 2000 + SESSIONS)
    opening = [
        step
        for port in ports
        for step in (request(port, proto, SYN), answer(port, proto), request(port, proto))
    ]
    (opened,) = track.race([opening], lambda sent: True)
    assert (opened.right, opened.wrong) == (opened.sent, 0)
    for path in PATHS:  # the server drains, so the sessions that are there keep it
        host.api.post(f"{path}/backend/{LATER_SERVER[0]}", {"port": LATER_SERVER[1]})
        host.api.patch(f"{path}/backend/{SERVER[0]}/weight", 0)
    let_be_idle(host, IDLE_S)
    used = [request(port, proto) for port in ports[: SESSIONS // 2]]
    for protos in ((TCP, UDP), (UDP, TCP)):  # each of them as many packets, whichever CPU is faster
        for tally in track.race([[flood(one)] for one in protos], lambda sent: sent >= FLOOD):
            assert tally.wrong == 0, tally.example
            assert tally.right > tally.sent // 2  # it gets through, so it needs room
    (still,) = track.race([used], lambda sent: True)
    assert (still.right, still.wrong) == (still.sent, 0), still.example
    for tally in track.race([[flood(proto)], used], lambda sent: sent >= FLOOD):
        assert tally.wrong == 0, tally.example
        assert tally.right > tally.sent // 2
    idle = [request(port, proto) for port in ports[SESSIONS // 2 :]]
    (found,) = track.race([idle], lambda sent: True)
    assert (found.right, found.wrong) == (found.sent, 0), found.example
