"""A packet finds a service's entry while the kernel writes a later version of it over an earlier one: what it sees of
both must not mislead it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from pcnhost.engine.source import Hook
from tests.datapath import talk
from tests.datapath.harness import Datapath, Way, copies
from tests.datapath.lab import PING_EXCHANGE, UDP_EXCHANGE, Exchange, Lab
from tests.datapath.packets import OTHER_SERVER, SERVER, SERVER_PORT, VIP

THIRD_SERVER = "10.1.0.3"
without_handshake = pytest.mark.parametrize("exchange", [UDP_EXCHANGE, PING_EXCHANGE], ids=str)


@pytest.fixture(scope="module")
def datapaths() -> Iterator[Callable[[Hook], Datapath]]:
    with copies(lambda hook: Datapath(hook, way=Way.WRITING)) as copy:
        yield copy


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
