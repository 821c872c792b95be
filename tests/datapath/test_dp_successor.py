"""SYNs on connections in use whose backend is removed: forged, or of a client that begins anew."""

from __future__ import annotations

from dataclasses import dataclass
from socket import IPPROTO_TCP

import pytest

from k8slbrp import abi
from tests.datapath import maps
from tests.datapath.lab import CLIENT_IF, SERVER_IF, Lab, assert_dropped, assert_out, assert_punted
from tests.datapath.packets import (
    CLIENT,
    CLIENT_PORT,
    OTHER_SERVER,
    OTHER_VIP,
    PLAIN,
    SEEN,
    SEQUENCE,
    SERVER,
    SERVER_PORT,
    VIP,
    VIP_PORT,
    frame,
    tcp,
)
from tests.datapath.tables import REJECT

THIRD_SERVER = "10.1.0.3"
ISN = 1 << 30  # the successor's server's, ahead of the first one's


@dataclass
class Talk:
    """Packets between the client and `server`, which both sides have to get."""

    lab: Lab
    server: str
    ahead: int = ISN  # of the server's sequence numbers
    seen: str = CLIENT
    port: int = CLIENT_PORT  # the client's, as the server sees it

    def request(self, flags: str, acknowledged: int = 1) -> None:
        number = (SEQUENCE + self.ahead + acknowledged) % (1 << 32)
        segment = tcp(CLIENT_PORT, VIP_PORT, flags, acknowledged=number)
        expected = tcp(self.port, SERVER_PORT, flags, acknowledged=number)
        assert_out(
            self.lab.from_client(frame(CLIENT, VIP, segment, PLAIN, ttl=61)),
            SERVER_IF,
            frame(self.seen, self.server, expected, PLAIN, ttl=61),
        )

    def answer(self, flags: str, sent: int = 0) -> None:
        number = SEQUENCE + self.ahead + sent
        segment = tcp(SERVER_PORT, self.port, flags, sequence=number)
        expected = tcp(VIP_PORT, CLIENT_PORT, flags, sequence=number)
        assert_out(
            self.lab.from_server(frame(self.server, self.seen, segment, PLAIN, ttl=62)),
            CLIENT_IF,
            frame(VIP, CLIENT, expected, PLAIN, ttl=62),
        )

    def begin(self) -> None:
        self.request("S")
        self.answer("SA")

    def establish(self) -> None:
        self.begin()
        self.request("A")

    def go_on(self) -> None:
        for _ in range(3):
            self.request("PA")
            self.answer("PA", 1)
            self.lab.tables.age(1)


@pytest.fixture(params=["same-address", "other-address"])
def old(lab: Lab, request: pytest.FixtureRequest) -> Talk:
    """A connection to a server, which sees the client under its own address or another one."""
    seen = CLIENT
    if request.param == "other-address":
        seen = SEEN
        lab.tables.set_rewrite((CLIENT, "255.255.255.255", SEEN))
    lab.serve((SERVER, SERVER_PORT))
    talk = Talk(lab, SERVER, 0, seen)
    talk.establish()
    return talk


def begin_packet(vip: str = VIP) -> bytes:
    return frame(CLIENT, vip, tcp(CLIENT_PORT, VIP_PORT, "S"), PLAIN, ttl=61)


def remove_server(lab: Lab, *left: str) -> None:
    lab.serve(*((server, SERVER_PORT) for server in left))


@pytest.fixture
def new(lab: Lab, old: Talk) -> Talk:
    return Talk(lab, OTHER_SERVER, seen=old.seen)


def is_contested(lab: Lab) -> bool:
    (raw,) = maps.contents(lab.datapath.maps["clients"]).values()
    assert raw is not None
    flags: int = abi.struct("session").from_buffer_copy(raw).flags
    return flags & abi.CONSTANTS["SESSION_FLAG_CONTESTED"] != 0


def assert_passes(lab: Lab, server: str, seen: str) -> None:
    """A late packet of a server without session: not as if it came from the VIP."""
    late = frame(server, seen, tcp(SERVER_PORT, CLIENT_PORT, "A"), PLAIN, ttl=62)
    assert lab.from_server(late).frame == late


@pytest.mark.parametrize("last", ["A", "FA", "R"])
def test_forged_syns_do_not_move_a_connection(lab: Lab, old: Talk, new: Talk, last: str) -> None:
    """Also after a FIN or an RST; and however far the acknowledgements are from that of the handshake."""
    old.request(last)
    remove_server(lab, OTHER_SERVER)
    for _ in range(3):
        new.begin()
        old.go_on()
        for guess in (0, 2, 1460, 1 << 17):
            Talk(lab, SERVER, ISN, old.seen).request("A", guess)
    old.request("RA")
    old.go_on()


@pytest.mark.parametrize("last", ["A", "FA", "R"])
def test_a_client_that_begins_anew_has_another_backend_at_once(
    lab: Lab, old: Talk, new: Talk, last: str
) -> None:
    old.request(last)
    remove_server(lab, OTHER_SERVER)
    new.request("S")
    old.answer("A")
    new.establish()
    new.go_on()
    assert_passes(lab, SERVER, old.seen)
    new.request("FA")
    new.answer("FA", 1)
    assert lab.tables.sessions("clients") == 1
    assert not is_contested(lab)
    assert lab.tables.sessions("openings") == 0
    assert lab.tables.sessions("flows") == (old.seen != CLIENT)


def test_the_first_data_confirms_when_the_acknowledgement_is_lost(lab: Lab, old: Talk, new: Talk) -> None:
    remove_server(lab, OTHER_SERVER)
    new.begin()
    new.request("PA")
    new.go_on()


def test_a_successor_whose_backend_is_removed_has_a_successor(lab: Lab, old: Talk, new: Talk) -> None:
    """With the next SYN."""
    third = Talk(lab, THIRD_SERVER, 2 * ISN, old.seen)
    remove_server(lab, OTHER_SERVER)
    new.begin()
    remove_server(lab, THIRD_SERVER)
    assert_dropped(lab.from_client(begin_packet()))
    third.begin()
    assert_passes(lab, OTHER_SERVER, old.seen)
    old.go_on()
    Talk(lab, SERVER, ISN, old.seen).request("A")  # what the second one would have to get
    third.establish()
    third.go_on()
    assert lab.tables.sessions("clients", "openings") == 1


def test_a_connection_goes_on_when_its_successor_is_evicted(lab: Lab, old: Talk, new: Talk) -> None:
    remove_server(lab, OTHER_SERVER)
    new.begin()
    assert is_contested(lab)
    lab.tables.openings.clear()
    old.go_on()
    new.establish()
    new.go_on()


def test_a_successor_that_nobody_has_confirmed_in_time_is_none(lab: Lab, old: Talk, new: Talk) -> None:
    remove_server(lab, OTHER_SERVER)
    new.begin()
    for _ in range(300):
        lab.tables.age(1)
        old.request("PA")
        old.answer("PA", 1)
    Talk(lab, SERVER, ISN, old.seen).request("A")
    new.establish()
    new.go_on()


@pytest.mark.parametrize("old", ["same-address"], indirect=True)
def test_a_successor_gets_another_source_port_beside_a_direct_connection(
    lab: Lab, old: Talk, new: Talk
) -> None:
    remove_server(lab, OTHER_SERVER)
    direct = frame(CLIENT, OTHER_SERVER, tcp(CLIENT_PORT, SERVER_PORT, "S"), PLAIN, ttl=61)
    assert_out(lab.from_client(direct), SERVER_IF, direct)
    opened = lab.from_client(begin_packet())
    new.port = int.from_bytes(opened.frame[34:36])
    assert new.port != CLIENT_PORT
    new.begin()
    old.go_on()
    new.request("A")
    new.go_on()
    back = frame(OTHER_SERVER, CLIENT, tcp(SERVER_PORT, CLIENT_PORT, "SA"), PLAIN, ttl=62)
    assert_out(lab.from_server(back), CLIENT_IF, back)


def test_nothing_is_left_when_a_syn_is_for_no_service_any_more(lab: Lab, old: Talk, new: Talk) -> None:
    remove_server(lab, OTHER_SERVER)
    new.begin()
    lab.tables.remove_service(VIP, VIP_PORT, IPPROTO_TCP)
    assert_dropped(lab.from_client(begin_packet()))  # it was for the successor
    assert_out(lab.from_client(begin_packet()), SERVER_IF, begin_packet())
    assert lab.tables.sessions() == 0
    assert_passes(lab, SERVER, old.seen)
    packet = frame(CLIENT, VIP, tcp(CLIENT_PORT, VIP_PORT, "A"), PLAIN, ttl=61)
    assert_out(lab.from_client(packet), SERVER_IF, packet)
    assert lab.tables.sessions() == 0


def test_the_backend_is_there_again(lab: Lab, old: Talk, new: Talk) -> None:
    remove_server(lab, OTHER_SERVER)
    new.begin()
    remove_server(lab, SERVER)
    assert_dropped(lab.from_client(begin_packet()))
    old.request("S")
    old.answer("A")
    old.go_on()
    assert lab.tables.sessions("clients", "openings") == 1


def test_an_rst_that_acknowledges_nothing_is_for_the_successor(lab: Lab, old: Talk, new: Talk) -> None:
    """A server that has a SYN that the client has not sent, or not now, challenges the client's own one."""
    remove_server(lab, OTHER_SERVER)
    new.request("S")
    old.request("R")  # it has not answered yet
    new.answer("SA")
    new.request("S")
    new.answer("A", 1)
    new.request("R")
    old.request("RA")
    new.establish()
    new.go_on()


@pytest.mark.parametrize("closing", ["client", "server"])
def test_an_rst_is_for_the_successor_also_after_a_fin(lab: Lab, old: Talk, new: Talk, closing: str) -> None:
    remove_server(lab, OTHER_SERVER)
    new.begin()
    if closing == "client":
        new.request("SF")
    else:
        new.answer("FA", 1)
    new.request("R")
    new.begin()
    new.request("RA")


def test_an_initial_sequence_number_that_wraps(lab: Lab, old: Talk) -> None:
    new = Talk(lab, OTHER_SERVER, 0xFFFFFFFF - SEQUENCE, old.seen)
    remove_server(lab, OTHER_SERVER)
    new.establish()
    new.request("PA")


def test_another_client_does_not_see_what_the_new_backend_answers(lab: Lab, old: Talk, new: Talk) -> None:
    """Or it could acknowledge it."""
    remove_server(lab, OTHER_SERVER)
    lab.from_other_client(begin_packet())
    new.answer("SA")


@pytest.mark.parametrize("old", ["same-address"], indirect=True)
def test_a_session_in_the_place_of_one_that_is_over_has_no_old_successor(
    lab: Lab, old: Talk, new: Talk
) -> None:
    old.request("RA")
    remove_server(lab, OTHER_SERVER)
    new.begin()
    for _ in range(5):
        lab.tables.age(60)
        new.answer("SA")
    remove_server(lab, SERVER)
    old.request("PA", 5)
    old.answer("PA", 5)
    remove_server(lab, OTHER_SERVER)
    new.begin()


def test_a_successor_that_is_ended_with_a_reset(lab: Lab, old: Talk, new: Talk) -> None:
    remove_server(lab, OTHER_SERVER)
    new.begin()
    lab.tables.end_sessions()
    assert_dropped(lab.from_client(begin_packet()))
    new.establish()
    new.go_on()


def test_without_backends_nothing_is_left_of_a_successor(lab: Lab, old: Talk, new: Talk) -> None:
    remove_server(lab, OTHER_SERVER)
    new.begin()
    remove_server(lab)
    assert_dropped(lab.from_client(begin_packet()))
    assert_passes(lab, OTHER_SERVER, old.seen)
    old.go_on()
    assert lab.tables.sessions("clients", "openings") == 1


def test_a_connection_that_was_reset_and_begun_anew_by_forged_packets_is_not_moved(
    lab: Lab, old: Talk, new: Talk
) -> None:
    old.request("R")
    old.request("S")
    old.answer("A")
    remove_server(lab, OTHER_SERVER)
    new.begin()
    old.go_on()


def test_a_new_connection_in_the_place_of_a_closed_one_is_not_contested(
    lab: Lab, old: Talk, new: Talk
) -> None:
    remove_server(lab, OTHER_SERVER)
    new.begin()
    old.request("FA")
    old.answer("FA", 1)
    lab.tables.openings.clear()
    remove_server(lab, SERVER)
    old.establish()
    old.go_on()
    assert not is_contested(lab)


def test_without_backends_a_connection_goes_on_after_a_syn(lab: Lab, old: Talk) -> None:
    remove_server(lab)
    assert_punted(lab.from_client(begin_packet()), REJECT, CLIENT_IF, begin_packet())
    old.go_on()


def test_no_successor_is_left_when_its_session_is_over(lab: Lab, old: Talk, new: Talk) -> None:
    """The client's port is another connection's since."""
    remove_server(lab, OTHER_SERVER)
    new.begin()
    lab.tables.age(100_000)
    lab.serve((OTHER_SERVER, SERVER_PORT), vip=OTHER_VIP)
    assert lab.from_client(begin_packet(OTHER_VIP)).out == SERVER_IF
    assert lab.tables.sessions("clients", "openings") == 1


@pytest.mark.parametrize("old", ["same-address"], indirect=True)
def test_a_successor_is_confirmed_beside_another_connection(lab: Lab, old: Talk, new: Talk) -> None:
    """Which would take the place of the old one, as that is closed."""
    remove_server(lab, OTHER_SERVER)
    new.begin()
    old.request("FA")
    old.answer("FA", 1)
    lab.serve((SERVER, SERVER_PORT), vip=OTHER_VIP)
    assert lab.from_client(begin_packet(OTHER_VIP)).out == SERVER_IF
    new.request("A")
    new.go_on()
    assert lab.tables.sessions("openings") == 0
