"""Every packet is counted once: by the backend of its session and its direction, or by its side and its fate."""

from __future__ import annotations

import pytest
from scapy.layers.l2 import ARP, Ether

from tests.datapath.lab import (
    CLIENT_IF,
    EXCHANGES,
    SERVER_IF,
    TCP_EXCHANGE,
    UDP_EXCHANGE,
    Exchange,
    Lab,
    assert_out,
)
from tests.datapath.packets import (
    CLIENT,
    CLIENT_PORT,
    OTHER_SERVER,
    PLAIN,
    SERVER,
    SERVER_PORT,
    STRANGER,
    VIP,
    frame,
    tcp,
)
from tests.datapath.tables import BACKEND, FLOOD, FRONTEND, REJECT

each_exchange = pytest.mark.parametrize("exchange", EXCHANGES, ids=str)
NOTHING = (0, 0, 0, 0, 0)
NOBODY, FIRST, SECOND = 0, 3, 5


def served(lab: Lab, *servers: str) -> None:
    lab.tables.counters.update({SERVER: FIRST, OTHER_SERVER: SECOND})
    lab.serve(*((server, SERVER_PORT) for server in servers or (SERVER,)))


def request(lab: Lab, exchange: Exchange, **options: object) -> bytes:
    packet = exchange.request(CLIENT, VIP, PLAIN, **options)  # type: ignore[arg-type]
    assert lab.from_client(packet).out == SERVER_IF
    return packet


def answer(lab: Lab, exchange: Exchange, server: str = SERVER, **options: object) -> bytes:
    packet = exchange.answer(server, CLIENT, PLAIN, **options)  # type: ignore[arg-type]
    assert lab.from_server(packet).out == CLIENT_IF
    return packet


@each_exchange
def test_traffic_of_a_backend(lab: Lab, exchange: Exchange) -> None:
    served(lab)
    sent = [request(lab, exchange)]
    received = [answer(lab, exchange)]
    for length in (1, 100, 1000):
        sent.append(request(lab, exchange, flags="A", payload=bytes(length)))
        received.append(answer(lab, exchange, flags="A", payload=bytes(2 * length)))
    assert lab.tables.traffic(FIRST) == (4, sum(map(len, sent)), 4, sum(map(len, received)), 1)
    assert lab.tables.traffic(NOBODY) == lab.tables.traffic(SECOND) == NOTHING
    for side in (FRONTEND, BACKEND):
        for fate in ("passed", "dropped", "slow_path", "hairpin"):
            assert lab.tables.total(side, fate) == (0, 0)


@pytest.mark.parametrize("chunks", [False, True], ids=["entry", "chunks"])
def test_each_backend_counts_for_itself(lab: Lab, chunks: bool) -> None:
    lab.tables.counters.update({SERVER: FIRST, OTHER_SERVER: SECOND})
    lab.serve((SERVER, SERVER_PORT), (OTHER_SERVER, SERVER_PORT), chunks=chunks)
    expected = {SERVER: [0, 0], OTHER_SERVER: [0, 0]}
    for sport in range(1, 40):
        packet = TCP_EXCHANGE.request(CLIENT, VIP, PLAIN, sport=sport)
        server = Ether(lab.from_client(packet).frame)["IP"].dst
        expected[server][0] += 1
        expected[server][1] += len(packet)
    for server, counter in ((SERVER, FIRST), (OTHER_SERVER, SECOND)):
        packets, size = expected[server]
        assert packets and lab.tables.traffic(counter) == (packets, size, 0, 0, packets)


def test_a_session_counts_where_it_began(lab: Lab) -> None:
    """Also when its backend has gone, and when its entry moves from table to table."""
    served(lab)
    request(lab, TCP_EXCHANGE)
    served(lab, OTHER_SERVER)
    answer(lab, TCP_EXCHANGE)
    request(lab, TCP_EXCHANGE, flags="A")
    assert lab.tables.traffic(FIRST)[::2] == (2, 1, 1)
    assert lab.tables.traffic(SECOND) == NOTHING


def test_late_answers_count_for_the_backend_that_was_left(lab: Lab) -> None:
    served(lab)
    request(lab, UDP_EXCHANGE)
    answer(lab, UDP_EXCHANGE)
    lab.tables.counters.update({SERVER: FIRST, OTHER_SERVER: SECOND})
    lab.serve((OTHER_SERVER, SERVER_PORT))
    request(lab, UDP_EXCHANGE)
    answer(lab, UDP_EXCHANGE)
    assert lab.tables.traffic(FIRST)[::2] == (1, 2, 1)
    assert lab.tables.traffic(SECOND)[::2] == (1, 0, 1)


def test_evicted_sessions_count_on(lab: Lab) -> None:
    served(lab)
    request(lab, TCP_EXCHANGE)
    lab.tables.forget(TCP_EXCHANGE.forward_flow())
    request(lab, TCP_EXCHANGE, flags="A")
    assert lab.tables.traffic(FIRST)[::2] == (2, 0, 2)


def test_affinity_counts_for_the_backend_it_recalls(lab: Lab) -> None:
    lab.tables.counters.update({SERVER: FIRST, OTHER_SERVER: SECOND})
    lab.serve((SERVER, SERVER_PORT), affinity=100)
    request(lab, TCP_EXCHANGE)
    lab.serve((OTHER_SERVER, SERVER_PORT), (SERVER, SERVER_PORT), affinity=100)
    for sport in range(2000, 2010):
        request(lab, TCP_EXCHANGE, sport=sport)
    assert lab.tables.traffic(FIRST)[::2] == (11, 0, 11)


def test_direct_connections_count_for_nobody(lab: Lab) -> None:
    served(lab)
    packet = TCP_EXCHANGE.request(CLIENT, SERVER, PLAIN, dport=SERVER_PORT)
    assert_out(lab.from_client(packet), SERVER_IF, packet)
    assert lab.tables.traffic(NOBODY) == (1, len(packet), 0, 0, 1)
    assert lab.tables.traffic(FIRST) == NOTHING


@each_exchange
def test_hairpin_answers_come_in_by_frontend_ports(lab: Lab, exchange: Exchange) -> None:
    lab.tables.counters[CLIENT] = FIRST
    lab.serve((CLIENT, SERVER_PORT))
    packet = exchange.request(CLIENT, VIP, PLAIN)
    assert lab.from_client(packet).out == SERVER_IF
    back = exchange.answer(CLIENT, VIP, PLAIN)
    assert lab.from_client(back).out == SERVER_IF
    assert lab.tables.traffic(FIRST) == (1, len(packet), 1, len(back), 1)
    assert lab.tables.total(FRONTEND, "hairpin") == (1, len(back))


def test_what_passes(lab: Lab) -> None:
    served(lab)
    there, back = frame(CLIENT, STRANGER, tcp(1, 2)), frame(STRANGER, CLIENT, tcp(2, 1, payload=b"more"))
    assert_out(lab.from_client(there), SERVER_IF, there)
    assert_out(lab.from_server(back), CLIENT_IF, back)
    assert lab.tables.total(FRONTEND, "passed") == (1, len(there))
    assert lab.tables.total(BACKEND, "passed") == (1, len(back))


def test_what_is_dropped(lab: Lab) -> None:
    served(lab)
    packet = TCP_EXCHANGE.answer(SERVER, CLIENT, PLAIN, dport=CLIENT_PORT + 1)
    lab.from_server(packet)
    lab.from_client(packet[:40])
    assert lab.tables.events() == {"no_session": 1, "malformed": 1}
    assert lab.tables.total(BACKEND, "dropped") == (1, len(packet))
    assert lab.tables.total(FRONTEND, "dropped") == (1, 40)


def test_what_the_control_plane_gets(lab: Lab) -> None:
    lab.serve()
    packet = TCP_EXCHANGE.request(CLIENT, VIP, PLAIN)
    count = 1100
    given = sum(len(lab.from_client(packet).punts) for _ in range(count))
    assert lab.tables.copies(REJECT) == (given, 0)
    assert lab.tables.total(FRONTEND, "slow_path") == (given, given * len(packet))
    assert lab.tables.total(FRONTEND, "dropped") == (count - given, (count - given) * len(packet))
    assert lab.tables.events() == {"rejected": count, "rate_limited": count - given}


@pytest.mark.parametrize("multi", [True], ids=["MULTI"])
def test_floods(lab: Lab) -> None:
    probe = bytes(Ether(dst="ff:ff:ff:ff:ff:ff") / ARP(op=1, psrc="0.0.0.0", pdst=STRANGER))
    lab.from_server(probe)
    assert lab.tables.copies(FLOOD) == (1, 0)
    assert lab.tables.total(BACKEND, "slow_path") == (1, len(probe))


def test_a_port_without_role(lab: Lab) -> None:
    lab.datapath.send(9, frame(CLIENT, STRANGER, tcp(1, 2)))
    assert lab.tables.events() == {"port_not_ready": 1}
    assert all(lab.tables.total(side, "dropped") == (0, 0) for side in (0, FRONTEND, BACKEND))


def test_sessions_found_in_the_middle(lab: Lab) -> None:
    """Where sessions begin without a SYN, they have been evicted: or have begun on another node."""
    served(lab)
    request(lab, TCP_EXCHANGE)
    answer(lab, TCP_EXCHANGE)
    request(lab, TCP_EXCHANGE, flags="A")
    assert lab.tables.changes() == {"client_added": 1}
    lab.tables.forget(TCP_EXCHANGE.forward_flow())
    request(lab, TCP_EXCHANGE, flags="A")
    request(lab, TCP_EXCHANGE, sport=CLIENT_PORT + 1)
    assert lab.tables.changes()["resumed"] == 1
