"""Random requests below a cube that need map entries, netdevs and memory; most of them make sense."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any

VIPS = ("10.9.0.1", "10.9.0.2", "10.9.0.3")
VPORTS = (80, 443)
PROTOCOLS = ("TCP", "UDP", "ICMP", "ALL")
NAMES = ("p", "q", "r", "s")


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    body: Any = None

    @property
    def text(self) -> str | None:
        return None if self.body is None else json.dumps(self.body)


class Requests:
    """`netdevs` may be peers of ports."""

    def __init__(self, random_: random.Random, netdevs: list[str]) -> None:
        self._random = random_
        self._netdevs = netdevs

    def next(self) -> Request:
        kinds = (
            self._service,
            self._services,
            self._backends,
            self._port,
            self._ports,
            self._other,
            self._cube,
        )
        (kind,) = self._random.choices(kinds, weights=(5, 2, 5, 4, 2, 1, 2))
        return kind()

    # --- parts of bodies

    def _backend_list(self) -> list[dict[str, Any]]:
        """Few stand in the entry of their service, more of them in chunks."""
        count = self._random.choice((0, 1, 2, 5, 14, 15, 40))
        first = self._random.randrange(3)
        return [self._backend(first + number) for number in range(count)]

    def _backend(self, number: int) -> dict[str, Any]:
        weight, state = (
            self._random.choice((0, 1, 1, 3, 500)),
            self._random.choice(("ACTIVE", "DRAINING", "STANDBY")),
        )
        more = {"weight": weight, "state": state} if self._random.random() < 0.3 else {}
        return {"ip": f"10.1.0.{number + 1}", "port": 8080, **more}

    def _key(self) -> tuple[str, int, str]:
        proto = self._random.choice(PROTOCOLS)
        return self._random.choice(VIPS), 0 if proto == "ICMP" else self._random.choice(VPORTS), proto

    def _service_body(self) -> dict[str, Any]:
        vip, vport, proto = self._key()
        body: dict[str, Any] = {"vip": vip, "vport": vport, "proto": proto, "backend": self._backend_list()}
        if self._random.random() < 0.3:
            ranges = self._random.sample(
                (("10.0.0.0", 8), ("10.0.0.0", 24), ("192.0.2.0", 24)), self._random.randrange(3)
            )
            body["source-range"] = [
                {"address": address, "prefix-length": length} for address, length in ranges
            ]
            body["session-affinity"] = self._random.choice(("NONE", "CLIENT_IP"))
        return body

    def _port_body(self, name: str) -> dict[str, Any]:
        if self._random.random() < 0.3:
            body: dict[str, Any] = {"name": name, "type": "BACKEND"}
        else:
            body = {"name": name, "type": "FRONTEND", "ip": f"10.0.0.{self._random.randrange(1, 4)}"}
        peers = (*self._netdevs, "", "cube:p", "nosuch")
        return body | ({"peer": self._random.choice(peers)} if self._random.random() < 0.7 else {})

    def _rewrite(self) -> dict[str, str]:
        return {
            "ip-range": "10.2.0.0/24",
            "new_ip_range": self._random.choice(("10.3.0.0/24", "10.4.0.0/24")),
        }

    # --- requests

    def _service(self) -> Request:
        body = self._service_body()
        path = f"service/{body['vip']}/{body['vport']}/{body['proto']}"
        method = self._random.choice(("POST", "PUT", "PUT", "DELETE"))
        content = {name: value for name, value in body.items() if name not in ("vip", "vport", "proto")}
        return Request(method, path, None if method == "DELETE" else content)

    def _services(self) -> Request:
        method = self._random.choice(("POST", "PUT", "PATCH", "DELETE"))
        if method == "DELETE":
            return Request("DELETE", "service")
        return Request(method, "service", [self._service_body() for _ in range(self._random.randrange(1, 4))])

    def _backends(self) -> Request:
        vip, vport, proto = self._key()
        path = f"service/{vip}/{vport}/{proto}/backend"
        one = self._backend(self._random.randrange(5))
        method = self._random.choice(("POST", "POST", "PUT", "PATCH", "DELETE"))
        if self._random.random() < 0.3:
            return Request(method, path, None if method == "DELETE" else self._backend_list())
        return Request(method, f"{path}/{one['ip']}", None if method == "DELETE" else one)

    def _port(self) -> Request:
        name = self._random.choice(NAMES)
        method = self._random.choice(("POST", "PUT", "PATCH", "DELETE"))
        body = self._port_body(name)
        if method == "PATCH" and self._random.random() < 0.5:
            return Request("PATCH", f"ports/{name}/peer", body.get("peer", ""))
        return Request(method, f"ports/{name}", None if method == "DELETE" else body)

    def _ports(self) -> Request:
        method = self._random.choice(("POST", "PUT", "PATCH", "DELETE"))
        return Request(method, "ports", None if method == "DELETE" else self._port_bodies())

    def _port_bodies(self) -> list[dict[str, Any]]:
        return [self._port_body(name) for name in self._random.sample(NAMES, self._random.randrange(1, 4))]

    def _other(self) -> Request:
        return self._random.choice(
            (
                Request("PUT", "src-ip-rewrite", self._rewrite()),
                Request("DELETE", "src-ip-rewrite"),
                Request("PATCH", "timeouts", {"udp-stream": self._random.randrange(1, 999)}),
                Request("DELETE", "timeouts"),
                Request("PATCH", "unserved-ports", self._random.choice(("PASS", "REJECT"))),
            )
        )

    def _cube(self) -> Request:
        """Several kinds of things at once."""
        body: dict[str, Any] = {}
        if self._random.random() < 0.7:
            body["ports"] = self._port_bodies()
        if self._random.random() < 0.7:
            body["service"] = [self._service_body() for _ in range(self._random.randrange(1, 3))]
        if self._random.random() < 0.5:
            body["src-ip-rewrite"] = self._rewrite()
        if self._random.random() < 0.5:
            body["timeouts"] = {"icmp": self._random.randrange(1, 99)}
        return Request("PATCH", "", body)
