"""Requests from inside namespaces, one by one, and what came of them."""

from __future__ import annotations

import errno
import socket
from collections import Counter
from dataclasses import dataclass

from testbed.netns import inside

TIMEOUT_S = 3.0  # for machines that do much else
REFUSED, UNREACHABLE, NOTHING = "refused", "unreachable", "nothing"
_OUTCOMES = {
    errno.ECONNREFUSED: REFUSED,
    errno.EHOSTUNREACH: UNREACHABLE,
    errno.ENETUNREACH: UNREACHABLE,
}


@dataclass(frozen=True)
class Answer:
    server: str
    source: str  # the client's address as the server sees it
    payload: bytes = b""


def http(namespace: str, address: str, port: int, source_port: int = 0, padding: int = 0) -> Answer:
    """One request on a connection of its own, `padding` bytes longer than it must be. Raises OSError."""
    with _socket(namespace, socket.SOCK_STREAM, source_port) as connection:
        connection.connect((address, port))
        filler = f"X-Filler: {'x' * padding}\r\n" if padding else ""
        connection.sendall(f"GET / HTTP/1.1\r\nHost: x\r\n{filler}Connection: close\r\n\r\n".encode())
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    if b"\r\n\r\n" not in received:
        raise ConnectionResetError(errno.ECONNRESET, "closed without an answer")
    server, source = received.split(b"\r\n\r\n", 1)[1].split()
    return Answer(server.decode(), source.decode())


def udp(namespace: str, address: str, port: int, source_port: int = 0, padding: int = 0) -> Answer:
    """One datagram and its answer. Raises OSError."""
    data = b"hello" + b"x" * padding
    with _socket(namespace, socket.SOCK_DGRAM, source_port) as connection:
        connection.connect((address, port))
        connection.send(data)
        server, source, payload = connection.recv(65536).split(b" ", 2)
    if payload != data:
        raise OSError(errno.EBADMSG, "the datagram came back changed")
    return Answer(server.decode(), source.decode(), payload)


TALK = {"TCP": http, "UDP": udp}


def outcome(namespace: str, address: str, port: int, protocol: str = "TCP", source_port: int = 0) -> str:
    """The name of the server that answers, or REFUSED, UNREACHABLE, NOTHING."""
    try:
        return TALK[protocol](namespace, address, port, source_port).server
    except TimeoutError:
        return NOTHING
    except OSError as problem:
        return _OUTCOMES.get(problem.errno or 0, repr(problem))


def outcomes(namespace: str, address: str, port: int, protocol: str = "TCP", count: int = 40) -> Counter[str]:
    """What comes of so many requests; of fewer if one gets no answer, because each of these takes its time."""
    found: Counter[str] = Counter()
    while found.total() < count and NOTHING not in found:
        found[outcome(namespace, address, port, protocol)] += 1
    return found


def _socket(namespace: str, kind: socket.SocketKind, source_port: int) -> socket.socket:
    with inside(namespace):
        connection = socket.socket(socket.AF_INET, kind)
    connection.settimeout(TIMEOUT_S)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if source_port:
        connection.bind(("0.0.0.0", source_port))
    return connection
