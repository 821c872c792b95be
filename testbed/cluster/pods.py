"""The servers in the pods: one process that listens in many network namespaces.

Each line on standard input is a JSON array, a command and its arguments; each is answered by a JSON line:
  ["open", NAME, NAMESPACE, ADDRESS, PORT]  listen for HTTP and datagrams; both say NAME and the client's address
  ["drain", NAME]        go on, but tell clients on open connections to leave, as after SIGTERM
  ["connections", NAME]  how many are open
  ["close", NAME]        stop listening, reset what is open; answers how many that were
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
from dataclasses import dataclass, field
from typing import Any

from testbed.netns import inside

_NO_LINGER = b"\x01\x00\x00\x00\x00\x00\x00\x00"


@dataclass
class Pod:
    """One server; `leaving` asks clients to close their connections."""

    name: str
    leaving: bool = False
    writers: set[asyncio.StreamWriter] = field(default_factory=set)
    server: asyncio.Server | None = None
    datagrams: asyncio.DatagramTransport | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.add(writer)
        body = f"{self.name} {writer.get_extra_info('peername')[0]}\n"
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._answer_requests(reader, writer, body)
        finally:
            self.writers.discard(writer)
            writer.close()

    async def _answer_requests(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: str
    ) -> None:
        last = False
        while not last:
            head = await reader.readuntil(b"\r\n\r\n")
            last = self.leaving or b"\r\nConnection: close\r\n" in head
            fields = f"Content-Length: {len(body)}\r\n" + ("Connection: close\r\n" if last else "")
            writer.write(f"HTTP/1.1 200 OK\r\n{fields}\r\n{body}".encode())
            await writer.drain()


class Echo(asyncio.DatagramProtocol):
    def __init__(self, name: str) -> None:
        self._name = name
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        self._transport.sendto(f"{self._name} {address[0]} ".encode() + data, address)


class Pods:
    def __init__(self) -> None:
        self._pods: dict[str, Pod] = {}

    async def open(self, name: str, namespace: str, address: str, port: int) -> bool:
        with inside(namespace):
            stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stream.bind((address, port))
        datagrams.bind((address, port))
        pod = self._pods[name] = Pod(name)
        pod.server = await asyncio.start_server(pod.serve, sock=stream, backlog=1024)
        loop = asyncio.get_running_loop()
        pod.datagrams, _ = await loop.create_datagram_endpoint(lambda: Echo(name), sock=datagrams)
        return True

    async def drain(self, name: str) -> bool:
        self._pods[name].leaving = True
        return True

    async def connections(self, name: str) -> int:
        return len(self._pods[name].writers)

    async def close(self, name: str) -> int:
        pod = self._pods.pop(name)
        assert pod.server is not None and pod.datagrams is not None
        pod.server.close()
        pod.datagrams.close()
        still_open = list(pod.writers)
        for writer in still_open:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            writer.transport.abort()
        return len(still_open)


async def main() -> None:
    pods = Pods()
    loop = asyncio.get_running_loop()
    print("ready", flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command, *arguments = json.loads(line)
        try:
            answer = await getattr(pods, command)(*arguments)
        except (OSError, KeyError) as problem:
            answer = {"error": repr(problem)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
