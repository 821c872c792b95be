"""The HTTP(S) server around the application."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pcnhost.config import Config, ConfigError, Tls
from pcnhost.rest.asgi import RestApp
from pcnhost.rest.tls import ClientFilter, server_context

KEEP_ALIVE_S = 75
SHUTDOWN_S = 10


def listen(addr: str, port: int) -> socket.socket:
    """A listening socket. Clients may connect from now on; they are answered once the server runs."""
    try:
        family, _, _, _, where = socket.getaddrinfo(addr, port, type=socket.SOCK_STREAM)[0]
        listening = socket.create_server(where[:2], family=family, backlog=1024)
    except OSError as e:
        raise ConfigError(f"cannot listen on {addr}:{port}: {e.strerror}") from None
    # Handed down to connections. Without it, an answer waits 40 ms for the client to acknowledge its headers.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def build_server(tls: Tls | None, app: RestApp) -> uvicorn.Server:
    """A server to run on a listening socket. Raises ConfigError when the TLS files are of no use."""
    settings = uvicorn.Config(
        app,
        http=_protocol(tls),
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
    return uvicorn.Server(settings)


def authority(config: Config) -> str:
    """host:port as written in links."""
    host = f"[{config.addr}]" if ":" in config.addr else config.addr
    return f"{host}:{config.port}"


def _context_factory(tls: Tls) -> Callable[..., ssl.SSLContext]:
    return lambda *_: server_context(tls)


def _protocol(tls: Tls | None) -> type[HttpToolsProtocol]:
    if tls is None or (tls.cert_whitelist is None and tls.cert_blacklist is None):
        return HttpToolsProtocol
    clients = ClientFilter(tls)

    class FilteringProtocol(HttpToolsProtocol):
        """Hangs up on clients with an unwanted certificate before reading anything of them."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            encrypted = transport.get_extra_info("ssl_object")
            if not clients.admits(encrypted.getpeercert(binary_form=True)):
                transport.abort()

    return FilteringProtocol
