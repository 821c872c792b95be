"""Frames by scapy, which computes every checksum itself: what comes out is compared with such a frame, byte by byte."""

from __future__ import annotations

from dataclasses import dataclass

from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether
from scapy.packet import Packet, Raw

CLIENT, OTHER_CLIENT, STRANGER = "10.0.0.1", "10.0.0.2", "192.0.2.7"
VIP, OTHER_VIP = "10.96.0.1", "10.96.0.2"
SERVER, OTHER_SERVER = "10.1.0.1", "10.1.0.2"
CLIENT_PORT, VIP_PORT, SERVER_PORT = 40000, 80, 8080
PAYLOAD = b"some data of odd length"

MAC, OTHER_MAC, BROADCAST = "02:00:00:00:00:01", "02:00:00:00:00:02", "ff:ff:ff:ff:ff:ff"


@dataclass(frozen=True)
class Shape:
    """What stands before the L4 header: number of VLAN tags, words of IP options."""

    name: str
    tags: int = 0
    option_words: int = 0

    def __str__(self) -> str:
        return self.name


PLAIN = Shape("plain")
SHAPES = (
    PLAIN,
    Shape("vlan", tags=1),
    Shape("qinq", tags=2),
    Shape("options", option_words=1),
    Shape("all-options", option_words=10),
    Shape("qinq-all-options", tags=2, option_words=10),
)


def frame(
    src: str, dst: str, l4: Packet | bytes, shape: Shape = PLAIN, *, to: str = MAC, **ip_fields: int | str
) -> bytes:
    """An IPv4 frame; scapy fills in what is not given."""
    ether: Packet = Ether(src=OTHER_MAC, dst=to)
    if shape.tags == 2:
        ether /= Dot1AD(vlan=7)
    if shape.tags:
        ether /= Dot1Q(vlan=42, prio=3)
    options = [IPOption(b"\x01" * 4 * shape.option_words)] if shape.option_words else []
    return bytes(ether / IP(src=src, dst=dst, options=options, **ip_fields) / l4)


def tcp(sport: int, dport: int, flags: str = "A", payload: bytes = PAYLOAD) -> Packet:
    return TCP(sport=sport, dport=dport, flags=flags, seq=1000, ack=2000) / Raw(payload)


def udp(sport: int, dport: int, payload: bytes = PAYLOAD) -> Packet:
    return UDP(sport=sport, dport=dport) / Raw(payload)


def udp_unsummed(sport: int, dport: int, payload: bytes = PAYLOAD) -> Packet:
    return UDP(sport=sport, dport=dport, chksum=0) / Raw(payload)


def ping(identifier: int, payload: bytes = PAYLOAD) -> Packet:
    return ICMP(type="echo-request", id=identifier, seq=5) / Raw(payload)


def pong(identifier: int, payload: bytes = PAYLOAD) -> Packet:
    return ICMP(type="echo-reply", id=identifier, seq=5) / Raw(payload)
