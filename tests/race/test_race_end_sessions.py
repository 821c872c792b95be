"""Sessions are ended by how long they have been idle while their clients go on: none is missing afterwards."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections.abc import Callable
from itertools import islice

import pytest

from bench import kernel
from bench.host import Host
from k8slbrp import abi
from pcnhost.engine import bpf
from testbed.openings import Openings
from tests.race.racers import Step, Track, serve
from tests.race.test_race_flood import let_be_idle

pytestmark = [pytest.mark.root, pytest.mark.serial]

SERVERS_IF, CLIENT_IF = 0, 1
CLIENT, VIP, SERVER = "10.10.1.1", "10.96.0.1", ("10.20.0.1", 8080)
PORTS = range(2000, 4000)  # a script has at most 2,048 steps
ROUNDS = int(os.environ.get("RACE_ROUNDS", "5"))
IDLE_S = 600
TOGETHER = 400  # packets of one system call
SAMPLE = 50
PATIENCE_S = 20
# The kernel cannot compare and remove at once: so a packet between both loses its session, seldom.
MOST_MISSING = len(PORTS) // 200


def request(sport: int) -> Step:
    return Step(CLIENT, VIP, sport, 80, CLIENT_IF, SERVER)


def answer(sport: int) -> Step:
    return Step(SERVER[0], CLIENT, SERVER[1], sport, SERVERS_IF, (CLIENT, sport), (VIP, 80))


def client_ports(host: Host) -> set[int]:
    """Of all sessions that there are."""
    fd = kernel.open_map(host.map_path("race", "clients"))
    keys = [*bpf.keys(fd), *Openings.at(host.map_path("race", "openings")).entries()]
    os.close(fd)
    return {abi.struct("client_key").from_buffer_copy(key).port for key in keys}


class Removals:
    """Whether sessions are being removed from `clients`: those that are left have been read, and are about to be."""

    def __init__(self, host: Host) -> None:
        self._clients = kernel.open_map(host.map_path("race", "clients"))
        self._some = list(islice(bpf.keys(self._clients), SAMPLE))

    def wait(self) -> None:
        end = time.monotonic() + PATIENCE_S
        size = ctypes.sizeof(abi.struct("session"))
        while all(bpf.lookup(self._clients, key, size) for key in self._some):
            assert time.monotonic() < end, "no session is ended"
        os.close(self._clients)


def end_while_used(host: Host, track: Track, packets: list[Step]) -> int:
    """Ends the idle sessions while each of them gets a packet; returns how many were ended."""
    removals, begins = Removals(host), threading.Event()
    ended = 0

    def end(over: Callable[[], bool]) -> None:
        nonlocal ended
        begins.wait()
        ended = host.api.post("k8slbrp/race/sessions/end", {"idle-min": IDLE_S // 2})["ended"]
        while not over():
            time.sleep(0.001)

    def enough(sent: int) -> bool:
        if sent == TOGETHER:
            begins.set()
            removals.wait()
        return sent == len(PORTS)

    track.race([packets], enough, beside=end, in_one_run=TOGETHER)
    return ended


def test_a_session_that_goes_on_is_not_ended_as_idle(host: Host, on_track: Callable[[int], Track]) -> None:
    """Each session gets one packet. Whether it was ended before that, and so begins anew, or not: it is there."""
    track = on_track(1 << 20)  # `openings` has room for all of them at once
    serve(host, VIP, SERVER)
    scripts = [[make(port) for port in PORTS] for make in (request, answer, request)]
    ended = missing = 0
    for _ in range(ROUNDS):
        for script in scripts:
            (sent,) = track.race([script], lambda sent: True, in_one_run=len(PORTS))
            assert (sent.right, sent.wrong) == (sent.sent, 0), sent.example
        let_be_idle(host, IDLE_S)
        ended += end_while_used(host, track, scripts[0])
        missing += len(set(PORTS) - client_ports(host))
    assert 0 < ended < ROUNDS * len(PORTS), f"{ended}: no packet has come meanwhile"
    assert missing <= ROUNDS * MOST_MISSING, f"{missing} sessions are missing, {ended} were ended"
