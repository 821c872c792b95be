"""Raw HTTP to a daemon: paths as they are, redirects not followed."""

from __future__ import annotations

import json

import requests

SERVICE = "k8slbrp"


class Daemon:
    """`address` is like http://127.0.0.1:9000. polycubed closes a connection after an answer of 500 without
    saying so; with it each request needs a connection of its own."""

    def __init__(self, address: str, *, service: str = SERVICE, keep_alive: bool = True) -> None:
        self.address = address
        self._service = service
        self._keep_alive = keep_alive
        self._session = requests.Session()

    def request(self, method: str, path: str, body: str | None = None, **headers: str) -> requests.Response:
        """`path` starts at the root; nothing in it is escaped, resolved or dropped."""
        if not self._keep_alive:
            self._session.close()  # of its connections; it opens new ones
        data = None if body is None else body.encode()
        prepared = self._session.prepare_request(
            requests.Request(method, self.address, data=data, headers=headers)
        )
        prepared.url = self.address + path
        return self._session.send(prepared, allow_redirects=False, timeout=60)

    def delete_all_cubes(self) -> None:
        """All of the service; those of others are left alone."""
        for cube in self.request("GET", "/polycube/v1/cubes").json().get(self._service, ()):
            self.request("DELETE", f"/polycube/v1/{self._service}/{cube['name']}/")

    def load_service(self, uri: str) -> None:
        """Load the service's library; one that is loaded already gives way, with its cubes."""
        self.request("DELETE", f"/polycube/v1/services/{SERVICE}")
        body = json.dumps({"type": "lib", "uri": uri, "name": SERVICE})
        answer = self.request("POST", "/polycube/v1/services", body)
        assert answer.status_code == 200, answer.text
