"""Tells systemd (Type=notify) how the host is; without systemd, nobody (see sd_notify(3))."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_INTERVALS_A_LIMIT = 3  # reports within the time after which systemd loses its patience


def tell(state: str) -> None:
    """Sends `READY=1`, `STOPPING=1` or the like."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):  # an abstract address
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.sendto(state.encode(), address)


@contextmanager
def watchdog(is_well: Callable[[], bool]) -> Iterator[None]:
    """Meanwhile reports regularly, if systemd wants that, as long as `is_well` says so. It may block: that is no report
    either, and then systemd starts the host anew."""
    limit_s = int(os.environ.get("WATCHDOG_USEC", "0")) / 1e6
    if not limit_s or int(os.environ.get("WATCHDOG_PID", os.getpid())) != os.getpid():
        yield
        return
    done = threading.Event()

    def report() -> None:
        while not done.wait(limit_s / _INTERVALS_A_LIMIT):
            if is_well():
                tell("WATCHDOG=1")

    threading.Thread(target=report, name="watchdog", daemon=True).start()
    try:
        yield
    finally:
        done.set()
