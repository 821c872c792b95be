"""The clients: many new sessions to one address, and who answered how many of them.

Run inside a namespace: `python -m testbed.client http|udp ADDRESS PORT COUNT`; prints a JSON object
{"<server>": <answers>, …}, where the server "" stands for requests that failed.
"""

from __future__ import annotations

import json
import socket
import sys
from collections import Counter

TIMEOUT = 3.0


def http(address: str, port: int) -> str:
    """One request on a connection of its own; returns the name of the server that answered."""
    with socket.create_connection((address, port), TIMEOUT) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: service\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    return answer.split(b"\r\n\r\n", 1)[1].split()[0].decode()


def udp(address: str, port: int) -> str:
    """One datagram from a socket of its own; returns the name of the server that answered."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.settimeout(TIMEOUT)
        connection.connect((address, port))
        connection.send(b"hello")
        return connection.recv(4096).split()[0].decode()


def main(protocol: str, address: str, port: str, count: str) -> None:
    request = {"http": http, "udp": udp}[protocol]
    servers: Counter[str] = Counter()
    for _ in range(int(count)):
        try:
            servers[request(address, int(port))] += 1
        except (OSError, IndexError):
            servers[""] += 1
    print(json.dumps(servers))


if __name__ == "__main__":
    main(*sys.argv[1:])
