"""The frames that measurements send, and the addresses in them."""

from __future__ import annotations

from ipaddress import IPv4Address

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

CLIENT = "10.10.1.1"
ELSEWHERE = "198.51.100.1"  # an address that is no service's
VPORT = 80

_ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
_PAYLOAD = Raw(b"x" * 10)


def vip(service: int) -> str:
    """The virtual address of service number `service`."""
    return str(IPv4Address("10.96.0.1") + service)


def tcp(flags: str) -> bytes:
    return _frame(TCP(flags=flags))


def udp() -> bytes:
    return _frame(UDP())


def echo(*, reply: bool = False) -> bytes:
    return _frame(ICMP(type="echo-reply" if reply else "echo-request", id=7))


def _frame(l4: Packet) -> bytes:
    return bytes(_ETHER / IP(src=CLIENT, dst=vip(0)) / l4 / _PAYLOAD)
