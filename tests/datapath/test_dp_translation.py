"""Packets of a service: who gets them, and every byte of what they get."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from pcnhost.engine.source import Hook
from tests.datapath.harness import VLAN_TCI
from tests.datapath.lab import CLIENT_IF, EXCHANGES, SERVER_IF, TCP_EXCHANGE, Exchange, Lab, assert_out
from tests.datapath.packets import (
    CLIENT,
    CLIENT_PORT,
    OTHER_CLIENT,
    PLAIN,
    SERVER,
    SERVER_PORT,
    SHAPES,
    VIP,
    VIP_PORT,
    Shape,
    frame,
    tcp,
    udp,
)

each_exchange = pytest.mark.parametrize("exchange", EXCHANGES, ids=str)
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


@each_exchange
@each_shape
def test_request_goes_to_the_backend(lab: Lab, exchange: Exchange, shape: Shape) -> None:
    lab.serve((SERVER, SERVER_PORT))
    for flags in ("S", "A", "PA"):
        request = exchange.request(CLIENT, VIP, shape, flags=flags)
        expected = exchange.request(CLIENT, SERVER, shape, dport=SERVER_PORT, flags=flags)
        assert_out(lab.from_client(request), SERVER_IF, expected)
    assert lab.tables.events() == {"new_session": 1}


@each_exchange
@each_shape
def test_answer_comes_from_the_vip(lab: Lab, exchange: Exchange, shape: Shape) -> None:
    lab.serve((SERVER, SERVER_PORT))
    lab.from_other_client(exchange.request(OTHER_CLIENT, VIP, shape))
    for flags in ("SA", "A", "PA"):
        answer = exchange.answer(SERVER, OTHER_CLIENT, shape, flags=flags)
        expected = exchange.answer(VIP, OTHER_CLIENT, shape, sport=VIP_PORT, flags=flags)
        assert_out(lab.from_server(answer), lab.other_client_if, expected)


@pytest.mark.parametrize("length", [0, 1, 2, 3, 1400, 3400])
def test_any_length_of_payload(lab: Lab, length: int) -> None:
    lab.serve((SERVER, SERVER_PORT))
    payload = bytes(i * 7 & 0xFF for i in range(length))
    for l4 in (tcp, udp):
        request = frame(CLIENT, VIP, l4(CLIENT_PORT, VIP_PORT, payload=payload))
        expected = frame(CLIENT, SERVER, l4(CLIENT_PORT, SERVER_PORT, payload=payload))
        assert_out(lab.from_client(request), SERVER_IF, expected)
        answer = frame(SERVER, CLIENT, l4(SERVER_PORT, CLIENT_PORT, payload=payload))
        expected = frame(VIP, CLIENT, l4(VIP_PORT, CLIENT_PORT, payload=payload))
        assert_out(lab.from_server(answer), CLIENT_IF, expected)


def test_ethernet_padding_stays(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    padding = b"\xaa" * 18
    request = frame(CLIENT, VIP, tcp(CLIENT_PORT, VIP_PORT, "S", b""))
    expected = frame(CLIENT, SERVER, tcp(CLIENT_PORT, SERVER_PORT, "S", b""))
    assert_out(lab.from_client(request + padding), SERVER_IF, expected + padding)


def _payload_summing_to_zero(src: str, dst: str, sport: int, dport: int) -> bytes:
    """What makes the checksum of this UDP datagram 0, which is sent as 0xffff."""
    draft = Ether(frame(src, dst, udp(sport, dport, bytes(2))))
    payload = int(draft[UDP].chksum).to_bytes(2)
    assert Ether(frame(src, dst, udp(sport, dport, payload)))[UDP].chksum == 0xFFFF
    return payload


def test_udp_checksum_never_becomes_none(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    payload = _payload_summing_to_zero(CLIENT, SERVER, CLIENT_PORT, SERVER_PORT)
    request = frame(CLIENT, VIP, udp(CLIENT_PORT, VIP_PORT, payload))
    expected = frame(CLIENT, SERVER, udp(CLIENT_PORT, SERVER_PORT, payload))
    assert_out(lab.from_client(request), SERVER_IF, expected)

    payload = _payload_summing_to_zero(VIP, CLIENT, VIP_PORT, CLIENT_PORT)
    answer = frame(SERVER, CLIENT, udp(SERVER_PORT, CLIENT_PORT, payload))
    expected = frame(VIP, CLIENT, udp(VIP_PORT, CLIENT_PORT, payload))
    assert_out(lab.from_server(answer), CLIENT_IF, expected)


def test_udp_checksum_of_all_ones_stays_valid(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    payload = _payload_summing_to_zero(CLIENT, VIP, CLIENT_PORT, VIP_PORT)
    request = frame(CLIENT, VIP, udp(CLIENT_PORT, VIP_PORT, payload))
    expected = frame(CLIENT, SERVER, udp(CLIENT_PORT, SERVER_PORT, payload))
    assert_out(lab.from_client(request), SERVER_IF, expected)


@each_exchange
def test_backend_like_the_vip_changes_nothing(lab: Lab, exchange: Exchange) -> None:
    lab.serve((VIP, VIP_PORT))
    request = exchange.request(CLIENT, VIP, PLAIN)
    assert_out(lab.from_client(request), SERVER_IF, request)
    answer = exchange.answer(VIP, CLIENT, PLAIN, sport=VIP_PORT)
    assert_out(lab.from_server(answer), CLIENT_IF, answer)


@pytest.mark.parametrize("corrupt", ["ip", "l4"])
def test_wrong_checksum_stays_wrong(lab: Lab, corrupt: str) -> None:
    lab.serve((SERVER, SERVER_PORT))

    def damaged(src: str, dst: str, dport: int) -> bytes:
        packet = Ether(frame(src, dst, udp(CLIENT_PORT, dport)))
        layer = packet[IP] if corrupt == "ip" else packet[UDP]
        layer.chksum = layer.chksum ^ 0x0100
        return bytes(packet)

    outcome = lab.datapath.send(CLIENT_IF, damaged(CLIENT, VIP, VIP_PORT), complete=False)
    assert outcome.out == SERVER_IF
    packet = Ether(outcome.frame)
    right = Ether(frame(CLIENT, SERVER, udp(CLIENT_PORT, SERVER_PORT)))
    assert (packet[IP].chksum != right[IP].chksum) == (corrupt == "ip")
    assert (packet[UDP].chksum != right[UDP].chksum) == (corrupt == "l4")


@pytest.mark.parametrize("hook", [Hook.TC], ids=["TC"])
@each_exchange
def test_vlan_tag_beside_the_bytes(lab: Lab, exchange: Exchange) -> None:
    """Devices take the tag out of the frame; it must come out as it came in."""
    lab.serve((SERVER, SERVER_PORT))
    request = exchange.request(CLIENT, VIP, PLAIN)
    outcome = lab.datapath.send(CLIENT_IF, request, tagged=True)
    assert_out(outcome, SERVER_IF, exchange.request(CLIENT, SERVER, PLAIN, dport=SERVER_PORT))
    assert outcome.tci == VLAN_TCI
    outcome = lab.datapath.send(SERVER_IF, exchange.answer(SERVER, CLIENT, PLAIN), tagged=True)
    assert_out(outcome, CLIENT_IF, exchange.answer(VIP, CLIENT, PLAIN, sport=VIP_PORT))
    assert outcome.tci == VLAN_TCI


@pytest.mark.parametrize("hook", [Hook.TC], ids=["TC"])
def test_segmentation_offload(lab: Lab) -> None:
    """A packet of many segments is translated like one; the kernel cuts it later."""
    lab.serve((SERVER, SERVER_PORT))
    payload = bytes(range(256)) * 13
    lab.from_client(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN))
    request = frame(CLIENT, VIP, tcp(CLIENT_PORT, VIP_PORT, "A", payload))
    outcome = lab.datapath.send(CLIENT_IF, request, gso=(3, 1400))
    assert_out(outcome, SERVER_IF, frame(CLIENT, SERVER, tcp(CLIENT_PORT, SERVER_PORT, "A", payload)))
    answer = frame(SERVER, CLIENT, tcp(SERVER_PORT, CLIENT_PORT, "A", payload))
    outcome = lab.datapath.send(SERVER_IF, answer, gso=(3, 1400))
    assert_out(outcome, CLIENT_IF, frame(VIP, CLIENT, tcp(VIP_PORT, CLIENT_PORT, "A", payload)))
