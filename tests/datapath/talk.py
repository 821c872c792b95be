"""Packets of the client and of a server that must come out translated."""

from __future__ import annotations

from tests.datapath.lab import CLIENT_IF, SERVER_IF, TCP_EXCHANGE, Exchange, Lab, assert_out
from tests.datapath.packets import CLIENT, CLIENT_PORT, PLAIN, SERVER_PORT, VIP_PORT


def request(
    lab: Lab,
    vip: str,
    server: str,
    flags: str = "A",
    *,
    sport: int = CLIENT_PORT,
    seen_port: int | None = None,
    exchange: Exchange = TCP_EXCHANGE,
) -> None:
    """A packet of the client that must reach `server`, as if it came from `seen_port`."""
    packet = exchange.request(CLIENT, vip, PLAIN, sport, flags=flags)
    expected = exchange.request(CLIENT, server, PLAIN, seen_port or sport, SERVER_PORT, flags=flags)
    assert_out(lab.from_client(packet), SERVER_IF, expected)


def answer(
    lab: Lab,
    vip: str,
    server: str,
    flags: str = "A",
    *,
    sport: int = CLIENT_PORT,
    seen_port: int | None = None,
    exchange: Exchange = TCP_EXCHANGE,
) -> None:
    """A packet of `server` that the client must get from `vip`."""
    packet = exchange.answer(server, CLIENT, PLAIN, dport=seen_port or sport, flags=flags)
    expected = exchange.answer(vip, CLIENT, PLAIN, VIP_PORT, sport, flags=flags)
    assert_out(lab.from_server(packet), CLIENT_IF, expected)
