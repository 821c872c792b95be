"""Who may speak to the host: programs of this machine, but no web page that a browser here happens to show.

A page of anybody can make a browser send requests to a server on loopback, and under a name of its own (DNS
rebinding) read the answers, too. Browsers say so in headers that no other client sends.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, MutableMapping
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from pcnhost.rest.answers import Answer

Scope = MutableMapping[str, Any]

SITES_OF_THE_USER = frozenset({b"same-origin", b"none"})  # `none`: typed into the address bar


class Admission:
    """`names` are those that the host may be called by, besides loopback names and addresses."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = frozenset({"localhost", *(name.lower() for name in names)})

    def refusal(self, scope: Scope) -> Answer | None:
        """The answer to a request that comes from a page or is meant for another server; else None."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        if not self._is_ours(host, scope):
            return Answer(421, f"Host {host[:100]} is not a name of this server")
        site = headers.get(b"sec-fetch-site")
        if site is not None and site not in SITES_OF_THE_USER:
            return Answer(403, "Requests of pages of other sites are refused")
        origin = headers.get(b"origin")
        if origin is not None and origin.decode("latin-1") != f"{scope['scheme']}://{host}":
            return Answer(403, f"Requests of pages of {origin.decode('latin-1')[:100]} are refused")
        return None

    def _is_ours(self, host: str, scope: Scope) -> bool:
        """Whether a Host header may be that of a client which means this server.

        Behind TLS the certificate has settled that, on a unix socket the path, and HTTP/1.0 may not say."""
        address, port = scope["server"] or ("", None)
        if scope["scheme"] == "https" or port is None or (not host and scope["http_version"] == "1.0"):
            return True
        name = _without_port(host).lower()
        if name in self._names:
            return True
        try:
            given = ipaddress.ip_address(name)
        except ValueError:
            return False
        return given.is_loopback or given == _plain(ipaddress.ip_address(address))


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """A socket for IPv6 and IPv4 shows IPv4 addresses as part of IPv6."""
    return getattr(address, "ipv4_mapped", None) or address


def _without_port(host: str) -> str:
    if host.startswith("["):
        address, bracket, _ = host[1:].partition("]")
        return address if bracket and ":" in address else ""
    return host.partition(":")[0]
