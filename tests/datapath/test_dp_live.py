"""TC: packets as Linux senders leave them to the NIC, on netdevs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from socket import IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP

import pytest
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet

from pcnhost.engine import Engine
from tests.datapath.headers import CHECKSUM_AT, residue
from tests.datapath.lab import EXCHANGES, Exchange
from tests.datapath.live import LiveCube, Offload, OffloadWire
from tests.datapath.packets import (
    BROADCAST,
    CLIENT,
    CLIENT_PORT,
    ETHERNET,
    OTHER_MAC,
    SERVER,
    SERVER_PORT,
    SHAPES,
    UNREACHABLE,
    VIP,
    VIP_PORT,
    Shape,
    frame,
    quote,
    tcp,
    udp,
)
from tests.datapath.tables import BACKEND, FRONTEND, Tables
from tests.engine.conftest import engine, netns, start_engine, wires  # noqa: F401  (fixtures)
from tests.engine.wire import Wire

pytestmark = pytest.mark.root

LARGE = bytes(range(256)) * 25  # more than a page, so that the kernel can scatter it
SCATTERED = Offload(linear=14)
GSO_TCP4 = 1


@dataclass
class Cabled:
    client: OffloadWire
    server: OffloadWire
    tables: Tables

    def forwards(self, sent: bytes, expected: bytes, offload: Offload, back: bool = False) -> Offload:
        """Sends a frame from the client, or back from the server; it must arrive as expected. Returns what is
        still left to the NIC then."""
        source, target = (self.server, self.client) if back else (self.client, self.server)
        source.send(sent, offload)
        received, left = target.receive()
        assert received.hex(" ") == expected.hex(" ")
        return left


@pytest.fixture
def cabled(engine: Engine, wires: Callable[[int], list[Wire]]) -> Iterator[Cabled]:  # noqa: F811
    """A cube in MULTI mode with CLIENT and a server on netdevs; VIP is a service of all protocols."""
    client_end, server_end = (OffloadWire(wire) for wire in wires(2))
    cube = LiveCube(engine)
    tables = Tables(cube, multi=True)
    tables.set_settings()
    client, server = cube.add_port("client", "w0"), cube.add_port("server", "w1")
    tables.add_port(client, FRONTEND, server, CLIENT)
    tables.add_port(server, BACKEND)
    for proto in (IPPROTO_TCP, IPPROTO_UDP):
        tables.set_service(VIP, VIP_PORT, proto, [(SERVER, SERVER_PORT)])
    tables.set_service(VIP, 0, IPPROTO_ICMP, [(SERVER, 0)])
    yield Cabled(client_end, server_end, tables)
    client_end.close()
    server_end.close()


def test_headers_in_pages(cabled: Cabled) -> None:
    """Nothing but the Ethernet header is where a program can read it directly."""
    for exchange in EXCHANGES:
        for shape in SHAPES:
            _request_and_answer_in_pages(cabled, exchange, shape)


def _request_and_answer_in_pages(cabled: Cabled, exchange: Exchange, shape: Shape) -> None:
    request = exchange.request(CLIENT, VIP, shape, payload=LARGE)
    expected = exchange.request(CLIENT, SERVER, shape, dport=SERVER_PORT, payload=LARGE)
    cabled.forwards(request, expected, SCATTERED)
    answer = exchange.answer(SERVER, CLIENT, shape, payload=LARGE)
    expected = exchange.answer(VIP, CLIENT, shape, sport=VIP_PORT, payload=LARGE)
    cabled.forwards(answer, expected, SCATTERED, back=True)


def test_icmp_error_in_pages(cabled: Cabled) -> None:
    for exchange in EXCHANGES:
        for shape in SHAPES:
            _error_in_pages(cabled, exchange, shape)


def _error_in_pages(cabled: Cabled, exchange: Exchange, shape: Shape) -> None:
    request = exchange.request(CLIENT, VIP, shape)
    cabled.forwards(request, exchange.request(CLIENT, SERVER, shape, dport=SERVER_PORT), Offload())
    seen = quote(exchange.request(CLIENT, SERVER, shape, dport=SERVER_PORT, payload=LARGE), shape)
    sent = quote(exchange.request(CLIENT, VIP, shape, payload=LARGE), shape)
    error = UNREACHABLE.quoting(seen, SERVER, CLIENT, shape)
    expected = UNREACHABLE.quoting(sent, VIP, CLIENT, shape)
    cabled.forwards(error, expected, SCATTERED, back=True)


def test_fragments_in_pages(cabled: Cabled) -> None:
    def pieces(dst: str, dport: int, shape: Shape) -> list[bytes]:
        whole = frame(CLIENT, dst, udp(CLIENT_PORT, dport, LARGE + LARGE))[ETHERNET + 20 :]
        first = frame(CLIENT, dst, whole[:6400], shape, proto=IPPROTO_UDP, id=5, flags="MF")
        return [first, frame(CLIENT, dst, whole[6400:], shape, proto=IPPROTO_UDP, id=5, frag=800)]

    for shape in SHAPES:
        sent, seen = pieces(VIP, VIP_PORT, shape), pieces(SERVER, SERVER_PORT, shape)
        for before, after in zip(sent, seen, strict=True):
            cabled.forwards(before, after, SCATTERED)


def test_arp_in_pages(cabled: Cabled) -> None:
    request = bytes(Ether(src=OTHER_MAC, dst=BROADCAST) / ARP(op="who-has", psrc=SERVER, pdst=CLIENT)) + LARGE
    cabled.forwards(request, request, SCATTERED)
    cabled.forwards(request, request, SCATTERED, back=True)


def unfinished(packet: bytes, proto: int) -> bytes:
    """The frame as a sender with checksum offload makes it: with the sum over the pseudo header alone."""
    l4 = ETHERNET + 20
    at = l4 + CHECKSUM_AT[proto]
    pseudo = (residue(packet[26:34]) + proto + len(packet) - l4) % 0xFFFF
    return packet[:at] + pseudo.to_bytes(2) + packet[at + 2 :]


def test_unfinished_checksum(cabled: Cabled) -> None:
    """When the NIC, or the receiver's kernel, finishes it, it must cover the new addresses. Ports are in what they
    add then."""
    for proto, l4 in ((IPPROTO_TCP, tcp), (IPPROTO_UDP, udp)):
        for length in (0, 1, 1000, 6400):
            _unfinished_checksum(cabled, proto, l4, LARGE[:length])


def _unfinished_checksum(cabled: Cabled, proto: int, l4: Callable[..., Packet], payload: bytes) -> None:
    offload = Offload(linear=ETHERNET, checksum=(ETHERNET + 20, CHECKSUM_AT[proto]))
    request = unfinished(frame(CLIENT, VIP, l4(CLIENT_PORT, VIP_PORT, payload=payload)), proto)
    expected = unfinished(frame(CLIENT, SERVER, l4(CLIENT_PORT, SERVER_PORT, payload=payload)), proto)
    assert cabled.forwards(request, expected, offload).checksum == offload.checksum
    answer = unfinished(frame(SERVER, CLIENT, l4(SERVER_PORT, CLIENT_PORT, payload=payload)), proto)
    expected = unfinished(frame(VIP, CLIENT, l4(VIP_PORT, CLIENT_PORT, payload=payload)), proto)
    assert cabled.forwards(answer, expected, offload, back=True).checksum == offload.checksum


def test_super_packet(cabled: Cabled) -> None:
    """Segments that the kernel has not cut yet stay together and are still to be cut."""
    payload = LARGE * 8
    offload = Offload(54, (ETHERNET + 20, CHECKSUM_AT[IPPROTO_TCP]), (GSO_TCP4, 1400))
    request = unfinished(frame(CLIENT, VIP, tcp(CLIENT_PORT, VIP_PORT, payload=payload)), IPPROTO_TCP)
    expected = frame(CLIENT, SERVER, tcp(CLIENT_PORT, SERVER_PORT, payload=payload))
    left = cabled.forwards(request, unfinished(expected, IPPROTO_TCP), offload)
    assert left.segments == offload.segments
    answer = unfinished(frame(SERVER, CLIENT, tcp(SERVER_PORT, CLIENT_PORT, payload=payload)), IPPROTO_TCP)
    expected = frame(VIP, CLIENT, tcp(VIP_PORT, CLIENT_PORT, payload=payload))
    left = cabled.forwards(answer, unfinished(expected, IPPROTO_TCP), offload, back=True)
    assert left.segments == offload.segments
