"""Packets that are for no service: they go on unchanged to whom they are for, or end here and are counted."""

from __future__ import annotations

from typing import Any

import pytest
from scapy.contrib.mpls import MPLS
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import ICMPv6ND_NS, IPv6
from scapy.layers.l2 import GRE, Dot1Q, Ether
from scapy.layers.sctp import SCTP
from scapy.packet import Raw

from pcnhost.engine.source import Hook
from tests.datapath.lab import (
    CLIENT_IF,
    EXCHANGES,
    SERVER_IF,
    Exchange,
    Lab,
    assert_dropped,
    assert_flooded,
    assert_out,
)
from tests.datapath.packets import (
    BROADCAST,
    CLIENT,
    CLIENT_PORT,
    MAC,
    OTHER_CLIENT,
    OTHER_MAC,
    OTHER_SERVER,
    PAYLOAD,
    PLAIN,
    SERVER,
    SERVER_PORT,
    SHAPES,
    STRANGER,
    VIP,
    VIP_PORT,
    Shape,
    frame,
    pong,
    tcp,
    udp,
)

each_exchange = pytest.mark.parametrize("exchange", EXCHANGES, ids=str)
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


@each_exchange
@each_shape
def test_client_to_somebody_else(lab: Lab, exchange: Exchange, shape: Shape) -> None:
    lab.serve((SERVER, SERVER_PORT))
    for packet in (
        exchange.request(CLIENT, STRANGER, shape),
        exchange.request(CLIENT, VIP, shape, dport=VIP_PORT + 1),
    )[: 1 if exchange.name == "ping" else 2]:
        assert_out(lab.from_client(packet), SERVER_IF, packet)
    assert lab.tables.events() == {}


@each_exchange
@each_shape
def test_server_to_a_client_without_session(lab: Lab, exchange: Exchange, shape: Shape) -> None:
    lab.serve((SERVER, SERVER_PORT))
    packet = exchange.answer(OTHER_SERVER, OTHER_CLIENT, shape)
    assert_out(lab.from_server(packet), lab.other_client_if, packet)
    packet = exchange.request(SERVER, OTHER_CLIENT, shape)
    assert_out(lab.from_server(packet), lab.other_client_if, packet)
    assert lab.tables.events() == {}


@each_exchange
def test_server_to_a_vip(lab: Lab, exchange: Exchange) -> None:
    """Services are for the clients: whoever is behind the BACKEND port does not get translated."""
    lab.serve((SERVER, SERVER_PORT))
    packet = exchange.request(STRANGER, VIP, PLAIN)
    outcome = lab.from_server(packet)
    if lab.multi:
        assert_dropped(outcome)
        assert lab.tables.events() == {"no_port": 1}
    else:
        assert_out(outcome, CLIENT_IF, packet)


def _other_ip_protocols() -> dict[str, dict[str, Any]]:
    return {
        "sctp": {"l4": SCTP(sport=CLIENT_PORT, dport=VIP_PORT) / Raw(PAYLOAD)},
        "gre": {"l4": GRE() / IP() / UDP()},
        "esp": {"l4": PAYLOAD, "proto": 50},
        "ipip": {"l4": bytes(IP(src=CLIENT, dst=VIP) / UDP(dport=VIP_PORT)), "proto": 4},
        "udplite": {"l4": bytes(udp(CLIENT_PORT, VIP_PORT)), "proto": 136},
        "igmp": {"l4": b"\x16" + bytes(7), "proto": 2},
        "empty": {"l4": b"", "proto": 253},
        "icmp-timestamp": {"l4": ICMP(type="timestamp-request")},
        "icmp-redirect": {"l4": bytes(ICMP(type="redirect")) + bytes(28), "proto": 1},
    }


@pytest.mark.parametrize("fields", _other_ip_protocols().values(), ids=_other_ip_protocols().keys())
@each_shape
def test_other_ip_protocol(lab: Lab, fields: dict[str, Any], shape: Shape) -> None:
    lab.serve((SERVER, SERVER_PORT))
    for destination in (VIP, STRANGER):
        packet = frame(CLIENT, destination, shape=shape, **fields)
        assert_out(lab.from_client(packet), SERVER_IF, packet)
    packet = frame(SERVER, OTHER_CLIENT, shape=shape, **fields)
    assert_out(lab.from_server(packet), lab.other_client_if, packet)
    assert lab.tables.events() == {}


def test_echo_reply_of_nobody(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    packet = frame(CLIENT, VIP, pong(7))
    assert_out(lab.from_client(packet), SERVER_IF, packet)


def _not_ip() -> dict[str, bytes]:
    return {
        "ipv6": bytes(Ether(src=OTHER_MAC, dst=MAC) / IPv6(dst="fd00::1") / UDP(dport=VIP_PORT)),
        "neighbour-solicitation": bytes(
            Ether(src=OTHER_MAC, dst="33:33:ff:00:00:01") / IPv6(dst="ff02::1:ff00:1") / ICMPv6ND_NS()
        ),
        "ipv6-in-vlan": bytes(Ether(src=OTHER_MAC, dst=MAC) / Dot1Q(vlan=3) / IPv6(dst="fd00::1") / UDP()),
        "lldp": bytes(Ether(src=OTHER_MAC, dst="01:80:c2:00:00:0e", type=0x88CC))
        + b"\x02\x07\x04"
        + bytes(30),
        "mpls": bytes(Ether(src=OTHER_MAC, dst=MAC) / MPLS(label=16) / IP(dst=VIP) / UDP(dport=VIP_PORT)),
        "length-field": bytes(Ether(src=OTHER_MAC, dst=MAC, type=46)) + bytes(46),
        "three-tags": bytes(Ether(dst=MAC) / Dot1Q() / Dot1Q() / Dot1Q() / IP(dst=VIP) / UDP(dport=VIP_PORT)),
        "no-payload": bytes(Ether(src=OTHER_MAC, dst=MAC, type=0x9999)) + b"\0",
    }


@pytest.mark.parametrize("packet", _not_ip().values(), ids=_not_ip().keys())
def test_other_ether_type(lab: Lab, packet: bytes) -> None:
    """In MULTI mode nothing tells for which client it is: the control plane gives it to all, and the host's
    stack never sees it."""
    lab.serve((SERVER, SERVER_PORT))
    assert_out(lab.from_client(packet), SERVER_IF, packet)
    if lab.multi:
        assert_flooded(lab.from_server(packet), packet)
    else:
        assert_out(lab.from_server(packet), CLIENT_IF, packet)


@pytest.mark.parametrize(
    ("mac", "destination"),
    [
        (BROADCAST, "255.255.255.255"),
        (BROADCAST, "10.0.0.255"),
        ("01:00:5e:00:00:fb", "224.0.0.251"),
        (MAC, "239.1.2.3"),
    ],
    ids=["limited-broadcast", "directed-broadcast", "multicast", "multicast-to-one"],
)
def test_broadcast_and_multicast(lab: Lab, mac: str, destination: str) -> None:
    lab.serve((SERVER, SERVER_PORT))
    packet = frame(STRANGER, destination, udp(5353, 5353), to=mac)
    assert_out(lab.from_client(packet), SERVER_IF, packet)
    if lab.multi:
        assert_flooded(lab.from_server(packet), packet)
    else:
        assert_out(lab.from_server(packet), CLIENT_IF, packet)


def test_known_client_in_a_broadcast_frame(lab: Lab) -> None:
    packet = frame(STRANGER, OTHER_CLIENT, udp(1, 2), to=BROADCAST)
    assert_out(lab.from_server(packet), lab.other_client_if, packet)


def test_unknown_destination(lab: Lab) -> None:
    packet = frame(SERVER, STRANGER, tcp(1, 2))
    outcome = lab.from_server(packet)
    if lab.multi:
        assert_dropped(outcome)
        assert lab.tables.events() == {"no_port": 1}
    else:
        assert_out(outcome, CLIENT_IF, packet)


def test_flood_is_limited(lab: Lab) -> None:
    """What the control plane gets is bounded for each second; the rest is dropped and counted."""
    packet = _not_ip()["ipv6"]
    if not lab.multi:
        assert_out(lab.from_server(packet), CLIENT_IF, packet)
        return
    punted = sum(len(lab.from_server(packet).punts) for _ in range(1200))
    assert 256 <= punted <= 1024  # a tick may end meanwhile, and the test change its CPU
    assert lab.tables.events() == {"rate_limited": 1200 - punted}


def _malformed() -> dict[str, bytes]:
    whole = frame(CLIENT, VIP, tcp(CLIENT_PORT, VIP_PORT, "S"))
    datagram = frame(CLIENT, VIP, udp(CLIENT_PORT, VIP_PORT))
    echo = frame(CLIENT, VIP, pong(7))
    options = frame(CLIENT, VIP, tcp(CLIENT_PORT, VIP_PORT), SHAPES[4])
    tagged = frame(CLIENT, VIP, tcp(CLIENT_PORT, VIP_PORT), SHAPES[1])

    def patched(packet: bytes, offset: int, value: int) -> bytes:
        return packet[:offset] + bytes([value]) + packet[offset + 1 :]

    return {
        "cut-in-options": options[:73],
        "cut-in-options-of-other-protocol": patched(options, 23, 47)[:73],
        "cut-in-tcp": whole[:53],
        "cut-in-tcp-behind-options": options[:93],
        "cut-in-udp": datagram[:41],
        "cut-in-icmp": echo[:41],
        "cut-in-vlan-tag": tagged[:17],
        "cut-in-ip-behind-tag": tagged[:37],
        "cut-in-arp": bytes.fromhex("ffffffffffff 020000000001 0806") + bytes(27),
        "version-6": patched(whole, 14, 0x65),
        "version-0": patched(whole, 14, 0x05),
        "header-too-short": patched(whole, 14, 0x44),
        "header-longer-than-packet": patched(frame(CLIENT, VIP, b"", proto=47), 14, 0x46),
        "total-length-without-l4": patched(whole, 17, 20),
        "total-length-cuts-tcp": patched(whole, 17, 39),
        "total-length-cuts-udp": patched(datagram, 17, 27),
        "total-length-cuts-ip": patched(frame(CLIENT, VIP, b"x" * 9, proto=47), 17, 19),
    }


@pytest.mark.parametrize("packet", _malformed().values(), ids=_malformed().keys())
def test_malformed(lab: Lab, packet: bytes) -> None:
    lab.serve((SERVER, SERVER_PORT))
    # No sum over a packet whose header checksum is wrong: those are mutants.
    assert_dropped(lab.datapath.send(CLIENT_IF, packet, complete=False))
    assert_dropped(lab.datapath.send(SERVER_IF, packet, complete=False))
    assert lab.tables.events() == {"malformed": 2}


@pytest.mark.parametrize("hook", [Hook.XDP], ids=["XDP"])
def test_malformed_for_xdp(lab: Lab) -> None:
    """The kernel runs TC programs on nothing shorter than an IP header, behind tags excepted."""
    assert_dropped(lab.from_client(frame(CLIENT, VIP, b"")[:33]))
    assert_dropped(lab.from_client(frame(CLIENT, VIP, b"")[:14]))
    assert lab.tables.events() == {"malformed": 2}


@pytest.mark.parametrize("length", [14 + 20 + 20, 14 + 20 + 21])
def test_shortest_packet(lab: Lab, length: int) -> None:
    lab.serve((SERVER, SERVER_PORT))
    payload = bytes(length - 54)
    packet = frame(CLIENT, VIP, tcp(CLIENT_PORT, VIP_PORT, "S", payload))
    assert len(packet) == length
    expected = frame(CLIENT, SERVER, tcp(CLIENT_PORT, SERVER_PORT, "S", payload))
    assert_out(lab.from_client(packet), SERVER_IF, expected)


def test_packet_cut_behind_its_headers(lab: Lab) -> None:
    """Headers are all the load balancer reads; that the rest is missing is for the receiver to find."""
    lab.serve((SERVER, SERVER_PORT))
    packet = frame(CLIENT, VIP, tcp(CLIENT_PORT, VIP_PORT))[:60]
    expected = frame(CLIENT, SERVER, tcp(CLIENT_PORT, SERVER_PORT))[:60]
    assert_out(lab.from_client(packet), SERVER_IF, expected)
