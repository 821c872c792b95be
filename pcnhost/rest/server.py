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
from pcnhost.rest.door import Door
from pcnhost.rest.protocol import (
    Connections,
    OncePerSecond,
    Protocol,
    Unread,
    most_connections,
)
from pcnhost.rest.tls import ClientFilter, server_context
from pcnhost.rest.turns import new_loop

KEEP_ALIVE_S = 75
SHUTDOWN_S = 5


class Server(uvicorn.Server):
    """Leaves signals to whoever runs it, and is told by `should_exit`. Serves a unix socket, too: in the clear,
    and with connections that those of TCP cannot crowd out."""

    def __init__(self, config: uvicorn.Config, protocol: type[Protocol], unix: socket.socket | None) -> None:
        super().__init__(config)
        self._protocol = protocol
        self._unix = unix

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(self.serve(sockets))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=[])
        for tcp in sockets or ():
            self._open(tcp, self._protocol, self.config.ssl)
        if self._unix is not None:
            self._open(self._unix, _protocol(None), None)

    def _open(self, listening: socket.socket, protocol: type[Protocol], tls: ssl.SSLContext | None) -> None:
        made = partial(protocol, self.config, self.server_state, self.lifespan.state)
        self.servers.append(Door(listening, made, protocol.crowd, tls))  # type: ignore[arg-type]


def build_server(tls: Tls | None, app: RestApp, unix: socket.socket | None = None) -> Server:
    """A server for the listening socket `unix`, and for those of TCP that it will be run with.

    Raises ConfigError when the TLS files are of no use."""
    protocol = _protocol(tls)
    settings = uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=SHUTDOWN_S,
        ssl_context_factory=_context_factory(tls) if tls else None,
    )
    settings.load()
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # it warns of each request that makes no sense
    for name in ("uvicorn.error", "asyncio"):
        logging.getLogger(name).addFilter(OncePerSecond())
    return Server(settings, protocol, unix)


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
