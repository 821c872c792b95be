"""SYNs on connections in use whose backend or service is removed: forged, or of a client that begins anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from k8slbrp import abi
from pcnhost.engine.source import Hook
from tests.datapath import maps
from tests.datapath.harness import Datapath
from tests.datapath.lab import CLIENT_IF, SERVER_IF, TCP_EXCHANGE, Lab, assert_dropped, assert_out
from tests.datapath.packets import (
    CLIENT,
    CLIENT_PORT,
    OTHER_SERVER,
    OTHER_VIP,
    PLAIN,
    ROUTER,
    SEEN,
    SERVER,
    SERVER_PORT,
    UNREACHABLE,
    VIP,
    VIP_PORT,
    quote,
)

TICKS = 2  # a backend that is silent for so long is left
TIMEOUT = 130
START = 1_000
CLOSED = abi.CONSTANTS["SESSION_CLOSED"]
ESTABLISHED = abi.CONSTANTS["SESSION_ESTABLISHED"]
REMOVALS = ("backend", "service", "for another service")


@pytest.fixture(scope="module")
def datapaths(timeless: Callable[[Hook], Datapath]) -> Callable[[Hook], Datapath]:
    return timeless


@dataclass
class Connection:
    """A client's connection to the VIP, which its backend sees as from `address` and `port`."""

    lab: Lab
    address: str = CLIENT
    port: int = CLIENT_PORT

    def request(self, flags: str, server: str = SERVER) -> None:
        """A packet of the client, which must reach `server`."""
        packet = TCP_EXCHANGE.request(CLIENT, VIP, PLAIN, flags=flags)
        assert_out(self.lab.from_client(packet), SERVER_IF, self.seen(flags, server))

    def seen(self, flags: str, server: str = SERVER) -> bytes:
        return TCP_EXCHANGE.request(self.address, server, PLAIN, self.port, SERVER_PORT, flags=flags)

    def sent(self, flags: str, server: str = SERVER) -> bytes:
        """A packet of `server` as it comes in."""
        return TCP_EXCHANGE.answer(server, self.address, PLAIN, dport=self.port, flags=flags)

    def answer(self, flags: str, server: str = SERVER) -> None:
        """A packet of `server`, which the client must get from the VIP."""
        expected = TCP_EXCHANGE.answer(VIP, CLIENT, PLAIN, VIP_PORT, flags=flags)
        assert_out(self.lab.from_server(self.sent(flags, server)), CLIENT_IF, expected)

    def establish(self, server: str = SERVER) -> None:
        self.request("S", server)
        self.answer("SA", server)
        self.request("A", server)

    def begins_anew(self) -> None:
        """Its next SYN opens a connection to another backend."""
        packet = TCP_EXCHANGE.request(CLIENT, VIP, PLAIN, flags="S")
        frame = self.lab.from_client(packet).frame
        session = self.lab.tables.session(TCP_EXCHANGE.forward_flow())
        assert session
        self.port = session.source_port
        assert frame == self.seen("S", OTHER_SERVER)
        self.answer("SA", OTHER_SERVER)
        self.request("A", OTHER_SERVER)

    @property
    def state(self) -> int:
        session = self.lab.tables.session(TCP_EXCHANGE.forward_flow())
        assert session
        return session.state


@pytest.fixture(params=["", "rewritten", "beside another one"])
def connection(lab: Lab, request: pytest.FixtureRequest) -> Connection:
    """Established."""
    lab.datapath.set_clock(START)
    lab.serve((SERVER, SERVER_PORT))
    made = Connection(lab)
    if request.param == "rewritten":
        lab.tables.set_rewrite((CLIENT, "255.255.255.255", SEEN))
        made.address = SEEN
    if request.param == "beside another one":
        lab.serve((SERVER, SERVER_PORT), vip=OTHER_VIP)
        lab.from_client(TCP_EXCHANGE.request(CLIENT, OTHER_VIP, PLAIN, flags="A"))
        frame = lab.from_client(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN, flags="S")).frame
        made.port = int.from_bytes(frame[34:36])
        assert made.port != CLIENT_PORT
    made.establish()
    made.answer("A")
    return made


def remove(lab: Lab, what: str) -> None:
    if what == "service":
        lab.tables.remove_service(VIP, VIP_PORT, TCP_EXCHANGE.proto)
        return
    lab.serve((OTHER_SERVER, SERVER_PORT))
    lab.serve((OTHER_SERVER if what == "backend" else SERVER, SERVER_PORT), vip=OTHER_VIP)


@pytest.mark.parametrize("what", REMOVALS)
def test_syns_do_not_move_a_connection_whose_backend_answers(connection: Connection, what: str) -> None:
    lab, now = connection.lab, START
    remove(lab, what)
    for wait in (0, 1, TICKS, TICKS + 1, TIMEOUT, 40_000, 40_000):
        now += wait
        lab.datapath.set_clock(now)
        connection.request("S")
        connection.answer("A")
        connection.request("S")  # at once: the server does not answer this one
    connection.request("PA")
    connection.answer("PA")
    assert connection.state == ESTABLISHED


def test_a_backend_that_answers_one_syn_need_not_answer_the_next_one(connection: Connection) -> None:
    """Linux answers one forged segment in half a second."""
    lab, now = connection.lab, START
    remove(lab, "backend")
    for _ in range(5):
        for wait, answers in ((TICKS, True), (0, False)):
            now += wait
            lab.datapath.set_clock(now)
            connection.request("S")
            if answers:
                connection.answer("A")
    connection.answer("PA")


@pytest.mark.parametrize("what", REMOVALS)
@pytest.mark.parametrize("half_closed", ["", "client", "server"])
def test_the_next_syn_leaves_a_backend_that_is_silent(
    connection: Connection, what: str, half_closed: str
) -> None:
    """Clients of Linux send one each second at first. Others' segments do not prolong it."""
    lab = connection.lab
    if half_closed == "client":
        connection.request("FA")
    if half_closed == "server":
        connection.answer("FA")
    remove(lab, what)
    for wait in range(TICKS):
        lab.datapath.set_clock(START + 10 + wait)
        connection.request("S")
        for flags in ("A", "P", "SA"):
            connection.request(flags)
    lab.datapath.set_clock(START + 10 + TICKS)
    if what == "service":
        for flags in ("S", "A"):
            packet = TCP_EXCHANGE.request(CLIENT, VIP, PLAIN, flags=flags)
            assert_out(lab.from_client(packet), SERVER_IF, packet)
    else:
        connection.begins_anew()


@pytest.mark.parametrize("next_one", ["SYN", "RST"])
def test_a_syn_long_ago_was_that_of_somebody_else(connection: Connection, next_one: str) -> None:
    """It may have been lost, or its answer. Whoever begins anew asks the backend, too; and a server that ends an idle
    connection ends it for its client."""
    lab = connection.lab
    remove(lab, "backend")
    lab.datapath.set_clock(START + TICKS)
    connection.request("S")
    lab.datapath.set_clock(START + TICKS + TIMEOUT + 1)
    if next_one == "RST":
        connection.answer("R")
        return
    connection.request("S")
    lab.datapath.set_clock(START + 2 * TICKS + TIMEOUT + 1)
    connection.begins_anew()


def test_a_syn_before_the_removal_does_not_count(connection: Connection) -> None:
    lab = connection.lab
    lab.datapath.set_clock(START + TICKS)
    connection.request("S")
    remove(lab, "backend")
    lab.datapath.set_clock(START + 2 * TICKS)
    connection.request("S")


@pytest.mark.parametrize("what", ["backend", "for another service"])
@pytest.mark.parametrize("answer", ["SA", "RA", "R"])
def test_a_backend_that_has_lost_the_connection_is_left_at_once(
    connection: Connection, what: str, answer: str
) -> None:
    """It takes the SYN for a new connection, or refuses: the client must not hear of it, or it would give up."""
    lab = connection.lab
    remove(lab, what)
    lab.datapath.set_clock(START + TICKS)
    connection.request("S")
    assert_dropped(lab.from_server(connection.sent(answer)))
    assert lab.count("no_session") == 1
    connection.begins_anew()


def test_a_host_that_is_unreachable_is_not_the_service(connection: Connection) -> None:
    lab = connection.lab
    remove(lab, "backend")
    lab.datapath.set_clock(START + TICKS)
    connection.request("S")
    error = UNREACHABLE.quoting(quote(connection.seen("S")), ROUTER, connection.address)
    assert_dropped(lab.from_server(error))
    assert lab.count("icmp_error") == 1
    lab.datapath.set_clock(START + 2 * TICKS)
    connection.begins_anew()


def test_a_reset_or_an_error_without_a_syn_is_passed_on(connection: Connection) -> None:
    lab = connection.lab
    remove(lab, "backend")
    lab.datapath.set_clock(START + TICKS)
    connection.request("S")
    connection.answer("A")
    error = UNREACHABLE.quoting(quote(connection.seen("PA")), ROUTER, connection.address)
    expected = UNREACHABLE.quoting(
        quote(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN, flags="PA")), ROUTER, CLIENT
    )
    assert_out(lab.from_server(error), CLIENT_IF, expected)
    connection.answer("RA")


@pytest.mark.parametrize("removed", [False, True], ids=["", "removed"])
def test_a_syn_leaves_the_state_as_it_is(connection: Connection, removed: bool) -> None:
    """Who has closed its side, has: also if the SYN is answered."""
    lab = connection.lab
    connection.request("FA")
    if removed:
        remove(lab, "backend")
    lab.datapath.set_clock(START + TICKS)
    connection.request("S")
    connection.answer("A")
    connection.answer("FA")
    assert connection.state == CLOSED


def test_a_connection_that_nobody_has_answered_is_left_at_once(lab: Lab) -> None:
    """A forged segment made it."""
    lab.serve((SERVER, SERVER_PORT))
    forged = Connection(lab)
    forged.request("A")
    remove(lab, "backend")
    forged.begins_anew()


def test_hairpin(lab: Lab) -> None:
    """The SYN-ACK of a pod that is its own client's backend is no request of it."""
    lab.datapath.set_clock(START)
    lab.serve((CLIENT, SERVER_PORT))
    pod = TCP_EXCHANGE.answer(CLIENT, VIP, PLAIN, flags="SA")
    for flags in ("S", "A"):
        lab.from_client(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN, flags=flags))
        assert lab.from_client(pod).out == SERVER_IF
    remove(lab, "backend")
    lab.datapath.set_clock(START + TICKS)
    lab.from_client(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN, flags="S"))
    assert_dropped(lab.from_client(pod))
    assert lab.tables.events() == {"new_session": 1, "no_session": 1}


def test_the_fast_path_takes_a_connection_again_once_it_has_answered(lab: Lab) -> None:
    lab.datapath.set_clock(START)
    lab.serve((SERVER, SERVER_PORT))
    made = Connection(lab)
    made.establish()
    remove(lab, "backend")
    lab.datapath.set_clock(START + TICKS)
    made.request("S")
    for flags, challenged in (("PA", START + TICKS), ("A", 0)):
        made.request(flags) if challenged else made.answer(flags)
        (raw,) = maps.contents(lab.datapath.maps["clients"]).values()
        assert raw is not None
        assert abi.struct("session").from_buffer_copy(raw).challenged == challenged
