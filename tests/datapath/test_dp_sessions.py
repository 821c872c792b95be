"""The life of sessions: who keeps whom, for how long, and what survives which change."""

from __future__ import annotations

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
    OTHER_SERVER,
    OTHER_VIP,
    PLAIN,
    SERVER,
    SERVER_PORT,
    VIP,
    VIP_PORT,
)

each_exchange = pytest.mark.parametrize("exchange", EXCHANGES, ids=str)
without_handshake = pytest.mark.parametrize("exchange", [UDP_EXCHANGE, PING_EXCHANGE], ids=str)

OPENING, ESTABLISHED, CLOSING = range(3)


def request(lab: Lab, exchange: Exchange, server: str, flags: str = "A") -> None:
    """A packet of the client, which must reach `server`."""
    packet = exchange.request(CLIENT, VIP, PLAIN, flags=flags)
    expected = exchange.request(CLIENT, server, PLAIN, dport=SERVER_PORT, flags=flags)
    assert_out(lab.from_client(packet), SERVER_IF, expected)


def answer(lab: Lab, exchange: Exchange, server: str, flags: str = "A") -> None:
    """A packet of `server`, which the client must get from the VIP."""
    packet = exchange.answer(server, CLIENT, PLAIN, flags=flags)
    assert_out(
        lab.from_server(packet), CLIENT_IF, exchange.answer(VIP, CLIENT, PLAIN, sport=VIP_PORT, flags=flags)
    )


def untranslated_answer(lab: Lab, exchange: Exchange, server: str, flags: str = "A") -> None:
    packet = exchange.answer(server, CLIENT, PLAIN, flags=flags)
    assert_out(lab.from_server(packet), CLIENT_IF, packet)


def state(lab: Lab, exchange: Exchange, server: str = SERVER) -> int:
    """The state in both entries of the session, which must agree."""
    forward = lab.tables.session(exchange.forward_flow())
    reverse = lab.tables.session(exchange.reverse_flow(server))
    assert forward and reverse
    assert forward.state == reverse.state
    assert forward.last_seen == reverse.last_seen
    return forward.state


def establish(lab: Lab, exchange: Exchange, server: str) -> None:
    request(lab, exchange, server, "S")
    answer(lab, exchange, server, "SA")
    request(lab, exchange, server, "A")
    assert state(lab, exchange, server) == ESTABLISHED


@each_exchange
def test_established_session_ignores_new_backends(lab: Lab, exchange: Exchange) -> None:
    lab.serve((SERVER, SERVER_PORT))
    establish(lab, exchange, SERVER)
    lab.tables.set_service(
        VIP, exchange.vport, exchange.proto, [exchange.endpoint(OTHER_SERVER)], [exchange.endpoint(SERVER)]
    )
    request(lab, exchange, SERVER)
    answer(lab, exchange, SERVER)


def test_states_of_tcp(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    request(lab, TCP_EXCHANGE, SERVER, "S")
    assert state(lab, TCP_EXCHANGE) == OPENING
    answer(lab, TCP_EXCHANGE, SERVER, "SA")
    request(lab, TCP_EXCHANGE, SERVER, "S")
    assert state(lab, TCP_EXCHANGE) == OPENING
    request(lab, TCP_EXCHANGE, SERVER, "A")
    assert state(lab, TCP_EXCHANGE) == ESTABLISHED
    answer(lab, TCP_EXCHANGE, SERVER, "PA")
    assert state(lab, TCP_EXCHANGE) == ESTABLISHED
    request(lab, TCP_EXCHANGE, SERVER, "FA")
    assert state(lab, TCP_EXCHANGE) == CLOSING
    answer(lab, TCP_EXCHANGE, SERVER, "FA")
    request(lab, TCP_EXCHANGE, SERVER, "A")
    assert state(lab, TCP_EXCHANGE) == CLOSING


@pytest.mark.parametrize("flags", ["R", "RA", "FA"])
@pytest.mark.parametrize("from_client", [True, False], ids=["client", "server"])
def test_fin_and_rst_of_either_side_close(lab: Lab, flags: str, from_client: bool) -> None:
    lab.serve((SERVER, SERVER_PORT))
    establish(lab, TCP_EXCHANGE, SERVER)
    (request if from_client else answer)(lab, TCP_EXCHANGE, SERVER, flags)
    assert state(lab, TCP_EXCHANGE) == CLOSING


def test_session_found_in_the_middle_is_established(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    request(lab, TCP_EXCHANGE, SERVER, "A")
    assert state(lab, TCP_EXCHANGE) == ESTABLISHED


def test_session_found_at_its_end_is_closing(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    request(lab, TCP_EXCHANGE, SERVER, "FA")
    assert state(lab, TCP_EXCHANGE) == CLOSING


def test_rst_of_an_unknown_session_leaves_nothing_behind(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    request(lab, TCP_EXCHANGE, SERVER, "R")
    assert lab.tables.sessions() == 0


@pytest.mark.parametrize("last", ["A", "FA", "R"])
def test_syn_on_a_used_tuple_is_a_new_session(lab: Lab, last: str) -> None:
    lab.serve((SERVER, SERVER_PORT))
    establish(lab, TCP_EXCHANGE, SERVER)
    request(lab, TCP_EXCHANGE, SERVER, last)
    lab.serve((OTHER_SERVER, SERVER_PORT))
    request(lab, TCP_EXCHANGE, OTHER_SERVER, "S")
    answer(lab, TCP_EXCHANGE, OTHER_SERVER, "SA")
    request(lab, TCP_EXCHANGE, OTHER_SERVER, "A")
    assert state(lab, TCP_EXCHANGE, OTHER_SERVER) == ESTABLISHED


def test_stray_packets_of_the_older_session_do_not_touch_the_newer_one(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    establish(lab, TCP_EXCHANGE, SERVER)
    lab.serve((OTHER_SERVER, SERVER_PORT))
    establish(lab, TCP_EXCHANGE, OTHER_SERVER)
    answer(lab, TCP_EXCHANGE, SERVER, "FA")
    assert state(lab, TCP_EXCHANGE, OTHER_SERVER) == ESTABLISHED
    request(lab, TCP_EXCHANGE, OTHER_SERVER, "A")


def test_repeated_syn_stays_with_its_backend(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    request(lab, TCP_EXCHANGE, SERVER, "S")
    lab.tables.set_service(
        VIP, VIP_PORT, TCP_EXCHANGE.proto, [(OTHER_SERVER, SERVER_PORT)], [(SERVER, SERVER_PORT)]
    )
    request(lab, TCP_EXCHANGE, SERVER, "S")


def test_repeated_syn_leaves_a_removed_backend(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    request(lab, TCP_EXCHANGE, SERVER, "S")
    lab.serve((OTHER_SERVER, SERVER_PORT))
    request(lab, TCP_EXCHANGE, OTHER_SERVER, "S")


def test_tcp_session_drains_from_a_removed_backend(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    establish(lab, TCP_EXCHANGE, SERVER)
    lab.serve((OTHER_SERVER, SERVER_PORT))
    for _ in range(3):
        request(lab, TCP_EXCHANGE, SERVER, "PA")
        answer(lab, TCP_EXCHANGE, SERVER, "PA")
    request(lab, TCP_EXCHANGE, SERVER, "FA")
    answer(lab, TCP_EXCHANGE, SERVER, "FA")


def test_tcp_session_drains_from_a_removed_service(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    establish(lab, TCP_EXCHANGE, SERVER)
    lab.tables.remove_service(VIP, VIP_PORT, TCP_EXCHANGE.proto)
    request(lab, TCP_EXCHANGE, SERVER, "PA")
    answer(lab, TCP_EXCHANGE, SERVER, "PA")
    syn = TCP_EXCHANGE.request(CLIENT, VIP, PLAIN)
    assert_out(lab.from_client(syn), SERVER_IF, syn)


@without_handshake
def test_next_packet_leaves_a_removed_backend(lab: Lab, exchange: Exchange) -> None:
    lab.serve((SERVER, SERVER_PORT))
    establish(lab, exchange, SERVER)
    lab.serve((OTHER_SERVER, SERVER_PORT))
    request(lab, exchange, OTHER_SERVER)
    answer(lab, exchange, OTHER_SERVER)
    answer(lab, exchange, SERVER)  # late, but to a request that came from the VIP's client


@without_handshake
def test_next_packet_leaves_a_removed_service(lab: Lab, exchange: Exchange) -> None:
    lab.serve((SERVER, SERVER_PORT))
    establish(lab, exchange, SERVER)
    lab.tables.remove_service(VIP, exchange.vport, exchange.proto)
    packet = exchange.request(CLIENT, VIP, PLAIN)
    assert_out(lab.from_client(packet), SERVER_IF, packet)


@each_exchange
def test_session_of_the_next_tick_is_alive(lab: Lab, exchange: Exchange) -> None:
    """Another CPU may have seen the session, and the next tick, while this one still worked on the packet."""
    lab.serve((SERVER, SERVER_PORT))
    establish(lab, exchange, SERVER)
    lab.tables.age(-1)
    answer(lab, exchange, SERVER)


idle_sessions = pytest.mark.parametrize(
    ("exchange", "last", "timeout"),
    [
        (TCP_EXCHANGE, "S", 60),
        (TCP_EXCHANGE, "A", 86400),
        (TCP_EXCHANGE, "FA", 120),
        (UDP_EXCHANGE, "S", 30),
        (UDP_EXCHANGE, "A", 180),
        (PING_EXCHANGE, "S", 30),
        (PING_EXCHANGE, "A", 30),
    ],
    ids=["tcp-opening", "tcp-established", "tcp-closing", "udp-unanswered", "udp", "ping-unanswered", "ping"],
)


def idle(lab: Lab, exchange: Exchange, last: str, ticks: int) -> None:
    lab.serve((SERVER, SERVER_PORT))
    if last == "S":
        request(lab, exchange, SERVER, "S")
    else:
        establish(lab, exchange, SERVER)
        request(lab, exchange, SERVER, last)
    lab.tables.age(ticks)


@idle_sessions
def test_idle_session_lives_until_its_timeout(lab: Lab, exchange: Exchange, last: str, timeout: int) -> None:
    idle(lab, exchange, last, timeout - 2)  # a tick may pass while this runs
    answer(lab, exchange, SERVER)


@idle_sessions
def test_idle_session_ends_after_its_timeout(lab: Lab, exchange: Exchange, last: str, timeout: int) -> None:
    idle(lab, exchange, last, timeout + 1)
    untranslated_answer(lab, exchange, SERVER)


@each_exchange
def test_ended_session_is_selected_anew(lab: Lab, exchange: Exchange) -> None:
    lab.serve((SERVER, SERVER_PORT))
    establish(lab, exchange, SERVER)
    lab.tables.age(86401)
    lab.tables.set_service(
        VIP, exchange.vport, exchange.proto, [exchange.endpoint(OTHER_SERVER)], [exchange.endpoint(SERVER)]
    )
    request(lab, exchange, OTHER_SERVER)
    answer(lab, exchange, OTHER_SERVER)


@each_exchange
@pytest.mark.parametrize("from_client", [True, False], ids=["client", "server"])
def test_one_busy_direction_keeps_both_alive(lab: Lab, exchange: Exchange, from_client: bool) -> None:
    lab.serve((SERVER, SERVER_PORT))
    establish(lab, exchange, SERVER)
    for _ in range(12):
        lab.tables.age(25)
        (request if from_client else answer)(lab, exchange, SERVER)
    request(lab, exchange, SERVER)
    answer(lab, exchange, SERVER)
    assert lab.tables.events() == {"new_session": 1}


@each_exchange
@pytest.mark.parametrize("from_client", [True, False], ids=["client", "server"])
def test_evicted_direction_comes_back(lab: Lab, exchange: Exchange, from_client: bool) -> None:
    """The kernel may drop one of the two entries when there is no room; the other one makes it again."""
    lab.serve((SERVER, SERVER_PORT))
    establish(lab, exchange, SERVER)
    lab.tables.forget(exchange.reverse_flow(SERVER) if from_client else exchange.forward_flow())
    lab.tables.set_service(
        VIP, exchange.vport, exchange.proto, [exchange.endpoint(OTHER_SERVER)], [exchange.endpoint(SERVER)]
    )
    lab.tables.age(2)  # entries are refreshed once a tick
    (request if from_client else answer)(lab, exchange, SERVER)
    (answer if from_client else request)(lab, exchange, SERVER)
    assert lab.tables.events() == {"new_session": 1}


def test_a_packet_writes_at_most_once_a_tick(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    establish(lab, TCP_EXCHANGE, SERVER)
    forward, reverse = TCP_EXCHANGE.forward_flow(), TCP_EXCHANGE.reverse_flow()
    request(lab, TCP_EXCHANGE, SERVER)
    before = lab.tables.session(forward)
    lab.tables.forget(reverse)
    request(lab, TCP_EXCHANGE, SERVER)
    after = lab.tables.session(forward)
    assert before and after
    refreshed = after.last_seen != before.last_seen  # a tick has passed meanwhile
    assert (lab.tables.session(reverse) is not None) == refreshed


@each_exchange
def test_source_port_shared_by_two_vips(lab: Lab, exchange: Exchange) -> None:
    """Both sessions look the same to the backend, unless the later one gets another source port."""
    lab.serve((SERVER, SERVER_PORT))
    lab.serve((SERVER, SERVER_PORT), vip=OTHER_VIP)
    request(lab, exchange, SERVER, "S")
    outcome = lab.from_client(exchange.request(CLIENT, OTHER_VIP, PLAIN))
    session = lab.tables.session(exchange.forward_flow(vip=OTHER_VIP))
    assert session
    assert session.sport != CLIENT_PORT
    assert session.sport >= 1024
    assert_out(outcome, SERVER_IF, exchange.request(CLIENT, SERVER, PLAIN, session.sport, SERVER_PORT))

    answer(lab, exchange, SERVER, "SA")
    outcome = lab.from_server(exchange.answer(SERVER, CLIENT, PLAIN, dport=session.sport))
    assert_out(outcome, CLIENT_IF, exchange.answer(OTHER_VIP, CLIENT, PLAIN, VIP_PORT, CLIENT_PORT))
    outcome = lab.from_client(exchange.request(CLIENT, OTHER_VIP, PLAIN, flags="A"))
    assert_out(outcome, SERVER_IF, exchange.request(CLIENT, SERVER, PLAIN, session.sport, SERVER_PORT, "A"))


def test_no_source_port_left(lab: Lab) -> None:
    """With every alternative taken as well, the packet is dropped and counted."""
    lab.serve((SERVER, SERVER_PORT))
    lab.serve((SERVER, SERVER_PORT), vip=OTHER_VIP)
    request(lab, TCP_EXCHANGE, SERVER, "S")
    first, later = TCP_EXCHANGE.reverse_flow(), TCP_EXCHANGE.forward_flow(vip=OTHER_VIP)
    syn = TCP_EXCHANGE.request(CLIENT, OTHER_VIP, PLAIN)
    for _ in range(2):  # the alternatives that the datapath tries
        assert lab.from_client(syn).out == SERVER_IF
        session = lab.tables.session(later)
        assert session
        lab.tables.forget(later)
        lab.tables.copy_session(first, TCP_EXCHANGE.reverse_flow(dport=session.sport))
    assert_dropped(lab.from_client(syn))
    assert lab.count("source_ports") == 1
