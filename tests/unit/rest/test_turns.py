"""Turns of the event loop are short, and nobody is left out."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from pcnhost.rest.turns import MOST, ShortTurns

TALKERS = 10 * MOST


class Crowd:
    """Descriptors as they are registered: the loop's own, some that always have something to say, one that says
    nothing."""

    def __init__(self, stack: ExitStack) -> None:
        self.selector = stack.enter_context(ShortTurns())
        self.peers = {}
        for name in ("own", *(f"talker{number}" for number in range(TALKERS)), "quiet"):
            here, there = socket.socketpair()
            self.peers[name] = stack.enter_context(there)
            self.selector.register(stack.enter_context(here), 1, name)
            if name.startswith("talker"):
                there.send(b"x")

    def turn(self) -> list[str]:
        return [str(key.data) for key, _ in self.selector.select(0)]


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    with ExitStack() as stack:
        yield Crowd(stack)


def test_all_have_their_turn(crowd: Crowd) -> None:
    turns = [crowd.turn() for _ in range(30)]
    assert {len(turn) for turn in turns} == {MOST}
    assert Counter(name for turn in turns for name in turn) == dict.fromkeys(
        (f"talker{number}" for number in range(TALKERS)), 3
    )


def test_who_has_said_nothing_for_long_is_heard_first(crowd: Crowd) -> None:
    for _ in range(15):
        crowd.turn()
    crowd.peers["quiet"].send(b"x")
    assert crowd.turn()[0] == "quiet"


def test_answers_of_threads_are_heard_in_each_turn(crowd: Crowd) -> None:
    crowd.peers["own"].send(b"x")
    assert all("own" in crowd.turn() for _ in range(30))


def test_few_are_told_of_as_they_are() -> None:
    with ExitStack() as stack:
        selector = stack.enter_context(ShortTurns())
        here, there = (stack.enter_context(sock) for sock in socket.socketpair())
        selector.register(here, 1)
        assert selector.select(0) == []
        there.send(b"x")
        assert [key.fd for key, _ in selector.select(None)] == [here.fileno()]
        selector.unregister(here)
        assert selector.select(0) == []
