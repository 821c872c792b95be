"""Two CPUs open, or end, sessions of the same client ports at once: neither takes what is the other one's."""

from __future__ import annotations

import ctypes
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from bench import kernel
from bench.host import Host
from k8slbrp import abi
from pcnhost.engine import bpf
from testbed.openings import Openings
from tests.datapath import maps
from tests.datapath.headers import ACK, FIN, SYN
from tests.race.racers import Step, Track, serve

pytestmark = [pytest.mark.root, pytest.mark.serial]

SERVERS_IF, CLIENT_IF, OTHER_IF = 0, 1, 2
CLIENT, OTHER = "10.10.1.1", "10.10.1.2"
VIP, OTHER_VIP = "10.96.0.1", "10.96.0.2"
SERVER = ("10.20.0.1", 8080)
ROUNDS = int(os.environ.get("RACE_ROUNDS", "100"))
PORTS = range(2000, 2200)


@contextmanager
def opened(host: Host, name: str) -> Iterator[int]:
    fd = kernel.open_map(host.map_path("race", name))
    try:
        yield fd
    finally:
        os.close(fd)


def request(client: str, in_port: int, vip: str, sport: int, flags: int) -> Step:
    return Step(client, vip, sport, 80, in_port, to=SERVER, flags=flags)


def sessions(host: Host) -> set[tuple[bytes, bytes]]:
    """Both flows of each session that there is."""
    values = [*Openings.at(host.map_path("race", "openings")).entries().values()]
    for name in ("clients", "flows"):
        with opened(host, name) as fd:
            values += [value or b"" for value in maps.contents(fd).values()]
    there = [abi.struct("session").from_buffer_copy(value) for value in values]
    return {(bytes(session.front), bytes(session.back)) for session in there}


def forget_sessions(host: Host) -> None:
    Openings.at(host.map_path("race", "openings")).clear()
    for name in ("clients", "flows"):
        with opened(host, name) as fd:
            maps.clear(fd)


def hint_flows(host: Host) -> None:
    """As if all clients had sessions in `flows`, so that they are looked for there."""
    with opened(host, "flow_hints") as fd:
        hints = bpf.map_spec(fd).max_entries
        now = bpf.u32(int(time.monotonic()))
        kernel.write_all(fd, b"".join(map(bpf.u32, range(hints))), now * hints, hints)


@pytest.mark.parametrize("rewritten", [True, False], ids=["rewritten", "as it is"])
def test_sessions_opened_at_once_are_told_apart_by_the_backend(
    host: Host, on_track: Callable[[int], Track], rewritten: bool
) -> None:
    """One client asks two services with one backend from the same ports; backends see it under another address, or
    not. The CPUs meet in the middle of the ports: one of them goes up, the other one down."""
    track = on_track(1 << 14)
    serve(host, VIP, SERVER)
    serve(host, OTHER_VIP, SERVER)
    if rewritten:
        ranges = {"ip-range": "10.10.1.0/24", "new_ip_range": "10.9.8.0/24"}
        host.api.patch("k8slbrp/race/src-ip-rewrite", ranges)
    else:
        hint_flows(host)
    scripts = [
        [request(CLIENT, CLIENT_IF, vip, port, SYN) for port in ports]
        for vip, ports in ((VIP, PORTS), (OTHER_VIP, reversed(PORTS)))
    ]
    met = rounds = 0
    while rounds < ROUNDS or (not met and rounds < 10 * ROUNDS):  # on a busy machine they meet less often
        rounds += 1
        forget_sessions(host)
        tallies = track.race(scripts, lambda sent: True, in_one_run=len(PORTS))
        # Where they meet, the packet of the CPU that comes second is dropped.
        met += sum(tally.sent - tally.right - tally.wrong for tally in tallies)
        there = sessions(host)
        seen = [back for _, back in there]
        assert len(set(seen)) == len(seen), "the backend sees two sessions under one source port"
    drops = host.api.get("k8slbrp/race/stats")["drops"]
    # Most have stored the same source port. Now and then the only one that a search has found is taken meanwhile.
    assert drops["table-changed"] + drops["source-ports"] == met
    assert drops["table-changed"]


def test_sessions_that_end_push_none_out_of_another_cpus_places(
    host: Host, on_track: Callable[[int], Track]
) -> None:
    """In the FIFO of sessions that are over, each CPU writes its own places alone: no place is lost, and no CPU waits
    for what another one writes."""
    track = on_track(1024)
    serve(host, VIP, SERVER)
    cpus = dict(zip((CLIENT, OTHER), sorted(os.sched_getaffinity(0)), strict=False))

    def script(client: str, in_port: int) -> list[Step]:
        steps = []
        for port in PORTS:
            answers = {"to": (client, port), "source": (VIP, 80)}
            steps += [
                request(client, in_port, VIP, port, SYN),
                Step(SERVER[0], client, SERVER[1], port, SERVERS_IF, flags=SYN | ACK, **answers),
                request(client, in_port, VIP, port, FIN | ACK),
                Step(SERVER[0], client, SERVER[1], port, SERVERS_IF, flags=FIN | ACK, **answers),
            ]
        return steps

    for tally in track.race([script(CLIENT, CLIENT_IF), script(OTHER, OTHER_IF)], lambda sent: True):
        assert (tally.right, tally.wrong) == (tally.sent, 0), tally.example
    with opened(host, "retired") as fd:
        places = maps.contents(fd)
    filled = dict.fromkeys(cpus, 0)
    key = abi.struct("client_key")
    for index, value in places.items():
        assert value is not None
        client = socket.inet_ntoa(value[: ctypes.sizeof(ctypes.c_uint32)])
        if any(value):
            assert int.from_bytes(index, "little") % bpf.possible_cpus() == cpus[client]
            filled[client] += 1
    assert ctypes.sizeof(key) == len(value)
    assert set(filled.values()) == {len(places) // bpf.possible_cpus()}
