"""Requests to the REST API of a Polycube host."""

from __future__ import annotations

from typing import Any

import requests


class ApiError(RuntimeError):
    """The host refused a request; `status` is its HTTP status and the text what it said."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status


class Api:
    """A client of `http://<address>/polycube/v1`; paths are given without that prefix."""

    def __init__(self, address: str = "127.0.0.1:9000") -> None:
        self.url = f"http://{address}/polycube/v1"
        self._session = requests.Session()

    def request(self, method: str, path: str, body: Any = None, timeout: float = 180) -> Any:
        """Send a request; returns the decoded answer, None when it is empty. Raises ApiError."""
        answer = self._session.request(method, f"{self.url}/{path}", json=body, timeout=timeout)
        if answer.status_code >= 300:
            raise ApiError(answer.status_code, answer.text)
        return answer.json() if answer.text else None

    def get(self, path: str) -> Any:
        return self.request("GET", path)

    def post(self, path: str, body: Any = None) -> Any:
        return self.request("POST", path, {} if body is None else body)

    def put(self, path: str, body: Any) -> Any:
        return self.request("PUT", path, body)

    def patch(self, path: str, body: Any) -> Any:
        return self.request("PATCH", path, body)

    def delete(self, path: str) -> Any:
        return self.request("DELETE", path)
