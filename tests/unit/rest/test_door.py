"""Connections on which nothing is said cost next to nothing, and those on which something is said are served."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections.abc import Awaitable, Callable

import pytest

from pcnhost.rest import door as door_module
from pcnhost.rest.door import Door
from pcnhost.rest.protocol import Connections
from pcnhost.rest.sockets import listen
from tests.engine.support import open_files


class Served(asyncio.Protocol):
    """What is said on a connection that is served; `all` are in the order they have been served."""

    all: list[Served]
    said = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.all.append(self)

    def data_received(self, data: bytes) -> None:
        self.said += data


class Scene:
    """A door, and who is behind it. Its listening socket has a queue before the door opens."""

    def __init__(self, most: int = 8) -> None:
        Served.all = []
        self._files = open_files()
        self.crowd = Connections(most)
        self._listening = listen("127.0.0.1", 0)
        self._address = self._listening.getsockname()
        self._clients: list[socket.socket] = []

    def client(self, *said: bytes) -> socket.socket:
        sock = socket.create_connection(self._address)
        self._clients.append(sock)
        for part in said:
            sock.sendall(part)
        return sock

    def play(self, script: Callable[[], Awaitable[None]]) -> None:
        """Runs the script behind the open door; afterwards no descriptor is left."""

        async def run() -> None:
            door = Door(self._listening, Served, self.crowd, None)
            try:
                await script()
            finally:
                door.close()
                for served in Served.all:
                    served.transport.abort()  # type: ignore[attr-defined]
                await asyncio.sleep(0.05)

        asyncio.run(run())
        for client in self._clients:
            client.close()
        assert len(self.crowd) == 0
        assert open_files() <= self._files


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


def test_who_has_left_is_not_served() -> None:
    scene = Scene()
    for _ in range(400):
        scene.client().close()
    scene.client(b"GET")

    async def script() -> None:
        await until(lambda: bool(Served.all and Served.all[0].said))
        assert [served.said for served in Served.all] == [b"GET"]

    scene.play(script)


def test_who_says_nothing_is_not_served_until_then() -> None:
    scene = Scene()
    speaks, leaves = scene.client(), scene.client()

    async def script() -> None:
        await until(lambda: len(scene.crowd) == 2)
        assert Served.all == []
        leaves.close()
        speaks.sendall(b"GET")
        await until(lambda: bool(Served.all and Served.all[0].said))
        await until(lambda: len(scene.crowd) == 0)
        assert [served.said for served in Served.all] == [b"GET"]

    scene.play(script)


def test_who_says_nothing_for_long_has_to_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "HEAD_S", 0.2)
    scene = Scene()
    silent = scene.client()

    async def script() -> None:
        await until(lambda: len(scene.crowd) == 1)
        await until(lambda: len(scene.crowd) == 0)
        silent.settimeout(5)
        assert silent.recv(1) == b""

    scene.play(script)


def test_when_it_is_full_the_next_one_waits_and_is_served() -> None:
    """The silent have some time to speak; then the oldest goes."""
    scene = Scene(most=2)
    silent = [scene.client(), scene.client()]
    scene.client(b"GET")

    async def script() -> None:
        await until(lambda: len(scene.crowd) == 2)
        assert Served.all == []
        await until(lambda: bool(Served.all and Served.all[0].said))
        for sock in silent:
            sock.setblocking(False)
        assert silent[0].recv(1) == b""
        with pytest.raises(BlockingIOError):
            silent[1].recv(1)

    scene.play(script)


def test_without_descriptors_it_waits_for_some(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(door_module, "PAUSE_S", 0.2)
    scene = Scene()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def script() -> None:
        scene.client(b"GET")
        lowest = os.dup(0)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
        try:
            await until(lambda: "no connection can be accepted: Too many open files" in caplog.text)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        await until(lambda: bool(Served.all and Served.all[0].said))
        assert caplog.text.count("no connection") <= 3

    scene.play(script)
