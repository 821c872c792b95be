"""One CPU uses sessions while another replaces, retires and evicts their entries: nobody leaves as somebody else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.host import Host
from tests.datapath.headers import ACK, FIN, RST, SYN
from tests.race.racers import PACKETS, Step, Track, serve

pytestmark = [pytest.mark.root, pytest.mark.serial]

SERVERS_IF, CLIENT_IF, OTHER_IF = 0, 1, 2
CLIENT, OTHER = "10.10.1.1", "10.10.1.2"
VIP, OTHER_VIP = "10.96.0.1", "10.96.0.2"
SERVER, OTHER_SERVER = ("10.20.0.1", 8080), ("10.20.0.2", 9090)


@pytest.fixture
def track(host: Host, on_track: Callable[[int], Track]) -> Track:
    made = on_track(1024)
    serve(host, VIP, SERVER)
    serve(host, OTHER_VIP, OTHER_SERVER)
    return made


def request(sport: int, flags: int = ACK) -> Step:
    return Step(CLIENT, VIP, sport, 80, CLIENT_IF, to=SERVER, flags=flags)


def answer(sport: int, flags: int = ACK) -> Step:
    """Of the server to a client's port."""
    return Step(
        SERVER[0], CLIENT, SERVER[1], sport, SERVERS_IF, to=(CLIENT, sport), source=(VIP, 80), flags=flags
    )


def other(sport: int, flags: int, clients: int = 1) -> Step:
    address = OTHER if clients == 1 else "10.64.0.0"
    return Step(address, OTHER_VIP, sport, 80, OTHER_IF, to=OTHER_SERVER, flags=flags, clients=clients)


USING = [request(1111, SYN)] + [step for _ in range(40) for step in (request(1111), answer(1111))]

CHURN = {
    # One client's ports are used again and again, and closed in between.
    "reuse": [
        *(request(1111, RST), other(2222, SYN), other(2222, RST), request(1111, SYN)),
        *(other(2222, SYN), other(2222, FIN), other(2222, RST), other(2223, SYN), other(2223, RST)),
    ],
    # Sessions end by the thousand; the oldest that have ended make room.
    "retirement": [
        other(3000, SYN, 1 << 20),
        other(3000, RST, 1 << 20),
        request(1111, RST),
        request(1111, SYN),
    ],
    # Many more clients than the table has entries.
    "eviction": [other(4000, ACK, 1 << 16), other(4001, ACK, 1 << 16), other(4002, SYN, 1 << 16)],
}


VIRTUAL, OTHER_VIRTUAL = "10.9.8.1", "10.9.8.2"


def rewritten(
    client: str, virtual: str, vip: str, server: tuple[str, int], in_port: int, sport: int
) -> list[Step]:
    """Both sides of a session close it, and the client opens it again: its entry gets other memory."""
    request = {"in_port": in_port, "to": server, "source": (virtual, sport)}
    return [
        Step(client, vip, sport, 80, flags=FIN | ACK, **request),
        Step(
            *(server[0], virtual, server[1], sport, SERVERS_IF),
            to=(client, sport),
            source=(vip, 80),
            flags=FIN | ACK,
        ),
        Step(client, vip, sport, 80, flags=SYN, **request),
    ]


def test_no_packet_leaves_by_memory_that_another_session_has_got(host: Host, track: Track) -> None:
    """Two sessions hand the memory of their entries to each other, while a packet of one of them looks at it. It takes
    a CPU that is held up, by an interrupt, between finding the entry and reading it: without the copy of the entry, 5
    of 60 million packets leave as the other session's."""
    host.api.patch("k8slbrp/race/src-ip-rewrite", {"ip-range": "10.10.1.0/24", "new_ip_range": "10.9.8.0/24"})
    using = [Step(CLIENT, VIP, 1111, 80, CLIENT_IF, to=SERVER, source=(VIRTUAL, 1111))]
    handing = [
        *rewritten(CLIENT, VIRTUAL, VIP, SERVER, CLIENT_IF, 1111),
        *rewritten(OTHER, OTHER_VIRTUAL, OTHER_VIP, OTHER_SERVER, OTHER_IF, 2222),
    ]
    used, handed = track.race([using, handing], lambda sent: sent >= max(PACKETS, 30_000_000))
    for tally in (used, handed):
        assert tally.wrong == 0, f"{tally.wrong} of {tally.sent} packets, the last one in {tally.example}"
        assert tally.right > tally.sent // 4, f"only {tally.right} of {tally.sent} packets left"


@pytest.mark.parametrize("churn", CHURN)
def test_no_packet_leaves_as_another_sessions(track: Track, churn: str) -> None:
    share = PACKETS // (2 * len(CHURN))
    tallies = track.race([USING, CHURN[churn]], lambda sent: sent >= share)
    for tally in tallies:
        assert tally.wrong == 0, f"{tally.wrong} of {tally.sent} packets, the last one in {tally.example}"
        assert tally.right > tally.sent // 4, f"only {tally.right} of {tally.sent} packets left"
