"""The first fragment of a datagram and a later one at once, on two CPUs."""

from __future__ import annotations

from tests.datapath.harness import Way, through
from tests.datapath.lab import SERVER_IF, Lab, assert_out
from tests.datapath.packets import (
    CLIENT,
    CLIENT_PORT,
    LONG,
    SERVER,
    SERVER_PORT,
    VIP,
    VIP_PORT,
    fragments,
    frame,
    udp,
)
from tests.datapath.tables import FRAGMENT_RELEASE


@through(Way.OVERTAKEN)
def test_a_fragment_that_the_first_one_overtakes_follows_it(lab: Lab) -> None:
    """Held, it would wait for somebody to release it until it is given up, and so would those after it."""
    lab.serve((SERVER, SERVER_PORT))
    _, later, last, *_ = fragments(frame(CLIENT, VIP, udp(CLIENT_PORT, VIP_PORT, LONG)))
    for fragment in (later, last):
        assert_out(lab.from_client(fragment), SERVER_IF, fragment)
    assert lab.count("fragment_held") == 0


@through(Way.HELD)
def test_a_fragment_that_is_held_beside_the_first_one_is_released(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    first, *_ = fragments(frame(CLIENT, VIP, udp(CLIENT_PORT, VIP_PORT, LONG)))
    outcome = lab.from_client(first)
    assert outcome.out == SERVER_IF
    assert [punt.reason for punt in outcome.punts] == [FRAGMENT_RELEASE]
