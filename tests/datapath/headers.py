"""Frames as the model sees them: where the headers are, and sums over bytes. Owes nothing to the C code."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from socket import IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP

ETHERNET, IPV4, ICMP_HEAD, ARP_BYTES = 14, 20, 8, 28
TYPE_IPV4, TYPE_ARP = 0x0800, 0x0806
TAG_TYPES = (0x8100, 0x88A8)
MOST_TAGS = 2
SHORTEST_L4 = {IPPROTO_TCP: 20, IPPROTO_UDP: 8, IPPROTO_ICMP: 8}
CHECKSUM_AT = {IPPROTO_TCP: 16, IPPROTO_UDP: 6, IPPROTO_ICMP: 2}
ECHO_REPLY, ECHO_REQUEST = 0, 8
ICMP_ERRORS = (3, 4, 11, 12)
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10


class Kind(Enum):
    """What a frame is to the load balancer."""

    MALFORMED = 1
    ARP = 2
    NOT_IP = 3
    LATER_FRAGMENT = 4
    FLOW = 5
    ICMP_ERROR = 6
    OTHER_IP = 7


def word(data: bytes | bytearray, at: int) -> int:
    return data[at] << 8 | data[at + 1]


def residue(data: bytes | bytearray) -> int:
    """The sum of the 16-bit words of `data` (a last odd byte is padded with zero), modulo 0xffff."""
    return int.from_bytes(data + b"\0" if len(data) & 1 else data) % 0xFFFF


@dataclass
class Datagram:
    """An IPv4 packet in `data`: header at `l3`, L4 header at `l4`."""

    data: bytearray
    l3: int
    l4: int

    @property
    def src(self) -> bytes:
        return bytes(self.data[self.l3 + 12 : self.l3 + 16])

    @property
    def dst(self) -> bytes:
        return bytes(self.data[self.l3 + 16 : self.l3 + 20])

    @property
    def proto(self) -> int:
        return self.data[self.l3 + 9]

    @property
    def identification(self) -> int:
        return word(self.data, self.l3 + 4)

    @property
    def is_later_fragment(self) -> bool:
        return bool(word(self.data, self.l3 + 6) & 0x1FFF)

    @property
    def is_first_fragment(self) -> bool:
        return word(self.data, self.l3 + 6) & 0x3FFF == 0x2000

    @property
    def icmp_type(self) -> int:
        return self.data[self.l4]

    @property
    def tcp_flags(self) -> int:
        return self.data[self.l4 + 13]

    @property
    def sequence(self) -> int:
        return int.from_bytes(self.data[self.l4 + 4 : self.l4 + 8])

    @property
    def acknowledged(self) -> int:
        return int.from_bytes(self.data[self.l4 + 8 : self.l4 + 12])

    @property
    def ports(self) -> tuple[int, int]:
        """Source and destination port. In an echo, the identifier is the asking side's port; the other is 0."""
        if self.proto != IPPROTO_ICMP:
            return word(self.data, self.l4), word(self.data, self.l4 + 2)
        identifier = word(self.data, self.l4 + 4)
        return (identifier, 0) if self.icmp_type == ECHO_REQUEST else (0, identifier)

    def set_addresses(self, src: bytes, dst: bytes) -> None:
        """Keeps the sum over the header as it is, right or wrong."""
        total = residue(self.data[self.l3 : self.l3 + IPV4])
        self.data[self.l3 + 12 : self.l3 + 20] = src + dst
        self._balance(self.l3 + 10, total - residue(self.data[self.l3 : self.l3 + IPV4]))

    def set_flow(self, src: bytes, dst: bytes, sport: int, dport: int) -> None:
        """Replaces addresses and ports; the sums over IP header, pseudo header and L4 stay as they are. A UDP
        checksum of 0 is none, and one that the packet does not reach stays as it is."""
        before = self._sum_of_l4()
        self.set_addresses(src, dst)
        if self.proto == IPPROTO_ICMP:
            identifier = sport if self.icmp_type == ECHO_REQUEST else dport
            self.data[self.l4 + 4 : self.l4 + 6] = identifier.to_bytes(2)
        else:
            self.data[self.l4 : self.l4 + 4] = sport.to_bytes(2) + dport.to_bytes(2)
        at = self.l4 + CHECKSUM_AT[self.proto]
        if at + 2 > len(self.data) or (self.proto == IPPROTO_UDP and not word(self.data, at)):
            return
        self._balance(at, before - self._sum_of_l4())
        if self.proto == IPPROTO_UDP and not word(self.data, at):
            self.data[at : at + 2] = b"\xff\xff"

    def _sum_of_l4(self) -> int:
        pseudo = 0 if self.proto == IPPROTO_ICMP else residue(self.data[self.l3 + 12 : self.l3 + 20])
        return pseudo + residue(self.data[self.l4 :])

    def sum_of_icmp(self) -> int:
        return residue(self.data[self.l4 :])

    def keep_sum_of_icmp(self, before: int) -> None:
        """Makes the sum over the ICMP message `before` again."""
        self._balance(self.l4 + 2, before - self.sum_of_icmp())

    def _balance(self, at: int, missing: int) -> None:
        self.data[at : at + 2] = ((word(self.data, at) + missing) % 0xFFFF).to_bytes(2)


def datagram_at(data: bytearray, l3: int) -> Datagram | None:
    """The IPv4 packet whose header starts at `l3`; None when there is no complete fixed header."""
    if l3 + IPV4 > len(data) or data[l3] >> 4 != 4 or data[l3] & 15 < 5:
        return None
    return Datagram(data, l3, l3 + (data[l3] & 15) * 4)


def classify(data: bytearray) -> tuple[Kind, int, Datagram | None]:
    """Kind, offset of what follows the Ethernet header and its tags, and the IPv4 packet if it is one."""
    if len(data) < ETHERNET:
        return Kind.MALFORMED, 0, None
    ether_type, l3 = word(data, 12), ETHERNET
    for _ in range(MOST_TAGS):
        if ether_type in TAG_TYPES:
            if l3 + 4 > len(data):
                return Kind.MALFORMED, l3, None
            ether_type, l3 = word(data, l3 + 2), l3 + 4
    if ether_type == TYPE_ARP:
        return (Kind.ARP if l3 + ARP_BYTES <= len(data) else Kind.MALFORMED), l3, None
    if ether_type != TYPE_IPV4:
        return Kind.NOT_IP, l3, None
    datagram = datagram_at(data, l3)
    if datagram is None or datagram.l4 > len(data):
        return Kind.MALFORMED, l3, None
    return _kind_of_datagram(datagram), l3, datagram


def _kind_of_datagram(datagram: Datagram) -> Kind:
    if datagram.is_later_fragment:
        return Kind.LATER_FRAGMENT
    needed = SHORTEST_L4.get(datagram.proto, 0)
    total = word(datagram.data, datagram.l3 + 2)
    if total and total < datagram.l4 - datagram.l3 + needed:
        return Kind.MALFORMED
    if datagram.l4 + needed > len(datagram.data):
        return Kind.MALFORMED
    if not needed:
        return Kind.OTHER_IP
    if datagram.proto != IPPROTO_ICMP or datagram.icmp_type in (ECHO_REQUEST, ECHO_REPLY):
        return Kind.FLOW
    return Kind.ICMP_ERROR if datagram.icmp_type in ICMP_ERRORS else Kind.OTHER_IP


def quoted_flow(error: Datagram) -> Datagram | None:
    """The packet an ICMP error is about, if it has ports of which the first 8 bytes of L4 tell."""
    inner = datagram_at(error.data, error.l4 + ICMP_HEAD)
    if inner is None or inner.is_later_fragment or inner.l4 + 8 > len(error.data):
        return None
    if inner.proto == IPPROTO_ICMP and inner.icmp_type not in (ECHO_REQUEST, ECHO_REPLY):
        return None
    return inner if inner.proto in SHORTEST_L4 else None
