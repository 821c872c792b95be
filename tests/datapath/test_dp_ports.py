"""Ports come and go: no packet may leave by a port that is not its session's or its client's."""

from __future__ import annotations

import pytest

from pcnhost.engine.source import Hook
from tests.datapath.lab import (
    CLIENT_IF,
    EXCHANGES,
    OTHER_CLIENT_IF,
    SERVER_IF,
    TCP_EXCHANGE,
    Exchange,
    Lab,
    assert_dropped,
    assert_out,
)
from tests.datapath.packets import CLIENT, PLAIN, SERVER, SERVER_PORT, STRANGER, VIP, VIP_PORT, frame, tcp
from tests.datapath.tables import FRONTEND, MAX_PORTS

each_exchange = pytest.mark.parametrize("exchange", EXCHANGES, ids=str)
in_multi_mode = pytest.mark.parametrize("multi", [True], ids=["MULTI"])
OTHER_IF, NEW_SERVER_IF = 7, 9


def answered(lab: Lab, exchange: Exchange, port: int) -> None:
    expected = exchange.answer(VIP, CLIENT, PLAIN, sport=VIP_PORT)
    assert_out(lab.from_server(exchange.answer(SERVER, CLIENT, PLAIN)), port, expected)


@pytest.mark.parametrize("port", [5, MAX_PORTS - 1, MAX_PORTS, 65535])
def test_unknown_input_port(lab: Lab, port: int) -> None:
    packet = frame(CLIENT, STRANGER, tcp(1, 2))
    assert_dropped(lab.datapath.send(port, packet))
    assert lab.tables.events() == {"port_not_ready": 1}


def test_no_backend_port(lab: Lab) -> None:
    lab.tables.remove_port(SERVER_IF)
    lab.tables.add_port(CLIENT_IF, FRONTEND, address=CLIENT)
    assert_dropped(lab.from_client(frame(CLIENT, STRANGER, tcp(1, 2))))
    assert lab.tables.events() == {"no_port": 1}


def test_output_port_without_peer(lab: Lab, hook: Hook) -> None:
    """Dropped by the host's wrapper; in particular not left to the stack of the host."""
    lab.serve((SERVER, SERVER_PORT))
    lab.datapath.disconnect(SERVER_IF)
    assert_dropped(lab.from_client(frame(CLIENT, STRANGER, tcp(1, 2))))
    assert_dropped(lab.from_client(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN)))
    assert lab.count("no_peer") == (2 if hook is Hook.XDP else 0)


@in_multi_mode
@each_exchange
def test_client_moves_to_another_port(lab: Lab, exchange: Exchange) -> None:
    """Answers follow the client's address, not the port it was behind before."""
    lab.serve((SERVER, SERVER_PORT))
    lab.from_client(exchange.request(CLIENT, VIP, PLAIN))
    lab.tables.remove_port(CLIENT_IF)
    lab.tables.add_port(OTHER_IF, FRONTEND, SERVER_IF, CLIENT)
    answered(lab, exchange, OTHER_IF)


@in_multi_mode
@each_exchange
def test_another_client_gets_the_port(lab: Lab, exchange: Exchange) -> None:
    """A session of the port's former owner must not reach the new one."""
    lab.serve((SERVER, SERVER_PORT))
    lab.from_client(exchange.request(CLIENT, VIP, PLAIN))
    lab.tables.remove_port(CLIENT_IF)
    lab.tables.add_port(CLIENT_IF, FRONTEND, SERVER_IF, STRANGER)
    assert_dropped(lab.from_server(exchange.answer(SERVER, CLIENT, PLAIN)))
    assert lab.count("no_port") == 1


@each_exchange
def test_port_is_made_again(lab: Lab, exchange: Exchange) -> None:
    lab.serve((SERVER, SERVER_PORT))
    lab.from_client(exchange.request(CLIENT, VIP, PLAIN))
    lab.tables.remove_port(CLIENT_IF)
    lab.tables.add_port(CLIENT_IF, FRONTEND, SERVER_IF, CLIENT)
    answered(lab, exchange, CLIENT_IF)


@each_exchange
def test_backend_port_changes_its_index(lab: Lab, exchange: Exchange) -> None:
    lab.serve((SERVER, SERVER_PORT))
    lab.from_client(exchange.request(CLIENT, VIP, PLAIN))
    lab.move_backend(NEW_SERVER_IF)
    packet = exchange.request(CLIENT, VIP, PLAIN, flags="A")
    expected = exchange.request(CLIENT, SERVER, PLAIN, dport=SERVER_PORT, flags="A")
    assert_out(lab.from_client(packet), NEW_SERVER_IF, expected)
    outcome = lab.datapath.send(NEW_SERVER_IF, exchange.answer(SERVER, CLIENT, PLAIN))
    assert_out(outcome, CLIENT_IF, exchange.answer(VIP, CLIENT, PLAIN, sport=VIP_PORT))


@each_exchange
def test_client_with_an_address_of_no_port(lab: Lab, exchange: Exchange) -> None:
    """Its session remembers by which port it came, so answers find it."""
    lab.serve((SERVER, SERVER_PORT))
    lab.from_other_client(exchange.request(STRANGER, VIP, PLAIN))
    expected = exchange.answer(VIP, STRANGER, PLAIN, sport=VIP_PORT)
    assert_out(lab.from_server(exchange.answer(SERVER, STRANGER, PLAIN)), lab.other_client_if, expected)


def request(lab: Lab, exchange: Exchange, port: int, client: str = CLIENT, flags: str = "A") -> None:
    packet = exchange.request(client, VIP, PLAIN, flags=flags)
    expected = exchange.request(client, SERVER, PLAIN, dport=SERVER_PORT, flags=flags)
    assert_out(lab.datapath.send(port, packet), SERVER_IF, expected)


@in_multi_mode
@each_exchange
@pytest.mark.parametrize("forged", ["FA", "R", "S", "A", ""], ids=["fin", "rst", "syn", "ack", "nothing"])
def test_a_forged_packet_by_another_port_takes_no_answers_away(
    lab: Lab, exchange: Exchange, forged: str
) -> None:
    """Whoever sends as a client that has a port of its own, in a later tick than the client."""
    lab.serve((SERVER, SERVER_PORT))
    request(lab, exchange, CLIENT_IF, flags="S")
    answered(lab, exchange, CLIENT_IF)
    request(lab, exchange, CLIENT_IF)
    lab.tables.age(1)
    request(lab, exchange, OTHER_CLIENT_IF, flags=forged)
    answered(lab, exchange, CLIENT_IF)


@in_multi_mode
@each_exchange
def test_a_client_behind_a_router_is_where_it_has_sent_last(lab: Lab, exchange: Exchange) -> None:
    """Also when its packet is not the first one of a tick."""
    lab.serve((SERVER, SERVER_PORT))

    def answer(port: int) -> None:
        expected = exchange.answer(VIP, STRANGER, PLAIN, sport=VIP_PORT)
        assert_out(lab.from_server(exchange.answer(SERVER, STRANGER, PLAIN)), port, expected)

    request(lab, exchange, OTHER_CLIENT_IF, STRANGER, "S")
    answer(OTHER_CLIENT_IF)
    request(lab, exchange, OTHER_CLIENT_IF, STRANGER)
    answer(OTHER_CLIENT_IF)
    request(lab, exchange, CLIENT_IF, STRANGER)
    answer(CLIENT_IF)
