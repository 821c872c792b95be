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
    at = 14
    kind = int.from_bytes(frame[12:14])
    while kind in (0x8100, 0x88A8) and len(frame) >= at + 4:  # VLAN tags
        kind, at = int.from_bytes(frame[at + 2 : at + 4]), at + 4
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


def _checksum(data: bytes) -> bytes:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)
