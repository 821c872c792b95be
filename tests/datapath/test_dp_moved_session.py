"""A session is confirmed on one CPU, and so moved to another table, while a packet looks for it on another."""

from __future__ import annotations

import pytest

from tests.datapath import talk
from tests.datapath.harness import Way, through
from tests.datapath.lab import CLIENT_IF, EXCHANGES, SERVER_IF, TCP_EXCHANGE, Exchange, Lab, assert_out
from tests.datapath.packets import CLIENT, OTHER_VIP, PLAIN, SERVER, SERVER_PORT, VIP, VIP_PORT
from tests.datapath.test_dp_rewrite import RANGES, VIRTUAL_CLIENT

each_exchange = pytest.mark.parametrize("exchange", EXCHANGES, ids=str)
while_looking = through(Way.MOVING)
afterwards = through(Way.MOVING_LATER)


@while_looking
@each_exchange
def test_an_answer_finds_its_session(lab: Lab, exchange: Exchange) -> None:
    lab.serve((SERVER, SERVER_PORT))
    talk.request(lab, VIP, SERVER, "S", exchange=exchange)
    talk.answer(lab, VIP, SERVER, "SA", exchange=exchange)
    assert lab.tables.sessions("clients") == 1


@while_looking
@each_exchange
def test_a_request_opens_no_second_session(lab: Lab, exchange: Exchange) -> None:
    lab.serve((SERVER, SERVER_PORT))
    talk.request(lab, VIP, SERVER, "S", exchange=exchange)
    talk.request(lab, VIP, SERVER, "S", exchange=exchange)
    assert lab.tables.sessions("clients") == 1
    assert lab.count("new_session") == 1


@while_looking
def test_the_packet_after_the_handshake_finds_it(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    talk.request(lab, VIP, SERVER, "S")
    talk.request(lab, VIP, SERVER, "A")
    assert lab.count("new_session") == 1


@afterwards
@each_exchange
def test_an_answer_in_flows_makes_no_second_entry_of_the_client(lab: Lab, exchange: Exchange) -> None:
    lab.serve((SERVER, SERVER_PORT))
    lab.tables.set_rewrite(RANGES)
    request = exchange.request(CLIENT, VIP, PLAIN, flags="S")
    expected = exchange.request(VIRTUAL_CLIENT, SERVER, PLAIN, dport=SERVER_PORT, flags="S")
    assert_out(lab.from_client(request), SERVER_IF, expected)
    answer = exchange.answer(SERVER, VIRTUAL_CLIENT, PLAIN, flags="SA")
    expected = exchange.answer(VIP, CLIENT, PLAIN, sport=VIP_PORT, flags="SA")
    assert_out(lab.from_server(answer), CLIENT_IF, expected)
    assert lab.tables.sessions("clients") == 1
    assert lab.tables.sessions("flows") == 1


@afterwards
def test_a_second_session_gets_a_source_port_of_its_own(lab: Lab) -> None:
    """The backend cannot tell it from the one that is being confirmed."""
    lab.serve((SERVER, SERVER_PORT))
    lab.serve((SERVER, SERVER_PORT), vip=OTHER_VIP)
    talk.request(lab, VIP, SERVER, "S")
    request = TCP_EXCHANGE.request(CLIENT, OTHER_VIP, PLAIN, flags="S")
    unchanged = TCP_EXCHANGE.request(CLIENT, SERVER, PLAIN, dport=SERVER_PORT, flags="S")
    outcome = lab.from_client(request)
    assert outcome.out == SERVER_IF
    assert outcome.frame != unchanged
