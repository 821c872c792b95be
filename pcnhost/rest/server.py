"""The HTTP(S) server around the application."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from functools import partial

import uvicorn

from pcnhost.config import Config, Tls
from pcnhost.rest.asgi import RestApp
from pcnhost.rest.protocol import (
    Connections,
    OncePerSecond,
    Protocol,
    Unread,
    most_connections,
)
from pcnhost.rest.sockets import BACKLOG
from pcnhost.rest.tls import ClientFilter, server_context

KEEP_ALIVE_S = 75
SHUTDOWN_S = 5
# How many connections asyncio accepts before it reads from those there are: their requests come first. The kernel's
# own queue is longer.
ACCEPTS = 32


class Server(uvicorn.Server):
    """Leaves signals to whoever runs it, and is told by `should_exit`. Serves a unix socket, too: in the clear,
    and with connections that those of TCP cannot crowd out."""

    def __init__(self, config: uvicorn.Config, unix: socket.socket | None) -> None:
        super().__init__(config)
        self._unix = unix

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        listening = list(sockets or ())
        if self._unix is not None:
            protocol = partial(_protocol(None), self.config, self.server_state, self.lifespan.state)
            loop = asyncio.get_running_loop()
            self.servers.append(await loop.create_unix_server(protocol, sock=self._unix, backlog=ACCEPTS))
            listening.append(self._unix)
        for one in listening:
            one.listen(BACKLOG)


def build_server(tls: Tls | None, app: RestApp, unix: socket.socket | None = None) -> Server:
    """A server for the listening socket `unix`, and for those of TCP that it will be run with.

    Raises ConfigError when the TLS files are of no use."""
    settings = uvicorn.Config(
        app,
        http=_protocol(tls),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=ACCEPTS,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=SHUTDOWN_S,
        ssl_context_factory=_context_factory(tls) if tls else None,
    )
    settings.load()
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # it warns of each request that makes no sense
    for name in ("uvicorn.error", "asyncio"):
        logging.getLogger(name).addFilter(OncePerSecond())
    return Server(settings, unix)


def authority(config: Config) -> str:
    """host:port as written in links."""
    host = f"[{config.addr}]" if ":" in config.addr else config.addr
    return f"{host}:{config.port}"


def _context_factory(tls: Tls) -> Callable[..., ssl.SSLContext]:
    return lambda *_: server_context(tls)


def _protocol(tls: Tls | None) -> type[Protocol]:
    filtered = tls is not None and (tls.cert_whitelist is not None or tls.cert_blacklist is not None)

    class BoundProtocol(Protocol):
        crowd = Connections(most_connections())
        unread = Unread()
        filter = ClientFilter(tls) if tls and filtered else None

    return BoundProtocol
