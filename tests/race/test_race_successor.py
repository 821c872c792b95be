"""SYNs on connections whose backend is removed, beside the packets of these, and two clients' handshakes at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import pytest

from bench.host import Host
from tests.datapath.headers import ACK, SYN
from tests.race.racers import PACKETS, Step, Track, serve
from tests.race.test_race_room import table

pytestmark = [pytest.mark.root, pytest.mark.serial]

SERVERS_IF, CLIENT_IF = 0, 1
CLIENT, SEEN, VIP = "10.10.1.1", "10.9.8.1", "10.96.0.1"
OLD, NEW = ("10.20.0.1", 8080), ("10.20.0.2", 8080)
EITHER = ("10.20.0.0/16", 8080)
HANDSHAKE = 2  # what acknowledges a SYN: all segments have 1 as their sequence number
GUESS = 1000
PORTS = range(2000, 2200)
ROUNDS = int(os.environ.get("RACE_ROUNDS", "100"))


class Ends:
    """The packets of a client, which the servers see as `seen`."""

    def __init__(self, seen: str) -> None:
        self.seen = seen

    def request(self, sport: int, to: tuple[str, int], flags: int = ACK, acknowledged: int = 1) -> Step:
        source = None if self.seen == CLIENT else (self.seen, sport)
        return Step(CLIENT, VIP, sport, 80, CLIENT_IF, to, source, flags, acknowledged=acknowledged)

    def answer(self, sport: int, server: tuple[str, int], flags: int = ACK) -> Step:
        return Step(server[0], self.seen, server[1], sport, SERVERS_IF, (CLIENT, sport), (VIP, 80), flags)

    def handshake(
        self, sport: int, server: tuple[str, int], end: tuple[str, int], acknowledged: int = HANDSHAKE
    ) -> list[Step]:
        """Its last segment must go to `end`."""
        return [
            self.request(sport, server, SYN),
            self.answer(sport, server, SYN | ACK),
            self.request(sport, end, ACK, acknowledged),
        ]


def steps(ports: Sequence[int], of: Callable[[int], list[Step]]) -> list[Step]:
    return [step for port in ports for step in of(port)]


@pytest.fixture(params=["same-address", "other-address"])
def ends(request: pytest.FixtureRequest) -> Ends:
    return Ends(CLIENT if request.param == "same-address" else SEEN)


@pytest.fixture
def race(host: Host, on_track: Callable[[int], Track], ends: Ends) -> Track:
    track = on_track(1 << 12)
    if ends.seen == SEEN:
        ranges = {"ip-range": f"{CLIENT}/32", "new_ip_range": f"{SEEN}/32"}
        host.api.patch("k8slbrp/race/src-ip-rewrite", ranges)
    return track


def begin(host: Host, race: Track, ends: Ends) -> None:
    """Connections to a server that is removed then."""
    serve(host, VIP, OLD)
    script = steps(PORTS, lambda port: ends.handshake(port, OLD, OLD))
    (tally,) = race.race([script], lambda sent: True, in_one_run=len(script))
    assert (tally.right, tally.wrong) == (tally.sent, 0), tally.example
    serve(host, VIP, NEW)


def test_forged_syns_move_no_connection(host: Host, race: Track, ends: Ends) -> None:
    """Though the other server answers them, and the acknowledgement of it is guessed."""
    begin(host, race, ends)
    live = steps(PORTS, lambda port: [ends.request(port, OLD), ends.answer(port, OLD)])
    forged = steps(PORTS, lambda port: ends.handshake(port, NEW, OLD, GUESS))
    tallies = race.race([live, forged], lambda sent: sent >= PACKETS)
    assert (tallies[0].right, tallies[0].wrong) == (tallies[0].sent, 0), tallies[0].example
    assert tallies[1].wrong == 0, tallies[1].example
    assert tallies[1].sent
    assert table(host, "clients")["entries"] == len(PORTS)


def test_clients_that_begin_anew_beside_packets_of_before(host: Host, race: Track, ends: Ends) -> None:
    """One CPU has handshakes, and the other one the same and old packets, from the other end of the ports. Where they
    meet, a SYN may be dropped, and the old server gets the acknowledgement of what has not come through. No session
    is taken for the one that had its place in `unconfirmed` before: when it was, one of some 300 rounds lost one."""
    anew = steps(PORTS, lambda port: ends.handshake(port, NEW, EITHER))
    beside = steps(
        PORTS[::-1],
        lambda port: [
            ends.request(port, EITHER),
            *ends.handshake(port, NEW, EITHER),
            ends.request(port, EITHER),
        ],
    )
    again = steps(PORTS, lambda port: [*ends.handshake(port, NEW, NEW), ends.request(port, NEW)])
    for _ in range(ROUNDS):
        begin(host, race, ends)
        for tally in race.race([anew, beside], lambda sent: True, in_one_run=len(beside)):
            assert tally.wrong == 0, tally.example
        (tally,) = race.race([again], lambda sent: True, in_one_run=len(again))
        assert (tally.right, tally.wrong) == (tally.sent, 0), tally.example
        assert host.api.post("k8slbrp/race/sessions/end", {"client": CLIENT})["ended"] == len(PORTS)
