"""Threads that work through a queue with an end."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

Result = TypeVar("Result")


class Overloaded(Exception):
    """So many jobs wait already that one more would only wait in vain."""


class Pool:
    """Its threads are daemons: a job that never ends does not keep the process alive, unlike with
    concurrent.futures. A job whose future is cancelled while it waits leaves the queue at once. `most_waiting` jobs
    wait at most, while all threads are at work."""

    def __init__(self, name: str, threads: int, most_waiting: int) -> None:
        self._most = threads + most_waiting
        self._at_work = 0
        self._queue: OrderedDict[Future[Any], Callable[[], Any]] = OrderedDict()
        self._wake = threading.Condition()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{n}", daemon=True) for n in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[[], Result]) -> Future[Result]:
        """Raises Overloaded."""
        future: Future[Result] = Future()
        with self._wake:
            if self._closed or self._at_work + len(self._queue) >= self._most:
                raise Overloaded
            self._queue[future] = work
            self._wake.notify()
        future.add_done_callback(self._forget)
        return future

    def close(self, timeout: float) -> bool:
        """Give up what waits, and wait for what runs. Returns whether all of it has ended in time."""
        with self._wake:
            self._closed = True
            waiting = list(self._queue)
            self._wake.notify_all()
        for future in waiting:
            future.cancel()
        end = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _forget(self, future: Future[Any]) -> None:
        with self._wake:
            self._queue.pop(future, None)

    def _run(self) -> None:
        while self._do_next():
            pass

    def _do_next(self) -> bool:
        """False when there is nothing more to do. What it has held, results of megabytes too, goes with its end."""
        with self._wake:
            self._wake.wait_for(lambda: self._queue or self._closed)
            if not self._queue:
                return False
            future, work = self._queue.popitem(last=False)
            self._at_work += 1
        tell: Callable[[], None] | None = None
        if future.set_running_or_notify_cancel():
            try:
                tell = partial(future.set_result, work())
            except BaseException as e:
                tell = partial(future.set_exception, e)
        with self._wake:
            self._at_work -= 1
        if tell:  # last, so that whoever has been told finds room for the next job
            tell()
        return True
