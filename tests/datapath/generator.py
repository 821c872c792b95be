"""Random packets over few clients, servers and services, so that sessions, fragments and errors meet."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from itertools import pairwise
from socket import IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, inet_aton

from tests.datapath.headers import (
    CHECKSUM_AT,
    ECHO_REPLY,
    ECHO_REQUEST,
    ETHERNET,
    ICMP_ERRORS,
    Datagram,
    Kind,
    classify,
    residue,
)

CLIENTS = [inet_aton(f"10.0.0.{i}") for i in range(1, 4)]
STRANGERS = [inet_aton(text) for text in ("192.0.2.7", "10.9.8.1", "224.0.0.1", "255.255.255.255", "0.0.0.0")]
VIPS = [inet_aton(f"10.96.0.{i}") for i in range(1, 4)]
SERVERS = [inet_aton(f"10.1.0.{i}") for i in range(1, 4)]
PORTS = [40000, 40001, 40002, 65535, 1]
VPORTS = [80, 53]
SERVER_PORTS = [8080, 80]
PROTOCOLS = [IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP]
TCP_FLAGS = [0x02, 0x02, 0x12, 0x10, 0x10, 0x18, 0x11, 0x04, 0x14, 0x00, 0xFF]
MAC = bytes.fromhex("020000000001 020000000002")
BROADCAST = bytes.fromhex("ffffffffffff 020000000002")

Injected = tuple[bool, int, bytes]  # from the BACKEND side, which of the FRONTEND ports otherwise, frame


def _summed(data: bytearray, at: int, extra: int = 0) -> bytearray:
    """`data` with the checksum at `at` filled in; `extra` is covered by it as well."""
    value = -(residue(data) + extra) % 0xFFFF
    data[at : at + 2] = value.to_bytes(2)
    return data


class Generator:
    """`clients` is the number of FRONTEND ports. Tell it what has left the load balancer: it answers."""

    def __init__(self, rng: random.Random, clients: int) -> None:
        self._rng = rng
        self._clients = clients
        self._pending: list[Injected] = []
        self._seen: deque[tuple[bool, int, bytes]] = deque(maxlen=40)
        self._makers: list[Callable[[], Injected]] = [self._request, self._answer, self._error, self._other]
        self._weights = [40, 35, 12, 13]

    def seen(self, at_backend: bool, frontend: int, frame: bytes) -> None:
        self._seen.append((at_backend, frontend, frame))

    def next(self) -> Injected:
        rng = self._rng
        if self._pending and rng.random() < 0.5:
            injected = self._pending.pop(rng.randrange(len(self._pending)))
        else:
            (maker,) = rng.choices(self._makers, self._weights)
            injected = maker()
        if rng.random() < 0.15:
            return *injected[:2], self._mutated(injected[2])
        return injected

    # --- parts ---

    def _ethernet(self, ether_type: bytes = b"\x08\x00") -> bytes:
        rng = self._rng
        macs = BROADCAST if rng.random() < 0.03 else MAC
        tags = rng.choices((0, 1, 2, 3), (85, 8, 6, 1))[0]
        tag_bytes = b"".join(
            rng.choice((b"\x81\x00", b"\x88\xa8")) + rng.randrange(1 << 16).to_bytes(2) for _ in range(tags)
        )
        return macs + tag_bytes + ether_type

    def _ip(
        self, src: bytes, dst: bytes, proto: int, body: bytes, fragment: int = 0, identity: int = 0
    ) -> bytes:
        rng = self._rng
        options = rng.randbytes(4 * rng.randrange(1, 11)) if rng.random() < 0.1 else b""
        header = bytearray(20) + options
        header[0] = 0x45 + len(options) // 4
        header[2:4] = (len(header) + len(body)).to_bytes(2)
        header[4:6] = identity.to_bytes(2)
        header[6:8] = fragment.to_bytes(2)
        header[8], header[9] = 64, proto
        header[12:20] = src + dst
        return bytes(_summed(header, 10)) + body

    def _l4(
        self, src: bytes, dst: bytes, proto: int, sport: int, dport: int, size: int, answer: bool
    ) -> bytes:
        rng = self._rng
        payload = rng.randbytes(size)
        if proto == IPPROTO_ICMP:
            head = bytearray([ECHO_REPLY if answer else ECHO_REQUEST, 0, 0, 0])
            identifier = dport if answer else sport
            return bytes(_summed(head + identifier.to_bytes(2) + b"\0\1" + payload, 2))
        ports = sport.to_bytes(2) + dport.to_bytes(2)
        if proto == IPPROTO_TCP:
            flags = rng.choice(TCP_FLAGS)
            body = bytearray(ports + self._numbers() + bytes((0x50, flags)) + bytes(6) + payload)
        else:
            body = bytearray(ports + (8 + size).to_bytes(2) + bytes(2) + payload)
            if rng.random() < 0.2:
                return bytes(body)
            if size >= 2 and rng.random() < 0.2:
                self._make_sum_zero(body, src, dst, answer)
        at = CHECKSUM_AT[proto]
        _summed(body, at, residue(src + dst) + proto + len(body))
        if proto == IPPROTO_UDP and body[at : at + 2] == b"\0\0":
            body[at : at + 2] = b"\xff\xff"
        return bytes(body)

    def _numbers(self) -> bytes:
        """Of sequence and acknowledgement; most often such that one end may have seen what the other one has sent."""
        rng = self._rng
        if rng.random() < 0.5:
            return (7).to_bytes(4) + rng.choice((7, 8)).to_bytes(4)
        return b"".join(
            rng.randbytes(4) if rng.random() < 0.2 else rng.randrange(100_000).to_bytes(4) for _ in range(2)
        )

    def _make_sum_zero(self, body: bytearray, src: bytes, dst: bytes, answer: bool) -> None:
        """Chooses the data of a UDP datagram so that its checksum, or what is to become of it, is 0."""
        rng = self._rng
        as_translated = bytearray(body)
        if rng.random() < 0.7 and answer:
            src, as_translated[0:2] = rng.choice(VIPS), rng.choice(VPORTS).to_bytes(2)
        elif rng.random() < 0.7:
            dst, as_translated[2:4] = rng.choice(SERVERS), rng.choice(SERVER_PORTS).to_bytes(2)
        as_translated[8:10] = bytes(2)
        total = residue(as_translated) + residue(src + dst) + IPPROTO_UDP + len(body)
        body[8:10] = (-total % 0xFFFF).to_bytes(2)

    def _packets(
        self, back: bool, port: int, src: bytes, dst: bytes, proto: int, sport: int, dport: int, answer: bool
    ) -> Injected:
        """One packet of a flow; sometimes the first of several fragments, whose others come later or never."""
        rng = self._rng
        if rng.random() < 0.85:
            body = self._l4(src, dst, proto, sport, dport, rng.randrange(40), answer)
            return back, port, self._ethernet() + self._ip(src, dst, proto, body, rng.choice((0, 0x4000)))
        body = self._l4(src, dst, proto, sport, dport, 100 + rng.randrange(100), answer)
        identity = rng.randrange(5)
        cuts = [0, *sorted(rng.sample(range(3, len(body) // 8), rng.randrange(1, 4))), len(body)]
        pieces = []
        for start, end in pairwise(cuts):
            more = 0 if end == len(body) else 0x2000
            end = end if end == len(body) else end * 8
            piece = self._ip(src, dst, proto, body[start * 8 : end], start | more, identity)
            pieces.append((back, port, self._ethernet() + piece))
        if rng.random() < 0.1:
            rng.shuffle(pieces)
        del self._pending[:-20]
        self._pending += pieces[1:]
        return pieces[0]

    # --- kinds ---

    def _request(self) -> Injected:
        rng = self._rng
        client = rng.randrange(len(CLIENTS))
        port = client % self._clients
        proto = rng.choice(PROTOCOLS)
        dst = rng.choice(VIPS) if rng.random() < 0.85 else rng.choice(SERVERS + STRANGERS + CLIENTS)
        dport = rng.choice(VPORTS) if rng.random() < 0.9 else rng.choice(SERVER_PORTS)
        return self._packets(False, port, CLIENTS[client], dst, proto, rng.choice(PORTS), dport, answer=False)

    def _received(self) -> tuple[bool, int, Datagram] | None:
        """A packet that has come out of the load balancer, if it has ports."""
        for _ in range(3):
            if self._seen:
                back, port, frame = self._rng.choice(self._seen)
                kind, _, datagram = classify(bytearray(frame))
                if kind is Kind.FLOW and datagram:
                    return back, port, datagram
        return None

    def _answer(self) -> Injected:
        """From whoever got a packet; or that packet again, if the network brings it back to a client."""
        received = self._received()
        if received is None:
            return self._request()
        back, port, datagram = received
        if back and datagram.dst in CLIENTS:
            return True, 0, bytes(datagram.data)
        sport, dport = datagram.ports
        is_answer = not (datagram.proto == IPPROTO_ICMP and datagram.icmp_type == ECHO_REPLY)
        return self._packets(
            back, port, datagram.dst, datagram.src, datagram.proto, dport, sport, answer=is_answer
        )

    def _error(self) -> Injected:
        """An ICMP error about a packet that has come out, from its receiver or from a router."""
        rng = self._rng
        received = self._received()
        if received is None:
            return self._request()
        back, port, datagram = received
        quoted = datagram.data[datagram.l3 :]
        if rng.random() < 0.7:
            quoted = quoted[: datagram.l4 - datagram.l3 + rng.choice((8, 8, 16, 17, 18, 20, 28, 3))]
        if rng.random() < 0.1:
            quoted[rng.randrange(min(len(quoted), 28))] = rng.randrange(256)
        sender = datagram.dst if rng.random() < 0.5 else rng.choice(STRANGERS)
        body = bytearray([rng.choice(ICMP_ERRORS), rng.randrange(5), 0, 0]) + rng.randbytes(4) + quoted
        packet = self._ip(sender, datagram.src, IPPROTO_ICMP, bytes(_summed(body, 2)))
        return back, port, self._ethernet() + packet

    def _other(self) -> Injected:
        rng = self._rng
        back, port = rng.random() < 0.5, rng.randrange(self._clients)
        everybody = CLIENTS + SERVERS + VIPS + STRANGERS
        src, dst = rng.choice(everybody), rng.choice(everybody)
        match rng.randrange(5):
            case 0:
                arp = b"\0\1\x08\0\6\4\0" + rng.choice((b"\1", b"\2")) + rng.randbytes(6) + src
                return (
                    back,
                    port,
                    self._ethernet(b"\x08\x06") + arp + rng.randbytes(6) + rng.choice((src, dst)) + bytes(18),
                )
            case 1:
                ether_type = rng.choice((b"\x86\xdd", b"\x88\xcc", b"\x00\x2e", b"\x88\x47"))
                return back, port, self._ethernet(ether_type) + rng.randbytes(60)
            case 2:
                proto = rng.choice((2, 4, 41, 47, 50, 132, 136, 255))
                fragment = rng.choice((0, 0, 0x2000, 5))
                return (
                    back,
                    port,
                    self._ethernet() + self._ip(src, dst, proto, rng.randbytes(40), fragment, 1),
                )
            case 3:
                icmp = bytearray([rng.randrange(20), rng.randrange(3), 0, 0]) + rng.randbytes(
                    rng.randrange(4, 60)
                )
                return (
                    back,
                    port,
                    self._ethernet() + self._ip(src, dst, IPPROTO_ICMP, bytes(_summed(icmp, 2))),
                )
        proto = rng.choice(PROTOCOLS)
        ports = PORTS + VPORTS + SERVER_PORTS
        return self._packets(
            back, port, src, dst, proto, rng.choice(ports), rng.choice(ports), answer=rng.random() < 0.5
        )

    # --- damage ---

    def _mutated(self, frame: bytes) -> bytes:
        rng = self._rng
        data = bytearray(frame)
        for _ in range(rng.randrange(1, 4)):
            if len(data) <= ETHERNET + 1:
                break
            match rng.randrange(6):
                case 0:
                    del data[rng.randrange(ETHERNET + 1, len(data)) :]
                case 1:
                    data += rng.randbytes(rng.randrange(1, 30))
                case 2:
                    data[ETHERNET] = 0x40 | rng.randrange(16)
                case 3 if len(data) > ETHERNET + 8:
                    at = ETHERNET + rng.choice((2, 6))
                    data[at : at + 2] = rng.choice((0, 20, 27, 39, 40, 0x2000, 1, 0x4000)).to_bytes(2)
                case _:
                    data[rng.randrange(12, min(len(data), 90))] = rng.choice(
                        (0, 1, 6, 17, 0xFF, rng.randrange(256))
                    )
        return bytes(data)
