"""Which sessions get a place in `clients`: those of which both sides know. A flood of forged packets, which servers
answer as well, has none."""

from __future__ import annotations

import pytest

from k8slbrp import abi
from tests.datapath.lab import CLIENT_IF, SERVER_IF, TCP_EXCHANGE, UDP_EXCHANGE, Lab, assert_out
from tests.datapath.packets import (
    CLIENT,
    CLIENT_PORT,
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
from tests.datapath.talk import answer, request


def places(lab: Lab) -> tuple[int, int]:
    return lab.tables.sessions("openings"), lab.tables.sessions("clients")


@pytest.fixture
def lab(lab: Lab) -> Lab:
    lab.serve((SERVER, SERVER_PORT))
    return lab


def test_a_handshake_gets_one_when_the_client_goes_on(lab: Lab) -> None:
    request(lab, VIP, SERVER, "S")
    answer(lab, VIP, SERVER, "SA")
    answer(lab, VIP, SERVER, "SA")
    assert places(lab) == (1, 0)
    request(lab, VIP, SERVER, "A")
    assert places(lab) == (0, 1)


def test_a_client_that_closes_at_once_goes_on_as_well(lab: Lab) -> None:
    for flags in ("S", "FA"):
        request(lab, VIP, SERVER, flags)
        answer(lab, VIP, SERVER, "SA")
    assert places(lab) == (0, 1)


def test_a_client_that_resets_does_not(lab: Lab) -> None:
    request(lab, VIP, SERVER, "S")
    answer(lab, VIP, SERVER, "SA")
    request(lab, VIP, SERVER, "R")
    assert places(lab) == (1, 0)


@pytest.mark.parametrize("flags", ["", "P", "F"])
def test_a_segment_without_ack_says_nothing(lab: Lab, flags: str) -> None:
    """No server takes anything from it, so a forged one need not be found out."""
    request(lab, VIP, SERVER, "S")
    answer(lab, VIP, SERVER, "SA")
    request(lab, VIP, SERVER, flags)
    assert places(lab) == (1, 0)
    request(lab, VIP, SERVER, "A")
    assert places(lab) == (0, 1)
    answer(lab, VIP, SERVER, flags)
    request(lab, VIP, SERVER, flags)
    session = lab.tables.session(TCP_EXCHANGE.forward_flow())
    assert session and session.state == abi.CONSTANTS["SESSION_ESTABLISHED"]


def test_what_begins_with_a_segment_without_ack_is_a_handshake(lab: Lab) -> None:
    """Else the server's ACKs, which answer the forged packets, would be taken for the answers of a connection."""
    for flags in ("", "S"):
        request(lab, VIP, SERVER, flags)
    for flags in ("SA", "A"):
        answer(lab, VIP, SERVER, flags)
    assert places(lab) == (1, 0)
    request(lab, VIP, SERVER, "A")
    assert places(lab) == (0, 1)


@pytest.mark.parametrize("flags", [("FA",), ("A", "FA")], ids=["with its FIN", "in the middle"])
def test_a_half_closed_session_gets_one_after_an_answer(lab: Lab, flags: tuple[str, ...]) -> None:
    """Found so late. The server may send for a long time, and the client has no more to say."""
    for one in flags:
        request(lab, VIP, SERVER, one)
    answer(lab, VIP, SERVER, "PA")
    assert places(lab) == (1, 0)
    request(lab, VIP, SERVER, "A")
    assert places(lab) == (0, 1)


@pytest.mark.parametrize(("flags", "gets_one"), [("A", True), ("R", False), ("RA", False)])
def test_a_session_found_in_the_middle_gets_one_after_an_answer(lab: Lab, flags: str, gets_one: bool) -> None:
    request(lab, VIP, SERVER, "A")
    request(lab, VIP, SERVER, "A")
    answer(lab, VIP, SERVER, flags)
    assert places(lab) == (1, 0)
    request(lab, VIP, SERVER, "A")
    assert places(lab) == ((0, 1) if gets_one else (1, 0))


WINDOW = 1 << 17  # bytes, before and after what the server has sent


@pytest.mark.parametrize("offset", [-WINDOW - 2, WINDOW, 1 << 31], ids=["before", "after", "far"])
@pytest.mark.parametrize("flags", ["A", "PA", "FA"])
def test_who_acknowledges_what_the_server_has_not_sent_has_not_seen_it(
    lab: Lab, flags: str, offset: int
) -> None:
    """Nobody finds out such a forged packet if its checksum is wrong: the server takes no notice of it."""
    request(lab, VIP, SERVER, "S")
    answer(lab, VIP, SERVER, "SA")
    for _ in range(2):
        acknowledge(lab, offset, flags)
        answer(lab, VIP, SERVER, "A")  # of whatever the attacker has sent besides
    assert places(lab) == (1, 0)
    request(lab, VIP, SERVER, "A")
    assert places(lab) == (0, 1)


@pytest.mark.parametrize("offset", [-WINDOW, 0, WINDOW - 1])
def test_who_acknowledges_about_what_the_server_has_sent_has_seen_it(lab: Lab, offset: int) -> None:
    """More, when the server has sent data meanwhile; less, when packets have overtaken each other."""
    request(lab, VIP, SERVER, "S")
    answer(lab, VIP, SERVER, "SA")
    acknowledge(lab, offset)
    assert places(lab) == (0, 1)


@pytest.mark.parametrize("first", ["A", "S"])
def test_an_acknowledgement_before_the_answer_says_nothing(lab: Lab, first: str) -> None:
    for flags in (first, "A"):
        request(lab, VIP, SERVER, flags)
    for flags in ("SA", "A", "A"):
        answer(lab, VIP, SERVER, flags)
    assert places(lab) == (1, 0)


@pytest.mark.parametrize("start", [0, (1 << 32) - 3_000_000], ids=["from 0", "over 0"])
def test_a_download_found_in_the_middle_gets_one_while_it_goes_on(lab: Lab, start: int) -> None:
    """Its client is far away: what it acknowledges is always a million bytes behind what the server sends."""
    acknowledge(lab, start - 1_000_000)
    for offset in range(start, start + 4_000_000, 60_000):
        send(lab, offset)
        acknowledge(lab, offset - 1_000_000)
    assert places(lab) == (0, 1)


def test_a_client_that_is_past_what_was_remembered_gets_one_after_the_next_answer(lab: Lab) -> None:
    """As when the server had sent something twice."""
    acknowledge(lab, 1_000_000)
    send(lab, 0)
    acknowledge(lab, 1_000_000)
    assert places(lab) == (1, 0)
    send(lab, 1_000_000)
    acknowledge(lab, 1_000_000)
    assert places(lab) == (0, 1)


def acknowledge(lab: Lab, offset: int, flags: str = "A") -> None:
    """A packet of the client that acknowledges this much more than the server's SYN."""
    number = (SEQUENCE + 1 + offset) % (1 << 32)
    sent = (tcp(CLIENT_PORT, port, flags, acknowledged=number) for port in (VIP_PORT, SERVER_PORT))
    packet, expected = (frame(CLIENT, to, l4) for to, l4 in zip((VIP, SERVER), sent, strict=True))
    assert_out(lab.from_client(packet), SERVER_IF, expected)


def send(lab: Lab, offset: int) -> None:
    """A segment of the server, this much after its SYN."""
    number = (SEQUENCE + 1 + offset) % (1 << 32)
    packet = frame(SERVER, CLIENT, tcp(SERVER_PORT, CLIENT_PORT, sequence=number))
    assert lab.from_server(packet).out == CLIENT_IF


def test_udp_gets_one_with_an_answer(lab: Lab) -> None:
    request(lab, VIP, SERVER, exchange=UDP_EXCHANGE)
    assert places(lab) == (1, 0)
    answer(lab, VIP, SERVER, exchange=UDP_EXCHANGE)
    assert places(lab) == (0, 1)


def test_a_client_that_the_backend_sees_elsewhere(lab: Lab) -> None:
    """Whose answers are found in `flows`."""
    lab.tables.set_rewrite((CLIENT, "255.255.255.255", SEEN))
    assert lab.from_client(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN, flags="S")).out == SERVER_IF
    assert lab.from_server(TCP_EXCHANGE.answer(SERVER, SEEN, PLAIN, flags="SA")).out == CLIENT_IF
    assert places(lab) == (1, 0)
    assert lab.from_client(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN, flags="A")).out == SERVER_IF
    assert places(lab) == (0, 1)


def test_servers_answer_a_flood(lab: Lab) -> None:
    for port in range(CLIENT_PORT + 1, CLIENT_PORT + 300):
        request(lab, VIP, SERVER, "S", sport=port)
        answer(lab, VIP, SERVER, "SA", sport=port)
    assert lab.tables.sessions("clients") == 0
