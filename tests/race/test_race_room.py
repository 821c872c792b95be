"""Sessions that are over are removed while packets go on, and a full table gets room again."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from bench.host import Host
from tests.datapath.headers import ACK, SYN
from tests.race.racers import Step, Track, serve
from tests.race.test_race_flood import let_be_idle

pytestmark = pytest.mark.root

SERVERS_IF, CLIENT_IF = 0, 1
CLIENT, VIP, OTHER_VIP = "10.10.1.1", "10.96.0.1", "10.96.0.2"
SERVERS = {VIP: ("10.20.0.1", 8080), OTHER_VIP: ("10.20.0.9", 8080)}
LATER_SERVER = ("10.20.0.2", 8080)
MAX_SESSIONS = 1024  # the least, so `flows` has 512 entries
TCP, UDP = socket.IPPROTO_TCP, socket.IPPROTO_UDP
PATIENCE_S = 20
_PORTS = range(2000, 2200)


def request(vip: str, sport: int, proto: int = TCP, flags: int = ACK) -> Step:
    return Step(CLIENT, vip, sport, 80, CLIENT_IF, to=SERVERS[vip], flags=flags, proto=proto)


def answer(vip: str, sport: int, proto: int = TCP) -> Step:
    address, port = SERVERS[vip]
    return Step(address, CLIENT, port, sport, SERVERS_IF, (CLIENT, sport), (vip, 80), SYN | ACK, proto=proto)


def opening(vip: str, ports: Sequence[int], proto: int = TCP) -> list[Step]:
    steps = (
        (request(vip, port, proto, SYN), answer(vip, port, proto), request(vip, port, proto))
        for port in ports
    )
    return [step for session in steps for step in session]


def once(track: Track, script: Sequence[Step]) -> Any:
    (tally,) = track.race([script], lambda sent: True)
    return tally


def table(host: Host, name: str) -> dict[str, int]:
    tables: list[dict[str, Any]] = host.api.get("k8slbrp/race/stats")["table"]
    return next(entry for entry in tables if entry["name"] == name)


def has_room(host: Host, name: str) -> bool:
    fill = table(host, name)
    return fill["entries"] <= fill["limit"] * 7 // 8


def wait_for(reached: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.2)


@pytest.fixture
def race(host: Host, on_track: Callable[[int], Track]) -> Track:
    track = on_track(MAX_SESSIONS)
    for vip, server in SERVERS.items():
        for proto in ("TCP", "UDP"):
            serve(host, vip, server, proto)
    return track


def test_what_is_over_is_removed_and_nothing_else(host: Host, race: Track) -> None:
    host.api.patch("k8slbrp/race/timeouts", {"udp-answered": 1, "udp-stream": 1})
    over = [*opening(VIP, _PORTS, UDP), *opening(OTHER_VIP, _PORTS, UDP)]  # the second ones stand in `flows`
    live = opening(VIP, _PORTS)
    assert once(race, [*live, *over]).wrong == 0
    assert table(host, "clients")["entries"] == 2 * len(_PORTS)
    assert table(host, "flows")["entries"] >= 2 * len(_PORTS)
    end = time.monotonic() + PATIENCE_S

    def is_removed(sent: int) -> bool:
        time.sleep(0.2)
        return table(host, "flows")["entries"] == 0 or time.monotonic() > end

    (used,) = race.race([[request(VIP, port) for port in _PORTS]], is_removed)
    assert (used.right, used.wrong) == (used.sent, 0), used.example
    wait_for(lambda: table(host, "clients")["entries"] == len(_PORTS))
    assert table(host, "flows")["entries"] == 0
    assert table(host, "clients")["evicted"] == 0
    again = once(race, [request(VIP, port) for port in _PORTS])
    assert (again.right, again.wrong) == (again.sent, 0)


def test_established_sessions_stay_when_room_is_made(host: Host, race: Track) -> None:
    """Single questions and their answers fill the table."""
    assert once(race, opening(VIP, _PORTS)).wrong == 0
    let_be_idle(host, 600)
    questions = [
        step
        for port in range(3000, 3000 + MAX_SESSIONS)
        for step in (request(VIP, port, UDP), answer(VIP, port, UDP))
    ]
    (asked,) = race.race([questions], lambda sent: True, in_one_run=len(questions))
    assert asked.wrong == 0
    assert table(host, "clients")["entries"] == table(host, "clients")["limit"]
    wait_for(lambda: has_room(host, "clients"))
    assert table(host, "clients")["evicted"] > 0
    # Whoever is not found gets the later server.
    path = f"k8slbrp/race/service/{VIP}/80/TCP"
    host.api.post(f"{path}/backend/{LATER_SERVER[0]}", {"port": LATER_SERVER[1]})
    host.api.patch(f"{path}/backend/{SERVERS[VIP][0]}/weight", 0)
    idle = once(race, [request(VIP, port) for port in _PORTS])
    assert (idle.right, idle.wrong) == (idle.sent, 0), idle.example


def test_removed_sessions_are_never_taken_for_evicted(host: Host, on_track: Callable[[int], Track]) -> None:
    """Not even by whoever counts while they are removed. They are fewer than are removed at once: a count that sees a
    part of them gone is made between their removal and the note of it."""
    track = on_track(8192)
    serve(host, VIP, SERVERS[VIP])
    scripts = [opening(VIP, range(first, first + 1300)) for first in range(2000, 5900, 1300)]
    in_the_middle = 0
    for _ in range(10):
        for script in scripts:
            (tally,) = track.race([script], lambda sent: True, in_one_run=len(script))
            assert (tally.right, tally.wrong) == (tally.sent, 0), tally.example
        time.sleep(1.1)  # statistics are kept for a second
        with ThreadPoolExecutor(1) as pool:
            ending = pool.submit(host.api.post, "k8slbrp/race/sessions/end", {"client": CLIENT})
            time.sleep(0.004)
            counted = table(host, "clients")
            assert ending.result()["ended"] == 3900
        assert counted["evicted"] == 0, counted
        in_the_middle += 0 < counted["entries"] < 3900
        if in_the_middle == 3:
            break
    assert in_the_middle, "no count fell into a removal"
    time.sleep(1.1)
    assert table(host, "clients") == {**counted, "entries": 0}


def test_flows_get_room_again(host: Host, race: Track) -> None:
    """Of one client port to two services, the second session stands in `flows`, twice."""
    ports = range(2000, 2400)
    assert once(race, opening(VIP, ports, UDP)).wrong == 0
    too_many = once(race, opening(OTHER_VIP, ports, UDP))
    assert too_many.wrong == 0
    assert too_many.right < too_many.sent
    assert host.api.get("k8slbrp/race/stats")["drops"]["table-busy"] > 0
    wait_for(lambda: has_room(host, "flows"))
    assert (
        table(host, "flows")["entries"] >= table(host, "flows")["limit"] * 3 // 4 - 1
    )  # and no more than that
    fresh = once(race, opening(OTHER_VIP, range(5000, 5030), UDP))
    assert (fresh.right, fresh.wrong) == (fresh.sent, 0)
    beside = once(race, [*opening(VIP, range(2380, 2400), UDP), *opening(OTHER_VIP, range(2380, 2400), UDP)])
    assert (beside.right, beside.wrong) == (beside.sent, 0)


def test_what_loses_its_answers_loses_the_rest_as_well(host: Host, race: Track) -> None:
    """Answers to clients with a virtual address stand in `flows`. First those go that nobody has answered."""
    host.api.patch("k8slbrp/race/src-ip-rewrite", {"ip-range": "10.10.1.0/24", "new_ip_range": "10.9.8.0/24"})
    (server, port), virtual = SERVERS[VIP], "10.9.8.1"

    def asked(sport: int) -> Step:
        return replace(request(VIP, sport, UDP), source=(virtual, sport))

    def answered(sport: int) -> Step:
        ends = (server, virtual, port, sport)
        return Step(*ends, SERVERS_IF, (CLIENT, sport), (VIP, 80), proto=UDP, out_port=CLIENT_IF)

    alone = [asked(sport) for sport in range(2000, 2100)]
    (sent,) = race.race([alone], lambda sent: True, in_one_run=len(alone))
    assert (sent.right, sent.wrong) == (len(alone), 0), sent.example
    time.sleep(2.1)  # none goes that was seen in this second or the last
    # Some seventy of the first are left, so `flows` needs room, and is not full.
    answers = [step for sport in range(3000, 3400) for step in (asked(sport), answered(sport))]
    (sent,) = race.race([answers], lambda sent: True, in_one_run=len(answers))
    assert (sent.right, sent.wrong) == (len(answers), 0), sent.example
    wait_for(lambda: has_room(host, "flows"))
    time.sleep(1.1)  # statistics are kept for a second
    left = {name: table(host, name)["entries"] for name in ("flows", "clients", "openings")}
    assert left["openings"] == 0
    assert left["flows"] == left["clients"] + left["openings"], left
