"""Fragments: later ones have no ports and must go where the first one went, changed in the same way."""

from __future__ import annotations

import pytest

from tests.datapath.lab import (
    CLIENT_IF,
    EXCHANGES,
    SERVER_IF,
    UDP_EXCHANGE,
    Exchange,
    Lab,
    assert_dropped,
    assert_out,
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


def test_later_fragment_to_a_vip_without_its_first(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    assert_dropped(lab.from_client(fragments(_datagram())[1]))
    assert lab.tables.events() == {"fragment": 1}


def test_later_fragment_comes_too_late(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    first, second, *_ = fragments(_datagram())
    lab.from_client(first)
    lab.tables.age(31)
    assert_dropped(lab.from_client(second))


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
