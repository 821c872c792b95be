"""The life of sessions: who keeps whom, for how long, and what survives which change."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pcnhost.engine.source import Hook
from tests.datapath import talk
from tests.datapath.harness import Datapath
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
    OTHER_SERVER,
    OTHER_VIP,
    PLAIN,
    ROUTER,
    SERVER,
    SERVER_PORT,
    UNREACHABLE,
    VIP,
    VIP_PORT,
    quote,
)
from tests.datapath.tables import SESSION_TABLES

each_exchange = pytest.mark.parametrize("exchange", EXCHANGES, ids=str)
without_handshake = pytest.mark.parametrize("exchange", [UDP_EXCHANGE, PING_EXCHANGE], ids=str)

OPENING, ANSWERED, ESTABLISHED, CLIENT_CLOSED, SERVER_CLOSED, CLOSED, RESET, RESET_CLIENT, RESET_SERVER = (
    range(9)
)
REWRITE = ("10.0.0.0", "255.255.255.0", "10.9.8.0")
VIRTUAL_CLIENT = "10.9.8.1"


@pytest.fixture(scope="module")
def datapaths(timeless: Callable[[Hook], Datapath]) -> Callable[[Hook], Datapath]:
    """What a packet does to its session depends on the time: here it stands still."""
    return timeless


def request(lab: Lab, exchange: Exchange, server: str, flags: str = "A") -> None:
    """A packet of the client, which must reach `server`."""
    talk.request(lab, VIP, server, flags, exchange=exchange)


def answer(lab: Lab, exchange: Exchange, server: str, flags: str = "A") -> None:
    """A packet of `server`, which the client must get from the VIP."""
    talk.answer(lab, VIP, server, flags, exchange=exchange)


def state(lab: Lab, exchange: Exchange, server: str = SERVER) -> int:
    """The state of the session, whichever direction asks for it."""
    forward = lab.tables.session(exchange.forward_flow())
    reverse = lab.tables.session(exchange.reverse_flow(server))
    assert forward and reverse
    assert forward.state == reverse.state
    assert forward.last_seen == reverse.last_seen
    return forward.state


def establish(lab: Lab, exchange: Exchange, server: str) -> None:
    request(lab, exchange, server, "S")
    answer(lab, exchange, server, "SA")
    lab.tables.age(1)  # without handshake, going on for a while is what counts
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
    assert lab.tables.sessions("openings") == 1
    answer(lab, TCP_EXCHANGE, SERVER, "SA")
    request(lab, TCP_EXCHANGE, SERVER, "S")
    assert state(lab, TCP_EXCHANGE) == ANSWERED
    assert lab.tables.sessions("openings") == 1
    request(lab, TCP_EXCHANGE, SERVER, "A")
    assert state(lab, TCP_EXCHANGE) == ESTABLISHED
    assert lab.tables.sessions("clients") == 1
    answer(lab, TCP_EXCHANGE, SERVER, "PA")
    assert state(lab, TCP_EXCHANGE) == ESTABLISHED
    assert lab.tables.sessions() == 1


@pytest.mark.parametrize("from_client", [True, False], ids=["client", "server"])
def test_each_side_closes_for_itself(lab: Lab, from_client: bool) -> None:
    lab.serve((SERVER, SERVER_PORT))
    establish(lab, TCP_EXCHANGE, SERVER)
    first, second = (request, answer) if from_client else (answer, request)
    done = CLIENT_CLOSED if from_client else SERVER_CLOSED
    for flags in ("FA", "FA", "A"):
        first(lab, TCP_EXCHANGE, SERVER, flags)
        assert state(lab, TCP_EXCHANGE) == done
    second(lab, TCP_EXCHANGE, SERVER, "PA")
    assert state(lab, TCP_EXCHANGE) == done
    second(lab, TCP_EXCHANGE, SERVER, "FA")
    first(lab, TCP_EXCHANGE, SERVER, "A")
    assert state(lab, TCP_EXCHANGE) == CLOSED


@pytest.mark.parametrize("flags", ["R", "RA"])
@pytest.mark.parametrize("from_client", [True, False], ids=["client", "server"])
def test_rst_of_either_side_resets(lab: Lab, flags: str, from_client: bool) -> None:
    lab.serve((SERVER, SERVER_PORT))
    establish(lab, TCP_EXCHANGE, SERVER)
    (request if from_client else answer)(lab, TCP_EXCHANGE, SERVER, flags)
    assert state(lab, TCP_EXCHANGE) == RESET


@pytest.mark.parametrize("closed", [False, True], ids=["reset", "closed"])
@pytest.mark.parametrize("from_client", [True, False], ids=["client", "server"])
def test_repeated_resets_keep_no_session(lab: Lab, from_client: bool, closed: bool) -> None:
    lab.serve((SERVER, SERVER_PORT))
    establish(lab, TCP_EXCHANGE, SERVER)
    for side in (request, answer):
        side(lab, TCP_EXCHANGE, SERVER, "FA" if closed else "R")
    for _ in range(6):
        lab.tables.age(40)
        (request if from_client else answer)(lab, TCP_EXCHANGE, SERVER, "R")
    lab.tables.age(1)
    assert_dropped(lab.from_server(TCP_EXCHANGE.answer(SERVER, CLIENT, PLAIN, flags="R")))
    assert lab.count("no_session") == 1


@pytest.mark.parametrize("server_first", [False, True], ids=["client first", "server first"])
def test_both_sides_open_at_once(lab: Lab, server_first: bool) -> None:
    """RFC 9293, figure 7: two SYNs cross each other, and each side answers the other one's."""
    lab.serve((SERVER, SERVER_PORT))
    request(lab, TCP_EXCHANGE, SERVER, "S")
    answer(lab, TCP_EXCHANGE, SERVER, "S")
    sides = (answer, request) if server_first else (request, answer)
    for side in sides:
        side(lab, TCP_EXCHANGE, SERVER, "SA")
    for side in sides:
        side(lab, TCP_EXCHANGE, SERVER, "A")
    assert state(lab, TCP_EXCHANGE) == ESTABLISHED
    assert lab.tables.sessions("clients") == lab.tables.sessions() == 1


@pytest.mark.parametrize("from_client", [True, False], ids=["client", "server"])
def test_traffic_of_both_sides_outlives_an_rst(lab: Lab, from_client: bool) -> None:
    """An RST that is not exactly in sequence is ignored by both ends (RFC 5961, section 3.2)."""
    lab.serve((SERVER, SERVER_PORT))
    establish(lab, TCP_EXCHANGE, SERVER)
    first, second = (request, answer) if from_client else (answer, request)
    first(lab, TCP_EXCHANGE, SERVER, "R")
    for _ in range(2):  # one side alone may not have noticed yet
        first(lab, TCP_EXCHANGE, SERVER, "PA")
        assert state(lab, TCP_EXCHANGE) != ESTABLISHED
    second(lab, TCP_EXCHANGE, SERVER, "A")
    assert state(lab, TCP_EXCHANGE) == ESTABLISHED
    lab.tables.age(3600)
    answer(lab, TCP_EXCHANGE, SERVER, "PA")


@pytest.mark.parametrize("from_client", [True, False], ids=["client", "server"])
def test_a_fin_after_an_rst_closes_nothing(lab: Lab, from_client: bool) -> None:
    """It was on its way already; the session has no hour of a half-closed one before it."""
    lab.serve((SERVER, SERVER_PORT))
    establish(lab, TCP_EXCHANGE, SERVER)
    first, second = (request, answer) if from_client else (answer, request)
    first(lab, TCP_EXCHANGE, SERVER, "R")
    second(lab, TCP_EXCHANGE, SERVER, "FA")
    assert state(lab, TCP_EXCHANGE) in (RESET_CLIENT, RESET_SERVER)


@pytest.mark.parametrize("from_client", [True, False], ids=["client", "server"])
def test_a_connection_that_closes_after_an_rst_is_not_established(lab: Lab, from_client: bool) -> None:
    """The FIN that shows that both sides have gone on is the last packet of its side."""
    lab.serve((SERVER, SERVER_PORT))
    establish(lab, TCP_EXCHANGE, SERVER)
    first, second = (request, answer) if from_client else (answer, request)
    for side, flags in ((first, "R"), (first, "FA"), (second, "FA"), (first, "A")):
        side(lab, TCP_EXCHANGE, SERVER, flags)
    assert state(lab, TCP_EXCHANGE) == (SERVER_CLOSED if from_client else CLIENT_CLOSED)


@pytest.mark.parametrize("from_client", [True, False], ids=["client", "server"])
def test_a_connection_after_a_half_closed_one_is_a_whole_one(lab: Lab, from_client: bool) -> None:
    """The client begins anew from the same port, and the server takes part."""
    lab.serve((SERVER, SERVER_PORT))
    establish(lab, TCP_EXCHANGE, SERVER)
    (request if from_client else answer)(lab, TCP_EXCHANGE, SERVER, "FA")
    request(lab, TCP_EXCHANGE, SERVER, "S")
    answer(lab, TCP_EXCHANGE, SERVER, "SA")
    assert state(lab, TCP_EXCHANGE) == ANSWERED
    request(lab, TCP_EXCHANGE, SERVER, "A")
    assert state(lab, TCP_EXCHANGE) == ESTABLISHED


@pytest.mark.parametrize("from_client", [True, False], ids=["client", "server"])
def test_half_closed_connection_goes_on_for_an_hour(lab: Lab, from_client: bool) -> None:
    lab.serve((SERVER, SERVER_PORT))
    establish(lab, TCP_EXCHANGE, SERVER)
    first, second = (request, answer) if from_client else (answer, request)
    first(lab, TCP_EXCHANGE, SERVER, "FA")
    second(lab, TCP_EXCHANGE, SERVER, "A")
    prefer_other_server(lab)  # else a client that goes on would not notice that it gets a new session
    lab.tables.age(3500)
    second(lab, TCP_EXCHANGE, SERVER, "PA")
    first(lab, TCP_EXCHANGE, SERVER, "A")
    assert lab.tables.events() == {"new_session": 1}


def test_session_found_in_the_middle_is_established(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    request(lab, TCP_EXCHANGE, SERVER, "A")
    assert state(lab, TCP_EXCHANGE) == ESTABLISHED


def test_session_found_at_its_end_is_closing(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    request(lab, TCP_EXCHANGE, SERVER, "FA")
    assert state(lab, TCP_EXCHANGE) == CLIENT_CLOSED


def test_rst_of_an_unknown_session_leaves_nothing_behind(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    request(lab, TCP_EXCHANGE, SERVER, "R")
    assert lab.tables.sessions() == 0


def closing_packets(lab: Lab, last: str) -> None:
    establish(lab, TCP_EXCHANGE, SERVER)
    request(lab, TCP_EXCHANGE, SERVER, last)
    if last == "FA":
        answer(lab, TCP_EXCHANGE, SERVER, "FA")


def prefer_other_server(lab: Lab) -> None:
    """New sessions go to OTHER_SERVER, but SERVER still belongs to the service."""
    lab.tables.set_service(
        VIP, VIP_PORT, TCP_EXCHANGE.proto, [(OTHER_SERVER, SERVER_PORT)], [(SERVER, SERVER_PORT)]
    )


@pytest.mark.parametrize("last", ["A", "FA", "R"])
def test_syn_on_the_tuple_of_a_removed_backend_is_a_new_session(lab: Lab, last: str) -> None:
    lab.serve((SERVER, SERVER_PORT))
    closing_packets(lab, last)
    lab.serve((OTHER_SERVER, SERVER_PORT))
    request(lab, TCP_EXCHANGE, OTHER_SERVER, "S")
    answer(lab, TCP_EXCHANGE, OTHER_SERVER, "SA")
    request(lab, TCP_EXCHANGE, OTHER_SERVER, "A")
    assert state(lab, TCP_EXCHANGE, OTHER_SERVER) == ESTABLISHED


@pytest.mark.parametrize("rewritten", [False, True], ids=["", "rewritten"])
def test_syn_does_not_move_a_live_session(lab: Lab, rewritten: bool) -> None:
    """One blind packet: the backend answers it (RFC 5961, section 4), and data goes on to where it went."""
    lab.serve((SERVER, SERVER_PORT))
    if rewritten:  # or, with a replaced source port, to the same one
        lab.serve((SERVER, SERVER_PORT), vip=OTHER_VIP)
        talk.request(lab, OTHER_VIP, SERVER, "S")
    request_ = talk.request
    establish_flags = ("S", "A")
    first = lab.from_client(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN))
    assert first.out == SERVER_IF
    session = lab.tables.session(TCP_EXCHANGE.forward_flow())
    assert session
    port = session.source_port
    for flags in establish_flags:
        request_(lab, VIP, SERVER, flags, seen_port=port)
        talk.answer(lab, VIP, SERVER, "SA", seen_port=port)
    lab.datapath.set_clock(1)  # by when a search for a source port would find another one
    for change in (lambda _: None, prefer_other_server):
        change(lab)
        for flags in ("S", "A", "PA"):
            request_(lab, VIP, SERVER, flags, seen_port=port)
            talk.answer(lab, VIP, SERVER, "A", seen_port=port)
    assert lab.tables.events() == {"new_session": 2 if rewritten else 1}


def test_syn_after_the_client_has_reset_may_choose(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    establish(lab, TCP_EXCHANGE, SERVER)
    prefer_other_server(lab)
    request(lab, TCP_EXCHANGE, SERVER, "R")
    request(lab, TCP_EXCHANGE, OTHER_SERVER, "S")


def test_syn_after_both_have_closed_is_a_new_session_in_place(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    closing_packets(lab, "FA")
    request(lab, TCP_EXCHANGE, SERVER, "S")
    assert state(lab, TCP_EXCHANGE) == OPENING
    assert lab.tables.events() == {"new_session": 2}
    assert lab.tables.sessions() == 1


def test_stray_packets_of_the_older_session_do_not_touch_the_newer_one(lab: Lab) -> None:
    lab.serve((SERVER, SERVER_PORT))
    establish(lab, TCP_EXCHANGE, SERVER)
    lab.serve((OTHER_SERVER, SERVER_PORT))
    establish(lab, TCP_EXCHANGE, OTHER_SERVER)
    lab.from_server(TCP_EXCHANGE.answer(SERVER, CLIENT, PLAIN, flags="FA"))
    assert state(lab, TCP_EXCHANGE, OTHER_SERVER) == ESTABLISHED
    request(lab, TCP_EXCHANGE, OTHER_SERVER, "A")


@pytest.mark.parametrize("rewritten", [False, True], ids=["", "rewritten"])
def test_late_synack_of_a_removed_backend_does_not_come_from_the_vip(lab: Lab, rewritten: bool) -> None:
    """It would complete the handshake that the client has begun with another backend."""
    if rewritten:
        lab.tables.set_rewrite(REWRITE)
    client = VIRTUAL_CLIENT if rewritten else CLIENT
    lab.serve((SERVER, SERVER_PORT))
    lab.from_client(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN))
    lab.serve((OTHER_SERVER, SERVER_PORT))
    lab.from_client(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN))
    late = TCP_EXCHANGE.answer(SERVER, client, PLAIN)
    assert lab.from_server(late).frame == late


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
    answer(lab, exchange, OTHER_SERVER)


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
        (TCP_EXCHANGE, "S", 240),
        (TCP_EXCHANGE, "SA", 240),
        (TCP_EXCHANGE, "A", 86400),
        (TCP_EXCHANGE, "FA", 3600),
        (TCP_EXCHANGE, "both FA", 240),
        (TCP_EXCHANGE, "R", 240),
        (UDP_EXCHANGE, "S", 120),
        (UDP_EXCHANGE, "SA", 120),
        (UDP_EXCHANGE, "A", 180),
        (PING_EXCHANGE, "S", 60),
        (PING_EXCHANGE, "SA", 60),
        (PING_EXCHANGE, "A", 60),
    ],
    ids=[
        "tcp-opening",
        "tcp-answered",
        "tcp-established",
        "tcp-half-closed",
        "tcp-closed",
        "tcp-reset",
        "udp-unanswered",
        "udp-answered",
        "udp",
        "ping-unanswered",
        "ping-answered",
        "ping",
    ],
)


def idle(lab: Lab, exchange: Exchange, last: str, ticks: int) -> None:
    lab.serve((SERVER, SERVER_PORT))
    if last in ("S", "SA"):
        request(lab, exchange, SERVER, "S")
        if last == "SA":
            answer(lab, exchange, SERVER)
    else:
        establish(lab, exchange, SERVER)
        for side in (request, answer) if last == "both FA" else (request,):
            side(lab, exchange, SERVER, last.removeprefix("both "))
    lab.tables.age(ticks)


@without_handshake
@pytest.mark.parametrize("later", [request, answer], ids=["client", "server"])
def test_states_without_handshake(lab: Lab, exchange: Exchange, later: Callable[..., None]) -> None:
    """After a question and its answer at once, either side may go on: a server may stream."""
    lab.serve((SERVER, SERVER_PORT))
    request(lab, exchange, SERVER)
    assert state(lab, exchange) == OPENING
    lab.tables.age(5)
    request(lab, exchange, SERVER)
    assert state(lab, exchange) == OPENING
    for ask in (answer, request, answer):
        ask(lab, exchange, SERVER)
        assert state(lab, exchange) == ANSWERED
    lab.tables.age(5)
    for ask in (later, request, answer, request):
        ask(lab, exchange, SERVER)
        assert state(lab, exchange) == ESTABLISHED


@idle_sessions
def test_idle_session_lives_until_its_timeout(lab: Lab, exchange: Exchange, last: str, timeout: int) -> None:
    idle(lab, exchange, last, timeout)
    answer(lab, exchange, SERVER)


@idle_sessions
def test_idle_session_ends_after_its_timeout(lab: Lab, exchange: Exchange, last: str, timeout: int) -> None:
    idle(lab, exchange, last, timeout + 1)
    assert_dropped(lab.from_server(exchange.answer(SERVER, CLIENT, PLAIN, flags="A")))
    assert lab.count("no_session") == 1


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
    """A session whose client the backend sees under another address has two entries, of which one may have been
    removed for want of room; the other one makes it again."""
    lab.serve((SERVER, SERVER_PORT))
    lab.tables.set_rewrite(REWRITE)

    def virtual_request() -> None:
        packet = exchange.request(CLIENT, VIP, PLAIN, flags="A")
        expected = exchange.request(VIRTUAL_CLIENT, SERVER, PLAIN, dport=SERVER_PORT, flags="A")
        assert_out(lab.from_client(packet), SERVER_IF, expected)

    def virtual_answer() -> None:
        packet = exchange.answer(SERVER, VIRTUAL_CLIENT, PLAIN, flags="A")
        expected = exchange.answer(VIP, CLIENT, PLAIN, sport=VIP_PORT, flags="A")
        assert_out(lab.from_server(packet), CLIENT_IF, expected)

    virtual_request()
    virtual_answer()
    assert lab.tables.sessions() == 2
    lost = exchange.reverse_flow(client=VIRTUAL_CLIENT) if from_client else exchange.forward_flow()
    lab.tables.forget(lost)
    lab.tables.set_service(
        VIP, exchange.vport, exchange.proto, [exchange.endpoint(OTHER_SERVER)], [exchange.endpoint(SERVER)]
    )
    lab.tables.age(2)  # entries are refreshed once a tick
    first, second = (virtual_request, virtual_answer) if from_client else (virtual_answer, virtual_request)
    first()
    second()
    assert lab.tables.events() == {"new_session": 1}


@pytest.mark.parametrize("ticks", [0, 1])
def test_a_packet_writes_at_most_once_a_tick(lab: Lab, ticks: int) -> None:
    lab.serve((SERVER, SERVER_PORT))
    lab.tables.set_rewrite(REWRITE)
    forward, reverse = TCP_EXCHANGE.forward_flow(), TCP_EXCHANGE.reverse_flow(client=VIRTUAL_CLIENT)
    for flags in ("S", "A"):
        lab.from_client(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN, flags=flags))
    lab.tables.forget(reverse)
    lab.tables.age(ticks)
    before = lab.tables.session(forward)
    lab.from_client(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN, flags="A"))
    after = lab.tables.session(forward)
    assert before and after
    assert (after.last_seen - before.last_seen) % (1 << 32) == ticks
    assert (lab.tables.session(reverse) is not None) == bool(ticks)


@each_exchange
@pytest.mark.parametrize("table", SESSION_TABLES)
def test_entry_of_a_session_that_is_half_another_ones(lab: Lab, exchange: Exchange, table: str) -> None:
    """The kernel may have used the memory of an entry again, for another session, while it is read: no packet may
    leave with the addresses of that one, and no ICMP error either."""
    lab.serve((SERVER, SERVER_PORT))
    seen_client = VIRTUAL_CLIENT if table == "flows" else CLIENT
    if table == "flows":
        lab.tables.set_rewrite(REWRITE)
    lab.from_client(exchange.request(CLIENT, VIP, PLAIN))
    answer_ = exchange.answer(SERVER, seen_client, PLAIN)
    if table == "clients":
        assert lab.from_server(answer_).out == CLIENT_IF
        assert lab.from_client(exchange.request(CLIENT, VIP, PLAIN, flags="A")).out == SERVER_IF
    assert lab.tables.sessions(table) == 1
    lab.tables.tear_sessions(table)
    is_request = table != "flows"
    request_ = exchange.request(CLIENT, VIP, PLAIN, flags="A")
    assert_dropped(lab.from_client(request_) if is_request else lab.from_server(answer_))
    quoted = quote(exchange.request(seen_client, SERVER, PLAIN, dport=SERVER_PORT))
    assert_dropped(lab.from_server(UNREACHABLE.quoting(quoted, ROUTER, seen_client)))
    assert lab.tables.events() == {"new_session": 1, "table_changed": 2}
