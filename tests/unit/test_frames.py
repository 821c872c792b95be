"""Frames made and read, against another implementation."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Dot1Q, Ether

from pcnhost import frames
from pcnhost.frames import Packet

ENDS = {"src": "10.0.0.1", "dst": "10.0.0.2"}
PACKETS = [
    (
        Packet("TCP", "10.0.0.1", 5, "10.0.0.2", 80, ("SYN", "ACK")),
        TCP(sport=5, dport=80, flags="SA", seq=1, ack=1),
    ),
    (Packet("UDP", "10.0.0.1", 5, "10.0.0.2", 80), UDP(sport=5, dport=80)),
    (Packet("ICMP", "10.0.0.1", 9, "10.0.0.2", 0), ICMP(type=8, id=9)),
    (Packet("ICMP", "10.0.0.1", 0, "10.0.0.2", 9), ICMP(type=0, id=9)),
]


@pytest.mark.parametrize(("packet", "layer"), PACKETS, ids=lambda value: str(value)[:12])
def test_both_ways(packet: Packet, layer: object) -> None:
    made = Ether(packet.frame())
    sums = made[IP].chksum, made[IP].payload.chksum
    del made[IP].chksum, made[IP].payload.chksum
    rebuilt = Ether(bytes(made))
    assert (rebuilt[IP].chksum, rebuilt[IP].payload.chksum) == sums
    assert frames.read(packet.frame()) == packet
    assert frames.read(bytes(Ether() / Dot1Q(vlan=5) / IP(**ENDS, options=b"\x01" * 4) / layer)) == packet


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        bytes(Ether(type=0x86DD)) + bytes(60),
        bytes(Ether() / IP(**ENDS, proto=132) / bytes(20)),
        bytes(Ether() / IP(**ENDS, frag=3) / UDP()),
        bytes(Ether() / IP(**ENDS) / ICMP(type=3) / bytes(20)),
        bytes(Ether() / IP(**ENDS) / UDP())[:40],
    ],
)
def test_what_is_no_packet_of_a_flow(frame: bytes) -> None:
    assert frames.read(frame) is None
