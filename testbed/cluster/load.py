"""Clients that never stop asking, in many network namespaces at once, one thread each.

`python -m testbed.cluster.load` reads a JSON array of clients from its first line, objects
{"namespace", "address", "port", "pause", "kind"}. Kinds are
  "http"   connections of one to ten requests each, which a server may ask to close earlier
  "held"   one connection for ever; opened anew only when it breaks
  "udp"    a datagram and its answer, from a socket for each
Then every line asks for a report; it is answered by a JSON object as in `Report`, of what has been since the
one before. Without a further line it ends.
"""

from __future__ import annotations

import itertools
import json
import random
import socket
import sys
import threading
import time
from collections import Counter
from typing import Any

from testbed.netns import enter

TIMEOUT = 2.0
REQUEST = b"GET / HTTP/1.1\r\nHost: service\r\n\r\n"


class Tally:
    """What all clients have seen since the last report."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clear()

    def _clear(self) -> None:
        self._requests = 0
        self._answers: dict[str, Counter[str]] = {}
        self._failures: list[tuple[float, str, str]] = []

    def answered(self, client: str, server: str) -> None:
        with self._lock:
            self._requests += 1
            self._answers.setdefault(client, Counter())[server] += 1

    def failed(self, client: str, reason: str) -> None:
        with self._lock:
            self._requests += 1
            self._failures.append((time.monotonic(), client, reason))

    def report(self) -> dict[str, Any]:
        with self._lock:
            report = {"requests": self._requests, "answers": self._answers, "failures": self._failures}
            self._clear()
        return report


class Connection:
    def __init__(self, address: str, port: int) -> None:
        self._socket = socket.create_connection((address, port), TIMEOUT)
        self.last = False

    @property
    def local_port(self) -> int:
        return int(self._socket.getsockname()[1])

    @property
    def next_sequence(self) -> int:
        """The sequence number that the next byte gets, which the server has acknowledged last."""
        tcp, repair, repair_queue, queue_sequence, send_queue, off = socket.IPPROTO_TCP, 19, 20, 21, 2, -1
        self._socket.setsockopt(tcp, repair, 1)
        self._socket.setsockopt(tcp, repair_queue, send_queue)
        sequence = self._socket.getsockopt(tcp, queue_sequence)
        self._socket.setsockopt(tcp, repair, off)
        return sequence & 0xFFFFFFFF

    def ask(self) -> str:
        """Returns who answers. Raises OSError."""
        self._socket.sendall(REQUEST)
        answer = b""
        while not answer.endswith(b"\n") or answer.endswith(b"\r\n"):
            block = self._socket.recv(4096)
            if not block:
                raise ConnectionResetError("closed without an answer")
            answer += block
        head, body = answer.split(b"\r\n\r\n", 1)
        self.last = b"\r\nConnection: close" in head
        return body.split()[0].decode()

    def close(self) -> None:
        self._socket.close()


class Client:
    def __init__(
        self, tally: Tally, namespace: str, address: str, port: int, pause: float, kind: str
    ) -> None:
        self._tally = tally
        self._namespace, self._address, self._port = namespace, address, port
        self._pause = pause
        self._name = f"{kind} {namespace} {address}:{port}"
        self._work = {"http": self._http, "held": self._held, "udp": self._udp}[kind]

    def run(self) -> None:
        enter(self._namespace)
        while True:
            try:
                self._work()
            except (OSError, IndexError) as problem:
                self._tally.failed(self._name, repr(problem))
                time.sleep(0.05)

    def _http(self) -> None:
        self._use_connection(random.randint(1, 10))

    def _held(self) -> None:
        self._use_connection(None)

    def _use_connection(self, requests: int | None) -> None:
        connection = Connection(self._address, self._port)
        try:
            for _ in itertools.count() if requests is None else range(requests):
                self._tally.answered(self._name, connection.ask())
                time.sleep(self._pause)
                if connection.last:
                    return
        finally:
            connection.close()

    def _udp(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(TIMEOUT)
            s.connect((self._address, self._port))
            s.send(b"hello")
            self._tally.answered(self._name, s.recv(4096).split()[0].decode())
        time.sleep(self._pause)


def main() -> None:
    tally = Tally()
    for client in json.loads(sys.stdin.readline()):
        threading.Thread(target=Client(tally, **client).run, daemon=True).start()
    print("ready", flush=True)
    for _ in sys.stdin:
        print(json.dumps(tally.report()), flush=True)


if __name__ == "__main__":
    main()
