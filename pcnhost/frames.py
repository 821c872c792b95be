"""Ethernet frames of IPv4 flows: made from addresses and ports, and read again."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

PROTOCOLS = {"TCP": socket.IPPROTO_TCP, "UDP": socket.IPPROTO_UDP, "ICMP": socket.IPPROTO_ICMP}
TCP_FLAGS = {"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16}

_ETHERNET = bytes.fromhex("0200000000010200000000020800")
_IP = struct.Struct("!BBHHHBBH4s4s")
_TTL = 64
_ECHO_REPLY, _ECHO_REQUEST = 0, 8


@dataclass(frozen=True)
class Packet:
    """`source` and `destination` are addresses. ICMP: an echo, whose identifier is `sport` in a request and `dport` in
    a reply (the other one is 0). `flags` are names of TCP_FLAGS."""

    protocol: str
    source: str
    sport: int
    destination: str
    dport: int
    flags: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.protocol == "ICMP":
            kind, identifier = ("reply", self.dport) if self.dport else ("request", self.sport)
            return f"ICMP echo {kind} {identifier} {self.source} -> {self.destination}"
        ends = f"{self.source}:{self.sport} -> {self.destination}:{self.dport}"
        return " ".join([self.protocol, ends, *([",".join(self.flags)] if self.flags else [])])

    def frame(self) -> bytes:
        """With right checksums and no data."""
        payload = self._payload()
        ends = socket.inet_aton(self.source), socket.inet_aton(self.destination)
        protocol = PROTOCOLS[self.protocol]
        header = _IP.pack(0x45, 0, _IP.size + len(payload), 0, 0x4000, _TTL, protocol, 0, *ends)
        header = header[:10] + _checksum(header) + header[12:]
        return _ETHERNET + header + payload

    def _payload(self) -> bytes:
        match self.protocol:
            case "TCP":
                flags = sum(TCP_FLAGS[name] for name in self.flags)
                payload, at = (
                    struct.pack("!HHIIBBHHH", self.sport, self.dport, 1, 1, 0x50, flags, 65535, 0, 0),
                    16,
                )
            case "UDP":
                payload, at = struct.pack("!HHHH", self.sport, self.dport, 8, 0), 6
            case _:
                kind, identifier = (_ECHO_REPLY, self.dport) if self.dport else (_ECHO_REQUEST, self.sport)
                payload = struct.pack("!BBHHH", kind, 0, 0, identifier, 1)
                return payload[:2] + _checksum(payload) + payload[4:]
        ends = socket.inet_aton(self.source) + socket.inet_aton(self.destination)
        pseudo = ends + struct.pack("!HH", PROTOCOLS[self.protocol], len(payload))
        return payload[:at] + _checksum(pseudo + payload) + payload[at + 2 :]


def read(frame: bytes) -> Packet | None:
    """The packet of a frame; None when it is none of a flow: not IPv4, a later fragment, cut off, another protocol."""
    kind, at = _network_layer(frame)
    if kind != 0x0800 or len(frame) < at + _IP.size:
        return None
    version, _, _, _, fragment, _, number, _, source, destination = _IP.unpack_from(frame, at)
    at += 4 * (version & 15)
    protocol = next((name for name, known in PROTOCOLS.items() if known == number), None)
    if version >> 4 != 4 or protocol is None or fragment & 0x1FFF or len(frame) < at + 8:
        return None
    ends = socket.inet_ntoa(source), socket.inet_ntoa(destination)
    if protocol == "ICMP":
        if frame[at] not in (_ECHO_REPLY, _ECHO_REQUEST):
            return None
        identifier = int.from_bytes(frame[at + 4 : at + 6])
        return Packet(
            protocol,
            ends[0],
            identifier * (frame[at] == _ECHO_REQUEST),
            ends[1],
            identifier * (frame[at] == _ECHO_REPLY),
        )
    sport, dport = struct.unpack_from("!HH", frame, at)
    flags = frame[at + 13] if protocol == "TCP" and len(frame) > at + 13 else 0
    return Packet(
        protocol, ends[0], sport, ends[1], dport, tuple(n for n, bit in TCP_FLAGS.items() if flags & bit)
    )


def describe(frame: bytes) -> str:
    """A frame in a few words, of whatever kind it is."""
    if packet := read(frame):
        return str(packet)
    kind, at = _network_layer(frame)
    if kind == 0x0806 and len(frame) >= at + 28:
        operation = int.from_bytes(frame[at + 6 : at + 8])
        name = {1: "request", 2: "reply"}.get(operation, f"operation {operation}")
        return f"ARP {name} of {_address(frame, at + 14)} for {_address(frame, at + 24)}"
    if kind == 0x0800 and len(frame) >= at + _IP.size:
        _, _, _, _, fragment, _, number, _, source, destination = _IP.unpack_from(frame, at)
        protocol = next((name for name, known in PROTOCOLS.items() if known == number), f"protocol {number}")
        what = "later fragment" if fragment & 0x1FFF else _icmp_error(frame, at) if number == 1 else "packet"
        return f"{protocol} {what} {_address(source, 0)} -> {_address(destination, 0)}"
    return f"frame of {len(frame)} bytes, EtherType 0x{kind:04x}"


def _icmp_error(frame: bytes, ip_at: int) -> str:
    at = ip_at + 4 * (frame[ip_at] & 15)
    return f"type {frame[at]} code {frame[at + 1]}" if len(frame) > at + 1 else "packet"


def _address(frame: bytes, at: int) -> str:
    return socket.inet_ntoa(frame[at : at + 4])


def _network_layer(frame: bytes) -> tuple[int, int]:
    """EtherType behind VLAN tags, and where what it says begins."""
    kind, at = int.from_bytes(frame[12:14]), 14
    while kind in (0x8100, 0x88A8) and len(frame) >= at + 4:
        kind, at = int.from_bytes(frame[at + 2 : at + 4]), at + 4
    return kind, at


def _checksum(data: bytes) -> bytes:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)
