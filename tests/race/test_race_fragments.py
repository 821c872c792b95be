"""One CPU sends the later fragments of a datagram while another replaces its note: nobody leaves as somebody else."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from bench.host import Host
from tests.race.racers import PACKETS, Step, Track, serve

pytestmark = [pytest.mark.root, pytest.mark.serial]

CLIENT_IF, OTHER_IF = 1, 2
CLIENT, OTHERS = "10.10.1.1", "10.64.0.0"
VIP, OTHER_VIP = "10.96.0.1", "10.96.0.2"
SERVER, OTHER_SERVER = ("10.20.0.1", 8080), ("10.20.0.2", 9090)
FIRST, LATER = 0x2000, 0x2001  # more fragments follow both

UDP = socket.IPPROTO_UDP
FIRST_OF_CLIENT = Step(CLIENT, VIP, 1111, 80, CLIENT_IF, to=SERVER, proto=UDP, fragment=FIRST)
# Later fragments have no ports: what is at their place is data.
LATER_OF_CLIENT = Step(CLIENT, VIP, 1111, 80, CLIENT_IF, to=(SERVER[0], 80), proto=UDP, fragment=LATER)
FIRST_OF_OTHERS = Step(
    OTHERS, OTHER_VIP, 2222, 80, OTHER_IF, to=OTHER_SERVER, proto=UDP, fragment=FIRST, clients=1 << 16
)


def test_no_fragment_leaves_as_another_datagrams(host: Host, on_track: Callable[[int], Track]) -> None:
    """Each new note of a datagram frees the memory of the one before, which the next datagram's takes."""
    track = on_track(1 << 18)
    serve(host, VIP, SERVER, "UDP")
    serve(host, OTHER_VIP, OTHER_SERVER, "UDP")
    replaced = [FIRST_OF_CLIENT, *[FIRST_OF_OTHERS] * 3]
    # The other CPU's tally tells nothing: the slow path may let a fragment that it has held enter there.
    later, _ = track.race([[LATER_OF_CLIENT], replaced], lambda sent: sent >= PACKETS // 2)
    assert later.wrong == 0, f"{later.wrong} of {later.sent} fragments, the last one as {later.example}"
    assert later.right > later.sent // 4, f"only {later.right} of {later.sent} fragments left"
