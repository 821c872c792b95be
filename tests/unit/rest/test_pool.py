"""Pools take as much work as they say, and no more."""

from __future__ import annotations

import threading
from concurrent.futures import Future

import pytest

from pcnhost.rest.pool import Overloaded, Pool


@pytest.mark.parametrize("most_waiting", [0, 2])
def test_what_is_beyond_threads_and_queue_is_refused(most_waiting: int) -> None:
    pool, go_on = Pool("test", 2, most_waiting), threading.Event()
    jobs: list[Future[bool]] = [pool.submit(go_on.wait) for _ in range(2 + most_waiting)]
    with pytest.raises(Overloaded):
        pool.submit(go_on.wait)
    go_on.set()
    assert all(job.result(10) for job in jobs)
    assert pool.close(10)


def test_a_job_that_has_ended_makes_room_at_once() -> None:
    """Also one that fails, and one that is given up while it waits."""
    pool = Pool("test", 1, 0)
    for _ in range(200):
        assert pool.submit(lambda: 1).result(10) == 1
        with pytest.raises(ZeroDivisionError):
            pool.submit(lambda: 1 // 0).result(10)
    pool.close(10)
    pool, go_on = Pool("test", 1, 1), threading.Event()
    running = pool.submit(go_on.wait)
    for _ in range(3):
        while not running.running():
            pass
        assert pool.submit(go_on.wait).cancel()
    go_on.set()
    assert running.result(10)
    assert pool.close(10)
