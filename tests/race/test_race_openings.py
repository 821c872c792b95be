"""Two CPUs write into the same set of `openings` at once: one of them does, and the other one's session stands beside
others. Nobody's session is lost, or mixed with another one."""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Callable

import pytest

from bench.host import Host
from pcnhost.engine import bpf
from testbed.openings import Openings
from tests.race.racers import Step, Track, serve
from tests.race.test_race_ends import opened

pytestmark = [pytest.mark.root, pytest.mark.serial]

SERVERS_IF, CLIENT_IF = 0, 1
VIP, SERVER = "10.96.0.1", ("10.20.0.1", 8080)
OTHER_VIP, OTHER_SERVER = "10.96.0.2", ("10.20.0.2", 8080)
UDP = socket.IPPROTO_UDP
FEW, MANY = 4096, 1 << 20  # sessions of a cube
PORTS = range(2000, 4000)  # each script has at most 2,048 steps
ROUNDS = min(int(os.environ.get("RACE_ROUNDS", "100")), MANY // len(PORTS) // 8)


def request(client: str, sport: int, vip: str = VIP, server: tuple[str, int] = SERVER) -> Step:
    return Step(client, vip, sport, 80, CLIENT_IF, server, proto=UDP)


def answer(client: str, sport: int, vip: str = VIP, server: tuple[str, int] = SERVER) -> Step:
    return Step(server[0], client, server[1], sport, SERVERS_IF, (client, sport), (vip, 80), proto=UDP)


def clients_of_one_set(openings: Openings, number: int) -> list[tuple[str, int]]:
    """So many clients whose sessions stand in the first set, all with other tags there."""
    found: dict[int, tuple[str, int]] = {}
    for host in range(1, 256):
        for port in range(1024, 65536):
            home, tag = openings.home_of(f"10.11.0.{host}", port, UDP)
            if home == 0:
                found.setdefault(tag, (f"10.11.0.{host}", port))
            if len(found) == number:
                return list(found.values())
    raise ValueError(f"there are only {len(found)}")


def test_new_sessions_in_one_set(host: Host, on_track: Callable[[int], Track]) -> None:
    """Each is answered at once. With nothing that keeps the CPUs apart, one or two of 2,000 answers found none."""
    track = on_track(FEW)
    serve(host, VIP, SERVER, "UDP")
    openings = Openings.at(host.map_path("race", "openings"))
    clients = clients_of_one_set(openings, FEW // 2)
    steps = [step for client in clients for step in (request(*client), answer(*client))]
    half = len(steps) // 2
    met = 0
    for _ in range(ROUNDS):
        for tally in track.race([steps[:half], steps[half:]], lambda sent: True, in_one_run=half):
            assert (tally.right, tally.wrong) == (tally.sent, 0)
        assert (len(openings.entries()), openings.writers()) == (0, 0)
        with opened(host, "flows") as fd:
            met += len(list(bpf.keys(fd))) // 2
        host.api.post("k8slbrp/race/sessions/end", {"idle-min": 0})
    assert met, "the CPUs have never met"


def test_one_client_port_for_two_services(host: Host, on_track: Callable[[int], Track]) -> None:
    """Each of both sessions gets its answers."""
    track = on_track(MANY)
    both = ((VIP, SERVER), (OTHER_VIP, OTHER_SERVER))
    for vip, server in both:
        serve(host, vip, server, "UDP")
    for number in range(ROUNDS):
        client = f"10.12.{number // 250}.{number % 250}"
        for step in (request, answer):
            scripts = [[step(client, port, vip, server) for port in PORTS] for vip, server in both]
            tallies = track.race(scripts, lambda sent: True, in_one_run=len(PORTS))
            counts = Counter(right=sum(t.right for t in tallies), sent=sum(t.sent for t in tallies))
            assert counts["right"] == counts["sent"], f"{step.__name__}: {counts}"
    assert Openings.at(host.map_path("race", "openings")).writers() == 0
