"""A packet finds a service's entry while the kernel writes a later version of it over an earlier one: what it sees of
both must not mislead it."""

from __future__ import annotations

from socket import IPPROTO_TCP

import pytest

from tests.datapath import talk
from tests.datapath.harness import Way, through
from tests.datapath.lab import PING_EXCHANGE, UDP_EXCHANGE, Exchange, Lab
from tests.datapath.packets import OTHER_SERVER, SERVER, SERVER_PORT, VIP, VIP_PORT

THIRD_SERVER = "10.1.0.3"
without_handshake = pytest.mark.parametrize("exchange", [UDP_EXCHANGE, PING_EXCHANGE], ids=str)
later = through(Way.WRITING)
prefetched = through(Way.PREFETCHED)


@later
@without_handshake
@pytest.mark.parametrize("written", [0, 1, 2])
def test_a_session_stays_with_a_backend_that_changes_its_place(
    lab: Lab, exchange: Exchange, written: int
) -> None:
    """Where one backend is there already, and the other one not yet, the session's backend is in neither place."""
    service = (VIP, exchange.vport, exchange.proto)
    lab.serve((SERVER, SERVER_PORT), drained=[(THIRD_SERVER, SERVER_PORT)])
    talk.request(lab, VIP, SERVER, exchange=exchange)
    before = lab.tables.entry(*service)
    lab.serve((OTHER_SERVER, SERVER_PORT), drained=[(SERVER, SERVER_PORT)])
    lab.tables.half_write(*service, before, written)
    lab.datapath.forget_lookups()
    talk.request(lab, VIP, SERVER, exchange=exchange)


@prefetched
@pytest.mark.parametrize("written", [0, 1, 2])
def test_a_new_session_looks_again_for_its_backend(lab: Lab, written: int) -> None:
    lab.serve((OTHER_SERVER, SERVER_PORT), (THIRD_SERVER, SERVER_PORT))
    before = lab.tables.entry(VIP, VIP_PORT, IPPROTO_TCP)
    lab.serve((SERVER, SERVER_PORT))
    lab.tables.half_write(VIP, VIP_PORT, IPPROTO_TCP, before, written)
    lab.datapath.forget_lookups()
    talk.request(lab, VIP, SERVER, "S")


@prefetched
def test_a_session_that_leaves_its_backend_does_not_get_it_again(lab: Lab) -> None:
    """A SYN after an RST asks for a backend that takes sessions. The old entry still says that this one does."""
    lab.serve((SERVER, SERVER_PORT))
    talk.request(lab, VIP, SERVER, "S")
    talk.answer(lab, VIP, SERVER, "SA")
    talk.request(lab, VIP, SERVER, "A")
    talk.answer(lab, VIP, SERVER, "R")
    before = lab.tables.entry(VIP, VIP_PORT, IPPROTO_TCP)
    lab.serve((OTHER_SERVER, SERVER_PORT), drained=[(SERVER, SERVER_PORT)])
    lab.tables.put_beside(VIP, VIP_PORT, IPPROTO_TCP, before)
    lab.datapath.forget_lookups()
    talk.request(lab, VIP, OTHER_SERVER, "S")
