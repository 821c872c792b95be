"""HTTP to the daemon."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from pcnhost.ctl.settings import Settings

MAX_REDIRECTS = 5
ON_A_SOCKET = "http://localhost/polycube/v1/"


class Unreachable(Exception):
    """There was no answer."""


@dataclass(frozen=True)
class Reply:
    status: int
    reason: str
    text: str

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def refusal(self) -> str:
        """What the daemon said: its text, or the messages (else the tags) of its errors."""
        body = self.json()
        errors = body.get("ietf-restconf:errors") if isinstance(body, dict) else None
        if not isinstance(errors, dict):
            return self.text or f"{self.status} {self.reason}"
        texts = (
            str(error.get("error-message") or error.get("error-tag")) for error in errors.get("error", ())
        )
        return f"{self.status} {self.reason}: {'; '.join(texts)}"

    def json(self) -> Any:
        """The JSON value of the text; None when it is none."""
        try:
            return json.loads(self.text)
        except ValueError:
            return None


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


class Client:
    def __init__(self, settings: Settings) -> None:
        scheme, _, path = settings.url.partition(":")
        self._socket = path if scheme == "unix" else None
        self._url = ON_A_SOCKET if self._socket else settings.url
        self._tls = settings.ssl_context()

    def send(self, method: str, path: Sequence[str], body: str | None = None) -> Reply:
        """Send a request about the resource at `path` (plain texts). Raises Unreachable."""
        where = "".join(f"{quote(part, safe='')}/" for part in path)
        return self._send(method, self._url + where, body)

    def get_with_query(self, path: Sequence[str], query: str) -> Reply:
        where = "/".join(quote(part, safe="") for part in path)
        return self._send("GET", f"{self._url}{where}?{query}", None)

    def ask(self, path: Sequence[str], query: str) -> Reply:
        """The daemon's help about a resource."""
        where = "/".join(quote(part, safe="") for part in path)
        return self._send("OPTIONS", f"{self._url}{where}?{query}", None)

    def _send(self, method: str, url: str, body: str | None) -> Reply:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        for _ in range(MAX_REDIRECTS):
            answer, location = self._once(method, url, body, headers)
            if location is None:
                return answer
            headers["Referer"] = url
            url = urljoin(url, location)
        raise Unreachable(f"{url}: too many redirects")

    def _once(
        self, method: str, url: str, body: str | None, headers: dict[str, str]
    ) -> tuple[Reply, str | None]:
        parts = urlsplit(url)
        place = f"unix:{self._socket}" if self._socket else f"{parts.scheme}://{parts.netloc}"
        connection = self._connection(parts.netloc)
        try:
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request(method, target, None if body is None else body.encode(), headers)
            response = connection.getresponse()
            reply = Reply(response.status, response.reason, response.read().decode(errors="replace"))
            redirected = response.status in (307, 308)
            return reply, response.headers.get("Location") if redirected else None
        except (OSError, http.client.HTTPException, socket.gaierror) as e:
            raise Unreachable(f"{place}: {e}") from None
        finally:
            connection.close()

    def _connection(self, netloc: str) -> http.client.HTTPConnection:
        if self._socket is not None:
            return UnixConnection(self._socket)
        if self._tls is not None:
            return http.client.HTTPSConnection(netloc, context=self._tls)
        return http.client.HTTPConnection(netloc)
