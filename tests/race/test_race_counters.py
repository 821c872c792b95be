"""Two CPUs send a million mixed packets: what the cube has counted is what they have sent, and what has left."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable

import pytest

from bench.host import Host
from tests.datapath.headers import ACK, RST, SYN
from tests.race.racers import Step, Track, serve

pytestmark = [pytest.mark.root, pytest.mark.serial]

PACKETS = int(os.environ.get("RACE_COUNTED_PACKETS", "1000000"))  # of both CPUs, about
LENGTH = 54
SERVERS_IF, CLIENT_IF, OTHER_IF = 0, 1, 2
CLIENT, OTHER, STRANGER = "10.10.1.1", "10.10.1.2", "192.0.2.1"
VIP, OTHER_VIP, EMPTY_VIP = "10.96.0.1", "10.96.0.2", "10.96.0.3"
SERVERS = {VIP: ("10.20.0.1", 8080), OTHER_VIP: ("10.20.0.2", 9090)}

# What becomes of a step, unless it loses a race.
TRANSLATED_IN, TRANSLATED_OUT, PASSED_IN, PASSED_OUT, NO_SESSION, REJECTED = range(6)
Kinds = list[tuple[int, Step]]


def conversation(client: str, in_port: int, vip: str, sport: int, turns: int) -> Kinds:
    server = SERVERS[vip]
    steps = [(TRANSLATED_IN, Step(client, vip, sport, 80, in_port, to=server, flags=SYN))]
    for _ in range(turns):
        answer = Step(server[0], client, server[1], sport, SERVERS_IF, to=(client, sport), source=(vip, 80))
        steps += [
            (TRANSLATED_OUT, answer),
            (TRANSLATED_IN, Step(client, vip, sport, 80, in_port, to=server, flags=ACK)),
        ]
    return steps


def crowd(vip: str, sport: int, flags: int = SYN) -> Kinds:
    """Of another client each time: many more than the tables hold."""
    step = Step("10.64.0.0", vip, sport, 80, OTHER_IF, to=SERVERS[vip], flags=flags, clients=1 << 16)
    return [(TRANSLATED_IN, step)]


def rest(client: str, in_port: int) -> Kinds:
    server = SERVERS[VIP]
    return [
        (PASSED_IN, Step(client, STRANGER, 5, 6, in_port, to=(STRANGER, 6))),
        (PASSED_OUT, Step(STRANGER, client, 6, 5, SERVERS_IF, to=(client, 5))),
        (NO_SESSION, Step(server[0], client, server[1], 9, SERVERS_IF, to=(client, 9))),
        (REJECTED, Step(client, EMPTY_VIP, 7, 80, in_port, to=("10.0.0.0", 1), flags=SYN)),
    ]


@pytest.fixture
def track(host: Host, on_track: Callable[[int], Track]) -> Track:
    made = on_track(1024)
    for vip, server in SERVERS.items():
        serve(host, vip, server)
    host.api.post(f"k8slbrp/race/service/{EMPTY_VIP}/80/TCP")
    return made


def test_totals_equal_an_independent_count(host: Host, track: Track) -> None:
    scripts = [
        [
            *conversation(CLIENT, CLIENT_IF, VIP, 1111, 20),
            *crowd(VIP, 3000),
            *rest(CLIENT, CLIENT_IF),
            *conversation(CLIENT, CLIENT_IF, OTHER_VIP, 1111, 5),
        ],
        [
            *conversation(OTHER, OTHER_IF, OTHER_VIP, 2222, 10),
            *crowd(OTHER_VIP, 4000, ACK),
            *crowd(VIP, 4001, RST),
            *rest(OTHER, OTHER_IF),
            *conversation(CLIENT, CLIENT_IF, VIP, 1111, 5),
        ],
    ]
    steps = [[step for _, step in script] for script in scripts]
    tallies = track.race(steps, lambda sent: sent >= PACKETS // 2)
    sent: Counter[int] = Counter()
    for script, tally in zip(scripts, tallies, strict=True):
        assert tally.wrong == 0, tally.example
        for index, (kind, _) in enumerate(script):
            sent[kind] += tally.sent // len(script) + (index < tally.sent % len(script))
    assert sum(sent.values()) == sum(tally.sent for tally in tallies)
    assert tallies[0].sent >= PACKETS // 2 and tallies[1].sent > 0  # the second CPU may have other work, too
    left = sum(tally.right for tally in tallies)

    stats = host.api.get("k8slbrp/race/stats")
    frontend, backend, drops = stats["frontend"], stats["backend"], stats["drops"]
    for side in (frontend, backend):
        for fate in ("translated", "passed", "slow-path", "dropped"):
            assert side[f"{fate}-bytes"] == LENGTH * side[f"{fate}-packets"]
    assert frontend["passed-packets"] == sent[PASSED_IN]
    assert backend["passed-packets"] == sent[PASSED_OUT]
    assert drops["no-session"] >= sent[NO_SESSION]
    assert drops["rate-limited"] + drops["slow-path-full"] + stats["punts"]["reject"] == sent[REJECTED]
    assert frontend["slow-path-packets"] == stats["punts"]["reject"]
    assert sum(drops.values()) == frontend["dropped-packets"] + backend["dropped-packets"]

    translated = frontend["translated-packets"] + backend["translated-packets"]
    assert translated + sent[PASSED_IN] + sent[PASSED_OUT] == left
    of_sides = {
        name: sum(count for fate, count in side.items() if fate.endswith("-packets"))
        for name, side in (("frontend", frontend), ("backend", backend))
    }
    assert of_sides["frontend"] == sent[TRANSLATED_IN] + sent[PASSED_IN] + sent[REJECTED]
    assert of_sides["backend"] == sent[TRANSLATED_OUT] + sent[PASSED_OUT] + sent[NO_SESSION]

    services = [entry for entry in host.api.get("k8slbrp/race/stats/service") if isinstance(entry, dict)]
    parts = [stats["other"], *(part for entry in services for part in entry.get("backend", []))]
    for direction, whole in (("in", frontend), ("out", backend)):
        assert sum(part[f"packets-{direction}"] for part in parts) == whole["translated-packets"]
    assert sum(part["new-sessions"] for part in parts) == stats["new-sessions"] > 0
    assert stats["other"]["packets-in"] == 0
    tables = {table["name"]: table for table in stats["table"]}
    assert tables["openings"]["evicted"] > 10 * tables["openings"]["limit"]
    assert stats["resumed-sessions"] > 0
    for entry in services:
        for name in ("packets-in", "bytes-in", "packets-out", "bytes-out", "new-sessions"):
            assert entry[name] == sum(part[name] for part in entry.get("backend", []))
