"""Fragments: later ones have no ports and must go where the first one went, changed in the same way."""

from __future__ import annotations

import pytest

from tests.datapath.harness import Outcome
from tests.datapath.lab import (
    CLIENT_IF,
    EXCHANGES,
    SERVER_IF,
    UDP_EXCHANGE,
    Exchange,
    Lab,
    assert_dropped,
    assert_out,
    assert_punted,
)
from tests.datapath.packets import (
    CLIENT,
    CLIENT_PORT,
    LONG,
    PLAIN,
    SERVER,
    SERVER_PORT,
    SHAPES,
    STRANGER,
    VIP,
    VIP_PORT,
    Shape,
    fragments,
    frame,
    udp,
)
from tests.datapath.tables import FRAGMENT_HOLD, FRAGMENT_RELEASE, FRONTEND, REJECT

each_exchange = pytest.mark.parametrize("exchange", EXCHANGES, ids=str)


@each_exchange
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_datagram_of_many_fragments(lab: Lab, exchange: Exchange, shape: Shape) -> None:
    lab.serve((SERVER, SERVER_PORT))
    request = exchange.request(CLIENT, VIP, shape, payload=LONG)
    expected = exchange.request(CLIENT, SERVER, shape, dport=SERVER_PORT, payload=LONG)
    for sent, seen in zip(fragments(request), fragments(expected), strict=True):
        assert_out(lab.from_client(sent), SERVER_IF, seen)

    answer = exchange.answer(SERVER, CLIENT, shape, payload=LONG)
    expected = exchange.answer(VIP, CLIENT, shape, sport=VIP_PORT, payload=LONG)
    for sent, seen in zip(fragments(answer), fragments(expected), strict=True):
        assert_out(lab.from_server(sent), CLIENT_IF, seen)
    assert lab.tables.events() == {"new_session": 1}


def _datagram(dst: str = VIP, dport: int = VIP_PORT, src: str = CLIENT, sport: int = CLIENT_PORT) -> bytes:
    return frame(src, dst, udp(sport, dport, LONG))


def test_later_fragments_in_any_order(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    sent, seen = fragments(_datagram()), fragments(_datagram(SERVER, SERVER_PORT))
    for i in (0, *range(len(sent) - 1, 0, -1)):
        assert_out(lab.from_client(sent[i]), SERVER_IF, seen[i])


def test_datagrams_interleaved(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    sent = [fragments(_datagram(), identification) for identification in (1, 2)]
    seen = [fragments(_datagram(SERVER, SERVER_PORT), identification) for identification in (1, 2)]
    for i in range(len(sent[0])):
        for datagram in (0, 1):
            assert_out(lab.from_client(sent[datagram][i]), SERVER_IF, seen[datagram][i])


def assert_held(lab: Lab, outcome: Outcome, in_port: int, packet: bytes) -> None:
    assert_punted(outcome, FRAGMENT_HOLD, in_port, packet)


@each_exchange
@pytest.mark.parametrize("order", [(2, 0, 1), (1, 2, 0), (2, 1, 0)], ids=str)
def test_fragments_before_the_first_one(lab: Lab, exchange: Exchange, order: tuple[int, ...]) -> None:
    """They are held, and enter once more when the first one has come; the slow path is told so."""
    lab.serve((SERVER, SERVER_PORT))
    sent = fragments(exchange.request(CLIENT, VIP, PLAIN, payload=LONG))
    seen = fragments(exchange.request(CLIENT, SERVER, PLAIN, dport=SERVER_PORT, payload=LONG))
    replies = fragments(exchange.answer(SERVER, CLIENT, PLAIN, payload=LONG))
    got = fragments(exchange.answer(VIP, CLIENT, PLAIN, sport=VIP_PORT, payload=LONG))
    for send, in_port, out, pieces, results in (
        (lab.from_client, CLIENT_IF, SERVER_IF, sent, seen),
        (lab.from_server, SERVER_IF, CLIENT_IF, replies, got),
    ):
        held = []
        for i in order:
            outcome = send(pieces[i])
            if i != 0 and 0 in order[order.index(i) :]:
                assert_held(lab, outcome, in_port, pieces[i])
                held.append(i)
                continue
            assert (outcome.out, outcome.frame) == (out, results[i])
            assert [punt.reason for punt in outcome.punts] == ([FRAGMENT_RELEASE] if i == 0 else [])
        for i in held:
            assert_out(send(pieces[i]), out, results[i])
    assert lab.count("fragment_held") == 2 * order.index(0)


def test_later_fragment_comes_too_late(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    first, second, *_ = fragments(_datagram())
    lab.from_client(first)
    lab.tables.age(31)
    assert_held(lab, lab.from_client(second), CLIENT_IF, second)


def test_holding_is_limited(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    piece = fragments(_datagram())[1]
    held = sum(len(lab.from_client(piece).punts) for _ in range(1200))
    assert 256 <= held <= 1024  # a tick may end meanwhile, and the test change its CPU
    assert lab.tables.events() == {"fragment_held": held, "rate_limited": 1200 - held}


def test_fragments_of_a_refused_datagram(lab: Lab) -> None:
    lab.serve()
    first, second, *_ = fragments(_datagram())
    assert_punted(lab.from_client(first), REJECT, CLIENT_IF, first)
    assert_dropped(lab.from_client(second))
    assert lab.tables.events() == {"rejected": 1, "fragment": 1}


def test_fragments_of_an_answer_without_session(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    pieces = fragments(UDP_EXCHANGE.answer(SERVER, CLIENT, PLAIN, payload=LONG))
    for piece in pieces:
        assert_dropped(lab.from_server(piece))
    assert lab.tables.events() == {"no_session": 1, "fragment": len(pieces) - 1}


def test_fragments_do_not_follow_a_port_that_is_another_now(lab: Lab) -> None:
    """The client's port has gone, and its index belongs to a new one."""
    lab.serve((SERVER, SERVER_PORT))
    lab.from_client(UDP_EXCHANGE.request(CLIENT, VIP, PLAIN))
    first, second, *_ = fragments(UDP_EXCHANGE.answer(SERVER, CLIENT, PLAIN, payload=LONG))
    assert lab.from_server(first).out == CLIENT_IF
    lab.tables.remove_port(CLIENT_IF)
    lab.tables.add_port(CLIENT_IF, FRONTEND, SERVER_IF, "10.0.0.77")
    if lab.multi:
        assert_dropped(lab.from_server(second))
        assert lab.count("no_port") == 1
    else:
        assert lab.from_server(second).out == CLIENT_IF


def test_datagram_to_a_vip_but_not_to_a_service(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    for piece in fragments(_datagram(dport=VIP_PORT + 1)):
        assert_out(lab.from_client(piece), SERVER_IF, piece)


def test_other_protocol_to_a_vip(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    for piece in fragments(frame(CLIENT, VIP, LONG, proto=50)):
        assert_out(lab.from_client(piece), SERVER_IF, piece)


def test_datagram_to_somebody_else(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    for piece in fragments(_datagram(STRANGER)):
        assert_out(lab.from_client(piece), SERVER_IF, piece)
    for piece in fragments(_datagram(CLIENT, src=STRANGER)):
        assert_out(lab.from_server(piece), CLIENT_IF, piece)


def test_identification_used_again(lab: Lab) -> None:
    """A new datagram's first fragment decides, whatever an earlier one with its identification has left."""
    lab.serve((SERVER, SERVER_PORT))
    for piece, seen in zip(fragments(_datagram()), fragments(_datagram(SERVER, SERVER_PORT)), strict=True):
        assert_out(lab.from_client(piece), SERVER_IF, seen)
    for piece in fragments(_datagram(dport=VIP_PORT + 1)):
        assert_out(lab.from_client(piece), SERVER_IF, piece)

    answer = _datagram(CLIENT, CLIENT_PORT, SERVER, SERVER_PORT)
    expected = _datagram(CLIENT, CLIENT_PORT, VIP, VIP_PORT)
    for piece, seen in zip(fragments(answer), fragments(expected), strict=True):
        assert_out(lab.from_server(piece), CLIENT_IF, seen)
    for piece in fragments(_datagram(CLIENT, CLIENT_PORT, SERVER, SERVER_PORT + 1)):
        assert_out(lab.from_server(piece), CLIENT_IF, piece)


def test_short_first_fragment(lab: Lab) -> None:
    """Too short for a TCP header, even if padding makes the frame long enough."""
    lab.serve((SERVER, SERVER_PORT))
    tiny = frame(CLIENT, VIP, UDP_EXCHANGE.request(CLIENT, VIP, PLAIN)[34:42], flags="MF", proto=6)
    assert_dropped(lab.from_client(tiny))
    assert_dropped(lab.from_client(tiny + bytes(40)))
    assert lab.tables.events() == {"malformed": 2}
