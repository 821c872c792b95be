"""HTTP as bytes on a socket, for what no HTTP library sends."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def connection(
    authority: str, timeout: float = 30, receive_buffer: int | None = None
) -> Iterator[socket.socket]:
    host, _, port = authority.rpartition(":")
    with socket.socket() as sock:
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(timeout)
        sock.connect((host, int(port)))
        yield sock


def head(method: str, path: str, *headers: str, host: str = "localhost", version: str = "1.1") -> bytes:
    """The head of a request below /polycube/v1/."""
    lines = [f"{method} /polycube/v1/{path} HTTP/{version}", *([f"Host: {host}"] if host else []), *headers]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


def everything(sock: socket.socket) -> bytes:
    """What arrives until the other side closes; nothing more after a reset."""
    parts = []
    try:
        while part := sock.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def ask(authority: str, *parts: bytes, half_close: bool = False) -> bytes:
    """All answers to the bytes sent; the last request ought to close the connection."""
    with connection(authority) as sock:
        for part in parts:
            sock.sendall(part)
        if half_close:
            sock.shutdown(socket.SHUT_WR)
        return everything(sock)


def statuses(answers: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 ([0-9]{3})", answers)]
