"""A later fragment is about to be held when the first one passes on another CPU."""

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


@through(Way.OVERTAKEN)
def test_a_fragment_that_the_first_one_overtakes_follows_it(lab: Lab) -> None:
    """Held, it would wait for somebody to release it until it is given up, and so would those after it."""
    lab.serve((SERVER, SERVER_PORT))
    _, later, last, *_ = fragments(frame(CLIENT, VIP, udp(CLIENT_PORT, VIP_PORT, LONG)))
    for fragment in (later, last):
        assert_out(lab.from_client(fragment), SERVER_IF, fragment)
    assert lab.count("fragment_held") == 0
