"""Where connections come in. Each is a bare socket until its client has said something.

Who opens connections by the thousand says nothing on them, and may have left before its turn comes. Such a connection
costs a fraction of one that is served, so those that wait behind it in the kernel's queue need not wait for long."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

from pcnhost.rest.protocol import HEAD_S, Connections

log = logging.getLogger(__name__)

ACCEPTS = 16  # in a turn
LOOKS = 256  # at connections in a turn, most of which may be over already
PAUSE_S = 1  # when there are no descriptors left


class Door:
    """Stands in for the asyncio.Server of a listening socket, which it closes in the end."""

    def __init__(
        self,
        listening: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        crowd: Connections,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._listening = listening
        self._protocol = protocol
        self._crowd = crowd
        self._tls = tls
        self._entering: set[asyncio.Task[None]] = set()
        listening.setblocking(False)
        self._open()

    def close(self) -> None:
        self._loop.remove_reader(self._listening)
        self._listening.close()
        self._crowd.hang_up_on_silent()

    async def wait_closed(self) -> None:
        """It is, at once."""

    def enter(self, client: socket.socket) -> None:
        """Serve a client that has said something; the protocol reads it."""
        entering = self._loop.create_task(self._enter(client))
        self._entering.add(entering)
        entering.add_done_callback(self._entering.discard)

    def _open(self) -> None:
        if self._listening.fileno() != -1:
            self._loop.add_reader(self._listening, self._accept)
            self._accept()

    def _accept(self) -> None:
        pause = 0.0  # until the next turn, if there may be more
        accepted = 0
        for _ in range(LOOKS):
            if accepted == ACCEPTS:
                break
            if pause := self._crowd.make_room():
                break
            try:
                client, _ = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as e:
                log.warning("no connection can be accepted: %s", e.strerror)
                pause = PAUSE_S
                break
            accepted += self._take(client)
        self._loop.remove_reader(self._listening)
        self._loop.call_later(pause, self._open)

    def _take(self, client: socket.socket) -> bool:
        """Whether anybody is there."""
        client.setblocking(False)
        said = has_said_something(client)
        if said is False:
            client.close()
            return False
        if said:
            self.enter(client)
        else:
            Silent(self, self._crowd, client)
        return True

    async def _enter(self, client: socket.socket) -> None:
        limit = HEAD_S if self._tls else None
        with suppress(OSError):  # of a TLS handshake
            await self._loop.connect_accepted_socket(
                self._protocol, client, ssl=self._tls, ssl_handshake_timeout=limit
            )


class Silent:
    """A connection on which nothing has been said so far."""

    def __init__(self, door: Door, crowd: Connections, client: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._door = door
        self._crowd = crowd
        self._client = client
        crowd.silent(self)
        self._deadline = self._loop.call_later(HEAD_S, self._give_up)
        self._loop.add_reader(client, self._hear)

    def abort(self) -> None:
        self._stop()
        self._client.close()

    def _hear(self) -> None:
        self._crowd.remove(self)
        self._stop()
        if has_said_something(self._client):
            self._door.enter(self._client)
        else:
            self._client.close()

    def _give_up(self) -> None:
        self._crowd.remove(self)
        self.abort()

    def _stop(self) -> None:
        self._deadline.cancel()
        self._loop.remove_reader(self._client)


def has_said_something(client: socket.socket) -> bool | None:
    """None when it may still do so, False when it has gone."""
    try:
        return bool(client.recv(1, socket.MSG_PEEK))
    except (BlockingIOError, InterruptedError):
        return None
    except OSError:
        return False
