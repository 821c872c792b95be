"""Frames by scapy, which computes every checksum itself: what comes out must equal such a frame."""

from __future__ import annotations

from dataclasses import dataclass
from socket import IPPROTO_ICMP
from typing import Any

from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption, fragment
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether
from scapy.packet import Packet, Raw
from scapy.utils import checksum

CLIENT, OTHER_CLIENT, STRANGER = "10.0.0.1", "10.0.0.2", "192.0.2.7"
SEEN = "10.9.8.7"  # instead of a client, in tests where the backend sees another address
ROUTER = "172.16.0.1"
VIP, OTHER_VIP = "10.96.0.1", "10.96.0.2"
SERVER, OTHER_SERVER = "10.1.0.1", "10.1.0.2"
CLIENT_PORT, VIP_PORT, SERVER_PORT = 40000, 80, 8080
PAYLOAD = b"some data of odd length"
LONG = bytes(range(251)) * 20
ETHERNET = 14

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
    src: str, dst: str, l4: Packet | bytes, shape: Shape = PLAIN, *, to: str = MAC, **ip_fields: Any
) -> bytes:
    """An IPv4 frame; scapy fills in what is not given."""
    ether: Packet = Ether(src=OTHER_MAC, dst=to)
    if shape.tags == 2:
        ether /= Dot1AD(vlan=7)
    if shape.tags:
        ether /= Dot1Q(vlan=42, prio=3)
    options = [IPOption(b"\x01" * 4 * shape.option_words)] if shape.option_words else []
    return bytes(ether / IP(src=src, dst=dst, options=options, **ip_fields) / l4)


SEQUENCE = 1000  # of segments of clients and servers, if a test does not say another one


def tcp(
    sport: int,
    dport: int,
    flags: str = "A",
    payload: bytes = PAYLOAD,
    sequence: int = SEQUENCE,
    acknowledged: int = SEQUENCE + 1,
) -> Packet:
    return TCP(sport=sport, dport=dport, flags=flags, seq=sequence, ack=acknowledged) / Raw(payload)


def udp(sport: int, dport: int, payload: bytes = PAYLOAD) -> Packet:
    return UDP(sport=sport, dport=dport) / Raw(payload)


def udp_unsummed(sport: int, dport: int, payload: bytes = PAYLOAD) -> Packet:
    return UDP(sport=sport, dport=dport, chksum=0) / Raw(payload)


def ping(identifier: int, payload: bytes = PAYLOAD) -> Packet:
    return ICMP(type="echo-request", id=identifier, seq=5) / Raw(payload)


def pong(identifier: int, payload: bytes = PAYLOAD) -> Packet:
    return ICMP(type="echo-reply", id=identifier, seq=5) / Raw(payload)


@dataclass(frozen=True)
class IcmpError:
    """An ICMP error: type, code, and the 32 bits before the quoted packet."""

    name: str
    type: int
    code: int
    rest: int = 0

    def __str__(self) -> str:
        return self.name

    def quoting(self, quoted: bytes, src: str, dst: str, shape: Shape = PLAIN) -> bytes:
        """The frame with this error about `quoted`."""
        body = self.rest.to_bytes(4) + quoted
        head = bytes([self.type, self.code])
        icmp = head + checksum(head + bytes(2) + body).to_bytes(2) + body
        return frame(src, dst, icmp, shape, proto=IPPROTO_ICMP)


UNREACHABLE = IcmpError("port-unreachable", 3, 3)


def quote(packet: bytes, shape: Shape = PLAIN, l4_bytes: int | None = None) -> bytes:
    """What an error carries of `packet`: IP header and so much of the rest."""
    start = ETHERNET + 4 * shape.tags
    return packet[start : None if l4_bytes is None else start + 20 + 4 * shape.option_words + l4_bytes]


def fragments(whole: bytes, identification: int = 4711) -> list[bytes]:
    """The frame cut in pieces of 1400 bytes of IP payload, by scapy, which recomputes header checksums."""
    packet = Ether(whole)
    packet[IP].id = identification
    del packet[IP].chksum
    pieces = fragment(packet, 1400)  # type: ignore[no-untyped-call]
    assert len(pieces) > 2
    return [bytes(piece) for piece in pieces]
