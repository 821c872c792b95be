"""A service is replaced while a packet looks for it: the kernel's hash table may miss it, the datapath must not."""

from __future__ import annotations

import pytest

from tests.datapath import talk
from tests.datapath.harness import Way, through
from tests.datapath.lab import EXCHANGES, PING_EXCHANGE, UDP_EXCHANGE, Exchange, Lab
from tests.datapath.packets import OTHER_SERVER, SERVER, SERVER_PORT, VIP

THIRD_SERVER = "10.1.0.3"
each_exchange = pytest.mark.parametrize("exchange", EXCHANGES, ids=str)
without_handshake = pytest.mark.parametrize("exchange", [UDP_EXCHANGE, PING_EXCHANGE], ids=str)
pytestmark = through(Way.MISSING)


@pytest.fixture
def lab(lab: Lab) -> Lab:
    lab.datapath.forget_lookups()
    return lab


def request(lab: Lab, exchange: Exchange, flags: str = "A", sport: int = 40_000) -> None:
    """A packet of the client, which must reach SERVER."""
    talk.request(lab, VIP, SERVER, flags, sport=sport, exchange=exchange)


@each_exchange
def test_a_new_session_gets_a_backend(lab: Lab, exchange: Exchange) -> None:
    lab.serve((SERVER, SERVER_PORT))
    request(lab, exchange, "S")


@without_handshake
def test_a_session_stays_with_its_backend(lab: Lab, exchange: Exchange) -> None:
    lab.serve((SERVER, SERVER_PORT), drained=[(THIRD_SERVER, SERVER_PORT)])
    request(lab, exchange)
    lab.serve((OTHER_SERVER, SERVER_PORT), drained=[(SERVER, SERVER_PORT)])
    request(lab, exchange)


@each_exchange
def test_a_client_keeps_its_backend_by_affinity(lab: Lab, exchange: Exchange) -> None:
    lab.serve((SERVER, SERVER_PORT), affinity=60)
    request(lab, exchange, "S")
    lab.serve(*((f"10.1.0.{number}", SERVER_PORT) for number in range(1, 13)), affinity=60)
    for sport in range(41_000, 41_010):
        request(lab, exchange, "S", sport)
