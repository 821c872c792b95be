"""The fast path does what the full path does: two copies of the program, one without it, get the same packets.

FUZZ_PACKETS sets the number of packets of each run.
"""

from __future__ import annotations

import os
import random
import socket
from collections import deque
from collections.abc import Iterator
from contextlib import closing

import pytest

from k8slbrp import abi
from pcnhost.engine.source import Hook
from tests.datapath import maps
from tests.datapath.fuzz import BACKEND_IF, CHANGE_EVERY, World, is_arp, is_possible
from tests.datapath.generator import CLIENTS, Generator, Injected
from tests.datapath.harness import Datapath, Verdict, Way
from tests.datapath.headers import ACK, Kind, classify
from tests.datapath.tables import SESSION_TABLES, Tables

PACKETS = int(os.environ.get("FUZZ_PACKETS", "15000"))
COMPARE_EVERY = 1000

pytestmark = pytest.mark.root


@pytest.fixture(scope="module", params=list(Hook), ids=lambda hook: hook.name)
def both(request: pytest.FixtureRequest) -> Iterator[tuple[Datapath, Datapath]]:
    """With the fast path, and without, on one CPU with its counters."""
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cpus)})
    with (
        closing(Datapath(request.param, own_clock=True, way=Way.COUNTED)) as short,
        closing(Datapath(request.param, own_clock=True, way=Way.FULL)) as full,
    ):
        yield short, full
    os.sched_setaffinity(0, cpus)


def contents(tables: Tables) -> dict[str, dict[bytes, bytes]]:
    found = {name: tables.entries(name) for name in (*SESSION_TABLES, "fragments", "affinities")}
    for name in SESSION_TABLES:
        found[name] = {key: but_for_chance(value) for key, value in found[name].items()}
    return found


def but_for_chance(value: bytes) -> bytes:
    """A session that is not confirmed has a number, which is a random one."""
    session = abi.struct("session").from_buffer_copy(value)
    session.place_number = session.place_number != 0
    return bytes(session)


def as_in_the_middle(frame: bytes) -> bytes:
    """The packet, of TCP without flags that open or end a connection."""
    kind, _, datagram = classify(bytearray(frame))
    if kind is not Kind.FLOW or datagram is None or datagram.proto != socket.IPPROTO_TCP:
        return frame
    flags = datagram.l4 + 13
    return frame[:flags] + bytes([ACK]) + frame[flags + 1 :]


def test_both_ways_make_the_same_of_every_packet(both: tuple[Datapath, Datapath], multi: bool) -> None:
    short, full = both
    seed = random.SystemRandom().randrange(1 << 32)
    worlds = [World(datapath, multi, random.Random(seed)) for datapath in both]
    rng = random.Random(seed)
    generator = Generator(rng, len(CLIENTS) if multi else 1)
    recent: deque[Injected] = deque(maxlen=20)
    maps.clear_per_cpu(short.maps["test_fast_path"], 1)
    for number in range(PACKETS):
        if number % CHANGE_EVERY == CHANGE_EVERY - 1:
            for world in worlds:
                world.change()
        again = recent and rng.random() < 0.9  # sessions that go on
        injected = rng.choice(recent) if again else generator.next()
        from_backend, frontend, frame = injected
        if not is_possible(short.hook, frame):
            continue
        in_port = BACKEND_IF if from_backend else frontend
        complete = not is_arp(frame) and number % 2 == 0
        where = f"seed {seed}, packet {number}, port {in_port}: {frame.hex()}"
        one, other = (datapath.run(in_port, frame, complete=complete) for datapath in both)
        assert one == other, where
        out = short.verdict(one)
        if not isinstance(out, Verdict):
            generator.seen(out == BACKEND_IF, out if out < BACKEND_IF else 0, one.frame)
            if not again:  # else few flows would crowd out the others
                recent.append((from_backend, frontend, as_in_the_middle(frame)))
        if number % COMPARE_EVERY == COMPARE_EVERY - 1:
            assert short.punts() == full.punts(), where
            assert worlds[0].tables.events() == worlds[1].tables.events(), where
            assert contents(worlds[0].tables) == contents(worlds[1].tables), where
    (taken,) = maps.per_cpu_sums(short.maps["test_fast_path"], 1)
    print(taken)
    assert taken > PACKETS / 20
