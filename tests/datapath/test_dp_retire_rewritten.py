"""Sessions whose answers stand in `flows` make room when they end, as others do, also while no host runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from pcnhost.engine.source import Hook
from tests.datapath.harness import Datapath, timeless_copies
from tests.datapath.lab import CLIENT_IF, SERVER_IF, TCP_EXCHANGE, Lab
from tests.datapath.packets import CLIENT, CLIENT_PORT, OTHER_VIP, PLAIN, SERVER, SERVER_PORT, VIP

SESSIONS = 1024
SEEN = "10.9.8.7"


@pytest.fixture(scope="module")
def datapaths() -> Iterator[Callable[[Hook], Datapath]]:
    """Programs with a small table, and a clock that the test moves."""
    with timeless_copies(SESSIONS) as copy:
        yield copy


@pytest.fixture
def lab(lab: Lab) -> Lab:
    for vip in (VIP, OTHER_VIP):
        lab.serve((SERVER, SERVER_PORT), vip=vip)
    lab.tables.set_rewrite((CLIENT, "255.255.255.255", SEEN))
    lab.datapath.set_clock(1000)
    return lab


def ask(lab: Lab, flags: str, port: int = CLIENT_PORT, vip: str = VIP) -> bool:
    return lab.from_client(TCP_EXCHANGE.request(CLIENT, vip, PLAIN, port, flags=flags)).out == SERVER_IF


def tell(lab: Lab, flags: str, port: int = CLIENT_PORT) -> bool:
    return lab.from_server(TCP_EXCHANGE.answer(SERVER, SEEN, PLAIN, dport=port, flags=flags)).out == CLIENT_IF


def whole_connection(lab: Lab, port: int) -> bool:
    """Whether every packet of it has arrived."""
    opened = ask(lab, "S", port) and tell(lab, "SA", port) and ask(lab, "A", port)
    return opened and ask(lab, "FA", port) and tell(lab, "FA", port) and ask(lab, "A", port)


def test_more_connections_than_there_are_places(lab: Lab) -> None:
    for number in range(3 * SESSIONS):
        lab.datapath.set_clock(1000 + number)
        assert whole_connection(lab, 2000 + number), f"the one after {number}"


def test_an_older_session_does_not_take_the_answers_of_a_newer_one_along(lab: Lab) -> None:
    """The newer one has got the source port that the older one had."""
    assert ask(lab, "S")
    assert ask(lab, "S", vip=OTHER_VIP)
    older = lab.tables.session(TCP_EXCHANGE.forward_flow(vip=OTHER_VIP))
    assert older
    port = older.source_port
    assert port != CLIENT_PORT
    for flags in ("SA", "FA"):
        tell(lab, flags)
        ask(lab, "FA")
    for _ in range(2):  # the second time it has the place of the first in `clients`
        ask(lab, "S", vip=OTHER_VIP)
        tell(lab, "SA", port)
        for flags in ("A", "FA"):
            ask(lab, flags, vip=OTHER_VIP)
        tell(lab, "FA", port)
    lab.datapath.set_clock(1300)
    assert ask(lab, "S", port)
    assert tell(lab, "SA", port)
    assert ask(lab, "A", port)
    for number in range(SESSIONS):
        whole_connection(lab, 2000 + number)
        assert tell(lab, "A", port), f"after {number} more have ended"
