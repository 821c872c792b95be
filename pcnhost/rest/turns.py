"""Short turns of the event loop.

In each turn asyncio works on all that is ready, and what a request needs next waits for the turn after. Among clients
that always have something to say, a turn takes tens of milliseconds, and a request takes several turns."""

from __future__ import annotations

import asyncio
import heapq
import selectors
from typing import Any

FileObject = Any  # a descriptor or what has one
Event = tuple[selectors.SelectorKey, int]

MOST = 16  # events in a turn


class ShortTurns(selectors.EpollSelector):
    """Tells of a few of those that are ready: of those that have been served least recently, or came before the
    others. These will still be ready in the next turn. So whoever always has something to say has others go first."""

    def __init__(self) -> None:
        super().__init__()
        self._turn = 0
        self._served: dict[int, int] = {}  # the last turn of each descriptor
        self._own: int | None = (
            None  # by which threads tell the loop that they have answers: the first of all
        )

    def register(self, fileobj: FileObject, events: int, data: object = None) -> selectors.SelectorKey:
        key = super().register(fileobj, events, data)
        self._served[key.fd] = self._turn
        if self._own is None:
            self._own = key.fd
        return key

    def select(self, timeout: float | None = None) -> list[Event]:
        ready = super().select(timeout)
        self._turn += 1
        if len(ready) > MOST:
            ready = heapq.nsmallest(MOST, ready, key=self._order)
        for key, _ in ready:
            self._served[key.fd] = self._turn
        return ready

    def _order(self, event: Event) -> int:
        fd = event[0].fd
        return -1 if fd == self._own else self._served[fd]


def new_loop() -> asyncio.AbstractEventLoop:
    return asyncio.SelectorEventLoop(ShortTurns())
