"""A session is confirmed on one CPU, and so moved to another table, while another one looks for it: it is found.

Both CPUs send the same answers in the same order, to sessions that have none yet: whichever is first confirms a
session, and the other one's packet comes in the middle of that.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

import pytest

from bench.host import Host
from tests.race.racers import Step, Track, serve

pytestmark = [pytest.mark.root, pytest.mark.serial]

SERVERS_IF, CLIENT_IF = 0, 1
VIP, SERVER = "10.96.0.1", ("10.20.0.1", 8080)
PORTS = range(2000, 4000)  # each script has at most 2,048 steps
MAX_SESSIONS = 1 << 20  # so that hardly any five clients want the same set
ROUNDS = min(int(os.environ.get("RACE_ROUNDS", "100")), MAX_SESSIONS // len(PORTS) // 2 - 1)
UDP = socket.IPPROTO_UDP


def request(client: str, sport: int) -> Step:
    return Step(client, VIP, sport, 80, CLIENT_IF, SERVER, proto=UDP)


def answer(client: str, sport: int) -> Step:
    return Step(SERVER[0], client, SERVER[1], sport, SERVERS_IF, (client, sport), (VIP, 80), proto=UDP)


def send(track: Track, *scripts: list[Step]) -> None:
    """Each script at least once, on a CPU of its own; all packets have to leave."""
    for tally in track.race(scripts, lambda sent: True, in_one_run=len(PORTS)):
        assert tally.right == tally.sent, f"{tally.sent - tally.right} of {tally.sent} packets did not leave"


def test_an_answer_finds_a_session_that_another_one_confirms(
    host: Host, on_track: Callable[[int], Track]
) -> None:
    track = on_track(MAX_SESSIONS)
    serve(host, VIP, SERVER, "UDP")
    for number in range(ROUNDS):
        client = f"10.11.{number // 250}.{number % 250}"
        send(track, [request(client, port) for port in PORTS])
        answers = [answer(client, port) for port in PORTS]
        send(track, answers, answers)
