"""A table in which the kernel has no free entry at that moment costs the packet that wanted one, and is counted so.

Here the table is a small one that evicts nothing, and is full.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from pcnhost.engine import bpf
from pcnhost.engine.source import Hook
from tests.datapath import maps, talk
from tests.datapath.harness import Datapath
from tests.datapath.lab import (
    CLIENT_IF,
    EXCHANGES,
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
    PLAIN,
    SEEN,
    SEQUENCE,
    SERVER,
    SERVER_PORT,
    VIP,
    VIP_PORT,
    fragments,
    frame,
    tcp,
)
from tests.datapath.tables import Tables

pytestmark = pytest.mark.root

_HASH = 1
each_exchange = pytest.mark.parametrize("exchange", EXCHANGES, ids=str)


@dataclass
class Small:
    """A table with room for one entry."""

    lab: Lab
    fd: int
    value: bytes

    key: bytes

    def fill(self) -> None:
        bpf.update(self.fd, self.key, self.value)

    def make_room(self) -> None:
        bpf.delete(self.fd, self.key)


Make = Callable[[str, Hook, bool], Small]


@pytest.fixture(scope="module")
def small() -> Iterator[Make]:
    """Makes the table of a name a small one. A program is loaded once for each, and begins anew for each test."""
    loaded: dict[tuple[str, Hook], tuple[Datapath, int]] = {}

    def load(name: str, hook: Hook) -> tuple[Datapath, int]:
        model = Datapath(hook)
        spec = replace(bpf.map_spec(model.maps[name]), type=_HASH, max_entries=1, flags=0)
        model.close()
        fd = bpf.create_map("small", spec)
        return Datapath(hook, replaced={name: fd}), fd

    def make(name: str, hook: Hook, multi: bool) -> Small:
        if (name, hook) not in loaded:
            loaded[name, hook] = load(name, hook)
        datapath, fd = loaded[name, hook]
        lab = Lab(datapath, Tables(datapath), multi)
        lab.set_up()
        lab.serve((SERVER, SERVER_PORT))
        spec = bpf.map_spec(fd)
        return Small(lab, fd, value=b"\xff" * spec.value_size, key=b"\xff" * spec.key_size)

    yield make
    for datapath, fd in loaded.values():
        datapath.close()
        os.close(fd)


@pytest.fixture
def clients(small: Make, hook: Hook, multi: bool) -> Small:
    return small("clients", hook, multi)


@pytest.fixture
def flows(small: Make, hook: Hook, multi: bool) -> Small:
    return small("flows", hook, multi)


@pytest.fixture
def notes(small: Make, hook: Hook, multi: bool) -> Small:
    return small("fragments", hook, multi)


@pytest.fixture
def affinities(small: Make, hook: Hook, multi: bool) -> Small:
    return small("affinities", hook, multi)


@each_exchange
def test_no_room_for_an_answered_session(clients: Small, exchange: Exchange) -> None:
    """It costs nothing: the session goes on among those without answer, and the next packet that confirms it tries
    again."""
    clients.fill()
    talk.request(clients.lab, VIP, SERVER, "S", exchange=exchange)
    talk.answer(clients.lab, VIP, SERVER, "SA", exchange=exchange)
    talk.request(clients.lab, VIP, SERVER, exchange=exchange)
    assert clients.lab.tables.events() == {"not_promoted": 1, "new_session": 1}
    clients.make_room()
    talk.answer(clients.lab, VIP, SERVER, exchange=exchange)
    talk.request(clients.lab, VIP, SERVER, exchange=exchange)
    assert clients.lab.tables.events() == {"not_promoted": 1, "new_session": 1}
    assert len(list(bpf.keys(clients.fd))) == 1


def test_room_for_a_session_whose_client_has_acknowledged_long_ago(clients: Small) -> None:
    """One that the backend sees under another address. Its server has sent much since."""
    lab = clients.lab
    lab.tables.set_rewrite((CLIENT, "255.255.255.255", SEEN))
    clients.fill()
    assert lab.from_client(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN, flags="S")).out == SERVER_IF
    assert lab.from_server(TCP_EXCHANGE.answer(SERVER, SEEN, PLAIN, flags="SA")).out == CLIENT_IF
    assert lab.from_client(TCP_EXCHANGE.request(CLIENT, VIP, PLAIN, flags="A")).out == SERVER_IF
    assert lab.count("not_promoted") == 1
    clients.make_room()
    late = frame(CLIENT, VIP, tcp(CLIENT_PORT, VIP_PORT, acknowledged=SEQUENCE + 1_000_000))
    assert lab.from_client(late).out == SERVER_IF
    assert lab.tables.sessions("openings") == 0


def test_answers_without_room_take_no_turns(clients: Small) -> None:
    """In the FIFO of sessions that are over, where this one has no place before it stands in `clients`."""
    clients.fill()
    talk.request(clients.lab, VIP, SERVER, "S", exchange=UDP_EXCHANGE)
    for _ in range(3):
        talk.answer(clients.lab, VIP, SERVER, "SA", exchange=UDP_EXCHANGE)
    retired = clients.lab.datapath.maps["retired"]
    assert not any(any(value or b"") for value in maps.contents(retired).values())
    clients.make_room()
    talk.answer(clients.lab, VIP, SERVER, "SA", exchange=UDP_EXCHANGE)
    assert sum(any(value or b"") for value in maps.contents(retired).values()) == 1


@each_exchange
def test_no_room_for_the_answers_of_a_session(flows: Small, exchange: Exchange) -> None:
    """They have an entry of their own when the backend sees the client under another address."""
    lab = flows.lab
    lab.tables.set_rewrite((CLIENT, "255.255.255.255", SEEN))
    flows.fill()
    request = exchange.request(CLIENT, VIP, PLAIN)
    assert_dropped(lab.from_client(request))
    assert lab.tables.events() == {"table_busy": 1}
    flows.make_room()
    assert_out(lab.from_client(request), SERVER_IF, exchange.request(SEEN, SERVER, PLAIN, dport=SERVER_PORT))
    answer = exchange.answer(SERVER, SEEN, PLAIN)
    assert_out(lab.from_server(answer), CLIENT_IF, exchange.answer(VIP, CLIENT, PLAIN, VIP_PORT))


def test_no_room_for_the_note_of_a_datagram(notes: Small) -> None:
    """Fragments that come before the first one would be held for nothing: no note would release them."""
    lab = notes.lab
    first, *later = fragments(UDP_EXCHANGE.request(CLIENT, VIP, PLAIN, payload=LONG))
    seen = fragments(UDP_EXCHANGE.request(CLIENT, SERVER, PLAIN, dport=SERVER_PORT, payload=LONG))
    notes.fill()
    assert_dropped(lab.from_client(later[0]))
    assert lab.tables.events() == {"table_busy": 1}
    assert_out(lab.from_client(first), SERVER_IF, seen[0])
    assert lab.tables.events() == {"table_busy": 2, "new_session": 1}
    notes.make_room()
    for sent, expected in zip((first, *later), seen, strict=True):
        assert_out(lab.from_client(sent), SERVER_IF, expected)
    assert lab.tables.events() == {"table_busy": 2, "new_session": 1}


@each_exchange
def test_no_room_for_what_a_client_had_last(affinities: Small, exchange: Exchange) -> None:
    """The session begins all the same."""
    affinities.lab.serve((SERVER, SERVER_PORT), affinity=60)
    affinities.fill()
    talk.request(affinities.lab, VIP, SERVER, "S", exchange=exchange)
    assert affinities.lab.tables.events() == {"table_busy": 1, "new_session": 1}
    talk.answer(affinities.lab, VIP, SERVER, "SA", exchange=exchange)
