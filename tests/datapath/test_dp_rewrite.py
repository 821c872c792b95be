"""Sources that backends must not see as they are: clients with a virtual address, and the backend itself."""

from __future__ import annotations

import socket

import pytest

from tests.datapath.lab import (
    CLIENT_IF,
    EXCHANGES,
    PING_EXCHANGE,
    SERVER_IF,
    TCP_EXCHANGE,
    UDP_EXCHANGE,
    Exchange,
    Lab,
    assert_dropped,
    assert_out,
)
from tests.datapath.packets import (
    CLIENT,
    CLIENT_PORT,
    LONG,
    OTHER_SERVER,
    PLAIN,
    ROUTER,
    SERVER,
    SERVER_PORT,
    SHAPES,
    STRANGER,
    UNREACHABLE,
    VIP,
    VIP_PORT,
    Shape,
    fragments,
    frame,
    quote,
    tcp,
)
from tests.datapath.tables import SHORT_TIMEOUTS, Ranges

RANGES = ("10.0.0.0", "255.255.255.0", "10.9.8.0")
OTHER_RANGES = (CLIENT, "255.255.255.255", "10.7.0.9")
VIRTUAL_CLIENT = "10.9.8.1"
each_exchange = pytest.mark.parametrize("exchange", EXCHANGES, ids=str)
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


@each_exchange
@each_shape
def test_client_appears_under_its_virtual_address(lab: Lab, exchange: Exchange, shape: Shape) -> None:
    lab.serve((SERVER, SERVER_PORT))
    lab.tables.set_rewrite(RANGES)
    for flags in ("S", "A"):
        request = exchange.request(CLIENT, VIP, shape, flags=flags)
        expected = exchange.request(VIRTUAL_CLIENT, SERVER, shape, dport=SERVER_PORT, flags=flags)
        assert_out(lab.from_client(request), SERVER_IF, expected)
        answer = exchange.answer(SERVER, VIRTUAL_CLIENT, shape, flags=flags)
        expected = exchange.answer(VIP, CLIENT, shape, sport=VIP_PORT, flags=flags)
        assert_out(lab.from_server(answer), CLIENT_IF, expected)


@pytest.mark.parametrize(
    ("ranges", "client", "virtual"),
    [
        (("10.0.0.0", "255.255.0.0", "172.20.0.0"), "10.0.3.77", "172.20.3.77"),
        (("10.0.0.0", "255.255.255.240", "10.9.8.32"), "10.0.0.13", "10.9.8.45"),
        (("10.0.0.5", "255.255.255.255", "10.9.8.1"), "10.0.0.5", "10.9.8.1"),
        (("10.0.0.0", "255.255.255.240", "10.9.8.32"), "10.0.0.17", "10.0.0.17"),
        (("0.0.0.0", "128.0.0.0", "128.0.0.0"), "10.0.0.17", "138.0.0.17"),
    ],
    ids=["16", "28", "32", "outside", "1"],
)
def test_host_bits_stay(lab: Lab, ranges: tuple[str, str, str], client: str, virtual: str) -> None:
    lab.serve((SERVER, SERVER_PORT))
    lab.tables.set_rewrite(ranges)
    request = UDP_EXCHANGE.request(client, VIP, PLAIN)
    expected = UDP_EXCHANGE.request(virtual, SERVER, PLAIN, dport=SERVER_PORT)
    assert_out(lab.from_client(request), SERVER_IF, expected)


def test_only_traffic_of_services_is_rewritten(lab: Lab) -> None:
    lab.tables.set_rewrite(RANGES)
    packet = frame(CLIENT, STRANGER, tcp(1, 2))
    assert_out(lab.from_client(packet), SERVER_IF, packet)
    packet = frame(STRANGER, CLIENT, tcp(2, 1))
    assert_out(lab.from_server(packet), CLIENT_IF, packet)


@each_exchange
def test_changed_range_is_for_new_sessions(lab: Lab, exchange: Exchange) -> None:
    lab.serve((SERVER, SERVER_PORT))
    lab.tables.set_rewrite(RANGES)
    lab.from_client(exchange.request(CLIENT, VIP, PLAIN))
    lab.tables.set_rewrite(("10.0.0.0", "255.255.255.0", "10.7.7.0"))
    request = exchange.request(CLIENT, VIP, PLAIN, flags="A")
    expected = exchange.request(VIRTUAL_CLIENT, SERVER, PLAIN, dport=SERVER_PORT, flags="A")
    assert_out(lab.from_client(request), SERVER_IF, expected)
    request = exchange.request(CLIENT, VIP, PLAIN, sport=5)
    expected = exchange.request("10.7.7.1", SERVER, PLAIN, sport=5, dport=SERVER_PORT)
    assert_out(lab.from_client(request), SERVER_IF, expected)
    lab.tables.set_rewrite(None)
    request = exchange.request(CLIENT, VIP, PLAIN, sport=6)
    expected = exchange.request(CLIENT, SERVER, PLAIN, sport=6, dport=SERVER_PORT)
    assert_out(lab.from_client(request), SERVER_IF, expected)


@pytest.mark.parametrize("written", [1, 2, 3], ids="{} of 4 words".format)
@pytest.mark.parametrize(
    ("before", "after"),
    [(RANGES, OTHER_RANGES), (OTHER_RANGES, RANGES), (RANGES, None)],
    ids=["one", "other", "off"],
)
def test_half_of_a_setting_is_for_nobody(
    lab: Lab, before: Ranges, after: Ranges | None, written: int
) -> None:
    """While the kernel writes the setting, a new session could get one network's part of it and the other one's."""
    lab.serve((SERVER, SERVER_PORT))
    lab.tables.set_rewrite(RANGES)
    session = UDP_EXCHANGE.request(CLIENT, VIP, PLAIN)
    expected = UDP_EXCHANGE.request(VIRTUAL_CLIENT, SERVER, PLAIN, dport=SERVER_PORT)
    assert_out(lab.from_client(session), SERVER_IF, expected)
    lab.tables.half_write_rewrite(before, after, written)
    assert_dropped(lab.from_client(UDP_EXCHANGE.request(CLIENT, VIP, PLAIN, sport=5)))
    assert lab.count("table_changed") == 1
    assert_out(lab.from_client(session), SERVER_IF, expected)


def test_a_setting_whose_first_words_are_written_is_not_in_force(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    lab.tables.half_write_rewrite(None, RANGES, 3)
    request = UDP_EXCHANGE.request(CLIENT, VIP, PLAIN)
    expected = UDP_EXCHANGE.request(CLIENT, SERVER, PLAIN, dport=SERVER_PORT)
    assert_out(lab.from_client(request), SERVER_IF, expected)


def test_a_timeout_that_is_raised_is_that_of_sessions_too(lab: Lab) -> None:
    """Of those that were idle when it was raised, and whose entry is by the backend's flow."""
    lab.serve((SERVER, SERVER_PORT))
    lab.tables.set_rewrite(RANGES)
    lab.tables.set_settings(SHORT_TIMEOUTS)
    exchange = TCP_EXCHANGE
    for flags in ("S", "A"):
        lab.from_client(exchange.request(CLIENT, VIP, PLAIN, flags=flags))
        lab.from_server(exchange.answer(SERVER, VIRTUAL_CLIENT, PLAIN, flags=flags + "A"))
    lab.tables.age(SHORT_TIMEOUTS[socket.IPPROTO_TCP][0] - 10)
    lab.tables.set_settings()
    lab.tables.age(20)
    expected = exchange.answer(VIP, CLIENT, PLAIN, sport=VIP_PORT, flags="A")
    assert_out(
        lab.from_server(exchange.answer(SERVER, VIRTUAL_CLIENT, PLAIN, flags="A")), CLIENT_IF, expected
    )


@each_exchange
@pytest.mark.parametrize("from_client", [True, False], ids=["client", "server"])
def test_one_busy_direction_is_enough_for_a_virtual_client(
    lab: Lab, exchange: Exchange, from_client: bool
) -> None:
    """However short the timeouts are: here the client, or the server, is silent for longer than any of them."""
    lab.serve((SERVER, SERVER_PORT))
    lab.tables.set_rewrite(RANGES)
    lab.tables.set_settings(SHORT_TIMEOUTS)

    def request(flags: str = "A") -> None:
        expected = exchange.request(VIRTUAL_CLIENT, SERVER, PLAIN, dport=SERVER_PORT, flags=flags)
        assert_out(lab.from_client(exchange.request(CLIENT, VIP, PLAIN, flags=flags)), SERVER_IF, expected)

    def answer(flags: str = "A") -> None:
        expected = exchange.answer(VIP, CLIENT, PLAIN, sport=VIP_PORT, flags=flags)
        assert_out(
            lab.from_server(exchange.answer(SERVER, VIRTUAL_CLIENT, PLAIN, flags=flags)), CLIENT_IF, expected
        )

    request("S")
    answer("SA")
    request()
    for _ in range(4):
        lab.tables.age(25)
        (request if from_client else answer)()
    request()
    answer()
    assert lab.tables.events() == {"new_session": 1}


@each_exchange
def test_virtual_address_in_icmp_errors(lab: Lab, exchange: Exchange) -> None:
    lab.serve((SERVER, SERVER_PORT))
    lab.tables.set_rewrite(RANGES)
    lab.from_client(exchange.request(CLIENT, VIP, PLAIN))
    seen = quote(exchange.request(VIRTUAL_CLIENT, SERVER, PLAIN, dport=SERVER_PORT))
    sent = quote(exchange.request(CLIENT, VIP, PLAIN))
    outcome = lab.from_server(UNREACHABLE.quoting(seen, ROUTER, VIRTUAL_CLIENT))
    assert_out(outcome, CLIENT_IF, UNREACHABLE.quoting(sent, ROUTER, CLIENT))

    seen = quote(exchange.answer(VIP, CLIENT, PLAIN, sport=VIP_PORT))
    sent = quote(exchange.answer(SERVER, VIRTUAL_CLIENT, PLAIN))
    outcome = lab.from_client(UNREACHABLE.quoting(seen, CLIENT, VIP))
    assert_out(outcome, SERVER_IF, UNREACHABLE.quoting(sent, VIRTUAL_CLIENT, SERVER))


@each_exchange
def test_virtual_address_in_fragments(lab: Lab, exchange: Exchange) -> None:
    lab.serve((SERVER, SERVER_PORT))
    lab.tables.set_rewrite(RANGES)
    request = exchange.request(CLIENT, VIP, PLAIN, payload=LONG)
    expected = exchange.request(VIRTUAL_CLIENT, SERVER, PLAIN, dport=SERVER_PORT, payload=LONG)
    for sent, seen in zip(fragments(request), fragments(expected), strict=True):
        assert_out(lab.from_client(sent), SERVER_IF, seen)
    answer = exchange.answer(SERVER, VIRTUAL_CLIENT, PLAIN, payload=LONG)
    expected = exchange.answer(VIP, CLIENT, PLAIN, sport=VIP_PORT, payload=LONG)
    for sent, seen in zip(fragments(answer), fragments(expected), strict=True):
        assert_out(lab.from_server(sent), CLIENT_IF, seen)


def _hairpin(lab: Lab, rewritten: bool) -> None:
    lab.serve((CLIENT, SERVER_PORT))
    if rewritten:
        lab.tables.set_rewrite(RANGES)


@each_exchange
@each_shape
@pytest.mark.parametrize("rewritten", [False, True], ids=["", "rewritten"])
def test_hairpin(lab: Lab, exchange: Exchange, shape: Shape, rewritten: bool) -> None:
    """The client is the chosen backend: it must see somebody else as client, and both halves of what it says to
    itself go out by the BACKEND port, from where the network brings them back."""
    _hairpin(lab, rewritten)
    for flags in ("S", "A"):
        request = exchange.request(CLIENT, VIP, shape, flags=flags)
        seen = exchange.request(VIP, CLIENT, shape, dport=SERVER_PORT, flags=flags)
        assert_out(lab.from_client(request), SERVER_IF, seen)
        assert_out(lab.from_server(seen), CLIENT_IF, seen)
        answer = exchange.answer(CLIENT, VIP, shape, flags=flags)
        seen = exchange.answer(VIP, CLIENT, shape, sport=VIP_PORT, flags=flags)
        assert_out(lab.from_client(answer), SERVER_IF, seen)
        assert_out(lab.from_server(seen), CLIENT_IF, seen)
    assert lab.tables.events() == {"new_session": 1}


@each_exchange
def test_a_hairpin_session_takes_no_other_traffic_of_its_pod(lab: Lab, exchange: Exchange) -> None:
    """The pod is a server for others as well, at the port where it serves itself."""
    _hairpin(lab, rewritten=False)
    answer = exchange.answer(CLIENT, VIP, PLAIN)
    translated = exchange.answer(VIP, CLIENT, PLAIN, sport=VIP_PORT)
    lab.from_client(exchange.request(CLIENT, VIP, PLAIN))
    for _ in range(2):
        assert_out(lab.from_client(answer), SERVER_IF, translated)
        for packet in (
            exchange.answer(CLIENT, STRANGER, PLAIN),
            exchange.answer(CLIENT, VIP, PLAIN, dport=CLIENT_PORT + 1),
        ):
            assert_out(lab.from_client(packet), SERVER_IF, packet)
        packet = exchange.request(STRANGER, CLIENT, PLAIN, dport=SERVER_PORT)
        assert_out(lab.from_server(packet), CLIENT_IF, packet)
    assert lab.tables.events() == {"new_session": 1}


@each_exchange
def test_hairpin_in_icmp_errors(lab: Lab, exchange: Exchange) -> None:
    _hairpin(lab, rewritten=False)
    lab.from_client(exchange.request(CLIENT, VIP, PLAIN))
    seen = quote(exchange.request(VIP, CLIENT, PLAIN, dport=SERVER_PORT))
    sent = quote(exchange.request(CLIENT, VIP, PLAIN))
    error = UNREACHABLE.quoting(sent, VIP, CLIENT)
    assert_out(lab.from_client(UNREACHABLE.quoting(seen, CLIENT, VIP)), SERVER_IF, error)
    assert_out(lab.from_server(error), CLIENT_IF, error)


@each_exchange
def test_hairpin_in_fragments(lab: Lab, exchange: Exchange) -> None:
    _hairpin(lab, rewritten=False)
    request = exchange.request(CLIENT, VIP, PLAIN, payload=LONG)
    expected = exchange.request(VIP, CLIENT, PLAIN, dport=SERVER_PORT, payload=LONG)
    for sent, seen in zip(fragments(request), fragments(expected), strict=True):
        assert_out(lab.from_client(sent), SERVER_IF, seen)
        assert_out(lab.from_server(seen), CLIENT_IF, seen)


@each_exchange
def test_other_backends_see_the_client_itself(lab: Lab, exchange: Exchange) -> None:
    lab.serve((CLIENT, SERVER_PORT), (OTHER_SERVER, SERVER_PORT))
    seen = set()
    for sport in range(1000, 1040):
        outcome = lab.from_client(exchange.request(CLIENT, VIP, PLAIN, sport=sport))
        for source, server in ((VIP, CLIENT), (CLIENT, OTHER_SERVER)):
            if outcome.frame == exchange.request(source, server, PLAIN, sport=sport, dport=SERVER_PORT):
                seen.add(server)
    assert seen == {CLIENT, OTHER_SERVER}


def test_ping_of_the_pod_itself_through_the_vip(lab: Lab) -> None:
    """Echo request and reply carry the same identifier; only their type tells the two directions apart."""
    _hairpin(lab, rewritten=False)
    request = PING_EXCHANGE.request(CLIENT, VIP, PLAIN)
    answer = PING_EXCHANGE.answer(CLIENT, VIP, PLAIN)
    for _ in range(2):
        assert_out(lab.from_client(request), SERVER_IF, PING_EXCHANGE.request(VIP, CLIENT, PLAIN))
        assert_out(lab.from_client(answer), SERVER_IF, PING_EXCHANGE.answer(VIP, CLIENT, PLAIN))
