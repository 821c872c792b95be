"""Raw HTTP to a daemon: paths as they are, redirects not followed."""

from __future__ import annotations

import requests


class Daemon:
    """`address` is like http://127.0.0.1:9000."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._session = requests.Session()

    def request(self, method: str, path: str, body: str | None = None, **headers: str) -> requests.Response:
        """`path` starts at the root; nothing in it is escaped, resolved or dropped."""
        data = None if body is None else body.encode()
        prepared = self._session.prepare_request(
            requests.Request(method, self.address, data=data, headers=headers)
        )
        prepared.url = self.address + path
        return self._session.send(prepared, allow_redirects=False, timeout=60)

    def delete_all_cubes(self) -> None:
        for service, cubes in self.request("GET", "/polycube/v1/cubes").json().items():
            for cube in cubes:
                self.request("DELETE", f"/polycube/v1/{service}/{cube['name']}/")
