"""Many live TCP connections at once, each with the server it first met.

Run inside a namespace: `python -m testbed.holder ADDRESS PORT COUNT`; prints "ready" when all are open. Each
line on standard input then asks for a check: a request on every connection. It is answered by a JSON line
{"alive": …, "broken": …, "servers": {name: connections}}.
"""

from __future__ import annotations

import json
import socket
import sys
from collections import Counter

REQUEST = b"GET / HTTP/1.1\r\nHost: service\r\n\r\n"


class Held:
    """One connection; `server` is who answered first."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.connection = socket.create_connection(address, 10)
        self.server = self.ask()

    def ask(self) -> str:
        """Returns who answers now. Raises OSError when the connection is broken."""
        self.connection.sendall(REQUEST)
        answer = b""
        while not answer.endswith(b"\n") or b"\r\n\r\n" not in answer or answer.endswith(b"\r\n\r\n"):
            block = self.connection.recv(4096)
            if not block:
                raise ConnectionResetError("closed by the server")
            answer += block
        return answer.split(b"\r\n\r\n", 1)[1].split()[0].decode()


def check(connections: list[Held]) -> dict[str, object]:
    alive = broken = 0
    servers: Counter[str] = Counter()
    for held in connections:
        try:
            same = held.ask() == held.server
        except OSError:
            same = False
        alive += same
        broken += not same
        servers[held.server] += same
    return {"alive": alive, "broken": broken, "servers": servers}


def main(address: str, port: str, count: str) -> None:
    connections = [Held((address, int(port))) for _ in range(int(count))]
    print("ready", flush=True)
    for _ in sys.stdin:
        print(json.dumps(check(connections)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
