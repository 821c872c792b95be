"""Sessions that the control plane has ended with a reset: it gets what either side sends, until a SYN opens anew."""

from __future__ import annotations

from socket import IPPROTO_TCP

import pytest

from k8slbrp import abi
from tests.datapath.lab import (
    CLIENT_IF,
    SERVER_IF,
    TCP_EXCHANGE,
    Lab,
    assert_dropped,
    assert_out,
    assert_punted,
)
from tests.datapath.packets import (
    CLIENT,
    OTHER_SERVER,
    OTHER_VIP,
    PLAIN,
    SERVER,
    SERVER_PORT,
    SHAPES,
    UNREACHABLE,
    VIP,
    Shape,
    quote,
)
from tests.datapath.tables import BACKEND, FRONTEND, RESET, TIMEOUTS

ENDED = abi.CONSTANTS["SESSION_ENDED"]


def request(flags: str, shape: Shape = PLAIN, vip: str = VIP) -> bytes:
    return TCP_EXCHANGE.request(CLIENT, vip, shape, flags=flags)


def established(lab: Lab, seen_as: str = CLIENT) -> None:
    lab.serve((SERVER, SERVER_PORT))
    lab.from_client(request("S"))
    lab.from_server(TCP_EXCHANGE.answer(SERVER, seen_as, PLAIN))
    lab.from_client(request("A"))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("flags", ["A", "PA", "FA", "R", "RA", "SA"])
def test_packets_of_both_sides(lab: Lab, shape: Shape, flags: str) -> None:
    established(lab)
    lab.tables.end_sessions()
    for packet, send, port in (
        (request(flags, shape), lab.from_client, CLIENT_IF),
        (TCP_EXCHANGE.answer(SERVER, CLIENT, shape, flags=flags), lab.from_server, SERVER_IF),
    ):
        assert_punted(send(packet), RESET, port, packet)
        session = lab.tables.session(TCP_EXCHANGE.forward_flow())
        assert session is not None and session.state == ENDED
    assert lab.tables.copies(RESET) == (2, 0)
    assert lab.tables.total(FRONTEND, "slow_path")[0] == lab.tables.total(BACKEND, "slow_path")[0] == 1


def test_a_syn_opens_anew(lab: Lab) -> None:
    established(lab)
    lab.tables.end_sessions()
    lab.serve((OTHER_SERVER, SERVER_PORT))
    expected = TCP_EXCHANGE.request(CLIENT, OTHER_SERVER, PLAIN, dport=SERVER_PORT)
    assert_out(lab.from_client(request("S")), SERVER_IF, expected)
    late = TCP_EXCHANGE.answer(SERVER, CLIENT, PLAIN, flags="A")
    assert_out(lab.from_server(late), CLIENT_IF, late)  # of nobody, so not from the VIP
    answer = lab.from_server(TCP_EXCHANGE.answer(OTHER_SERVER, CLIENT, PLAIN))
    assert answer.out == CLIENT_IF


def test_sessions_beside_others(lab: Lab) -> None:
    """Both directions of a session that stands in `flows`."""
    established(lab)
    lab.serve((SERVER, SERVER_PORT), vip=OTHER_VIP)
    lab.from_client(request("S", vip=OTHER_VIP))
    session = lab.tables.session(TCP_EXCHANGE.forward_flow(vip=OTHER_VIP))
    assert session is not None and session.table == "flows"
    lab.tables.end_sessions("flows")
    packet = request("A", vip=OTHER_VIP)
    assert_punted(lab.from_client(packet), RESET, CLIENT_IF, packet)
    packet = TCP_EXCHANGE.answer(SERVER, CLIENT, PLAIN, dport=session.source_port)
    assert_punted(lab.from_server(packet), RESET, SERVER_IF, packet)
    assert lab.from_client(request("A")).out == SERVER_IF


@pytest.mark.parametrize("first", ["clients", "flows"])
def test_a_packet_between_the_ends_of_both_entries_does_not_revive_one(lab: Lab, first: str) -> None:
    """A session with two entries is ended in one after the other. A packet meanwhile keeps the other entry alive."""
    lab.tables.set_rewrite(("10.0.0.0", "255.255.255.0", "10.9.8.0"))
    established(lab, seen_as="10.9.8.1")
    answer = TCP_EXCHANGE.answer(SERVER, "10.9.8.1", PLAIN, flags="A")
    lab.tables.age(1)
    lab.tables.end_sessions(first)
    if first == "clients":
        assert lab.from_server(answer).out == CLIENT_IF
    else:
        assert lab.from_client(request("A")).out == SERVER_IF
    lab.tables.end_sessions("flows" if first == "clients" else "clients")
    assert_punted(lab.from_server(answer), RESET, SERVER_IF, answer)
    assert_punted(lab.from_client(request("A")), RESET, CLIENT_IF, request("A"))


def test_icmp_errors_about_an_ended_session(lab: Lab) -> None:
    established(lab)
    lab.tables.end_sessions()
    seen = quote(TCP_EXCHANGE.request(CLIENT, SERVER, PLAIN, dport=SERVER_PORT))
    outcome = lab.from_server(UNREACHABLE.quoting(seen, SERVER, CLIENT))
    assert_out(outcome, CLIENT_IF, UNREACHABLE.quoting(quote(request("S")), VIP, CLIENT))


def test_nobody_waits_for_the_reset_any_more(lab: Lab) -> None:
    established(lab)
    lab.tables.end_sessions()
    lab.tables.age(TIMEOUTS[IPPROTO_TCP][ENDED] + 2)
    assert_dropped(lab.from_server(TCP_EXCHANGE.answer(SERVER, CLIENT, PLAIN, flags="A")))
    assert lab.count("no_session") == 1
    assert lab.from_client(request("A")).out == SERVER_IF  # found in the middle, as any other
