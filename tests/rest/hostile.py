"""Clients that mean harm, as a process: `python -m tests.rest.hostile ADDRESS:PORT CLIENTS SECONDS`.

Each of the clients does one kind of harm again and again. What it gets for that is its own affair."""

from __future__ import annotations

import itertools
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from tests.rest.rawhttp import head

DEEP = b"[" * 100_000
MANY = json.dumps([{"name": 1}] * 60_000).encode()


@contextmanager
def connected(authority: str) -> Iterator[socket.socket]:
    host, _, port = authority.rpartition(":")
    with socket.create_connection((host, int(port)), 5) as sock:
        yield sock


def slow_head(authority: str) -> None:
    with connected(authority) as sock:
        sock.sendall(head("GET", "version")[:-2])
        for _ in range(20):
            sock.sendall(b"X: y\r\n")
            time.sleep(0.2)


def endless_head(authority: str) -> None:
    with connected(authority) as sock:
        while True:
            sock.sendall(b"GET /" + b"x" * 100_000)


def endless_body(authority: str) -> None:
    with connected(authority) as sock:
        sock.sendall(head("POST", "k8slbrp/hostile", "Transfer-Encoding: chunked"))
        while True:
            sock.sendall(b"4000\r\n%b\r\n" % (b"x" * 0x4000))


def slow_body(authority: str) -> None:
    """All of a mebibyte but one byte."""
    with connected(authority) as sock:
        sock.sendall(head("POST", "k8slbrp/hostile", f"Content-Length: {1 << 20}") + b" " * ((1 << 20) - 1))
        time.sleep(3)


def abandoned(authority: str) -> None:
    for number in range(20):
        with connected(authority) as sock:
            sock.sendall(head("POST", f"k8slbrp/bad{number}", "Content-Length: 10") + b'{"type":1}')


def connection_flood(authority: str) -> None:
    with ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(connected(authority))


def request_flood(authority: str) -> None:
    with connected(authority) as sock:
        for _ in range(20):
            sock.sendall(head("GET", "version") * 50)
            sock.recv(1 << 20)


def costly_body(authority: str) -> None:
    for body in (DEEP, MANY, b"{" * 1000):
        with connected(authority) as sock:
            sock.sendall(
                head("POST", "k8slbrp/none/service", f"Content-Length: {len(body)}", "Connection: close")
            )
            sock.sendall(body)
            while sock.recv(1 << 16):
                pass


def nonsense(authority: str) -> None:
    with connected(authority) as sock:
        sock.sendall(b"\x16\x03\x01\0\0" * 100)
        sock.recv(1000)


KINDS: tuple[Callable[[str], None], ...] = (
    *(slow_head, endless_head, endless_body, slow_body, abandoned),
    *(connection_flood, request_flood, costly_body, nonsense),
)


def run(kind: Callable[[str], None], authority: str, end: float) -> None:
    while time.monotonic() < end:
        try:
            kind(authority)
        except OSError:
            time.sleep(0.01)


def main(authority: str, clients: str, seconds: str) -> None:
    end = time.monotonic() + float(seconds)
    kinds = itertools.islice(itertools.cycle(KINDS), int(clients))
    threads = [threading.Thread(target=run, args=(kind, authority, end), daemon=True) for kind in kinds]
    for thread in threads:
        thread.start()
    time.sleep(float(seconds))


if __name__ == "__main__":
    main(*sys.argv[1:])
