"""The cubes of the daemon, as the views need them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pcnhost.ctl.client import Client
from pcnhost.ctl.views import NotAnswered
from pcnhost.ctl.words import UsageError

SIDES = ("FRONTEND", "BACKEND")


@dataclass(frozen=True)
class Port:
    name: str
    type: str
    ip: str
    peer: str
    up: bool
    why_down: str = ""


@dataclass(frozen=True)
class Backend:
    ip: str
    port: int
    weight: int
    name: str = ""
    state: str = "ACTIVE"

    @property
    def address(self) -> str:
        return f"{self.ip}:{self.port}"


@dataclass(frozen=True)
class Service:
    vip: str
    vport: int
    proto: str
    name: str = ""
    backends: Sequence[Backend] = ()

    @property
    def address(self) -> str:
        where = self.vip if self.proto == "ICMP" else f"{self.vip}:{self.vport}"
        return f"{where}/{self.proto}"

    @property
    def usable(self) -> list[Backend]:
        """Those that get new sessions: active ones, or those on standby while there is none."""
        weighty = [backend for backend in self.backends if backend.weight]
        active = [backend for backend in weighty if backend.state == "ACTIVE"]
        return active or [backend for backend in weighty if backend.state == "STANDBY"]

    def share(self, backend: Backend) -> str:
        """Of the new sessions, in per cent."""
        usable = self.usable
        total = sum(other.weight for other in usable)
        share = backend.weight / total if backend in usable else 0.0
        return f"{share:.1%}" if 0 < share < 0.01 else f"{share:.0%}"


@dataclass(frozen=True)
class Cube:
    name: str
    service_name: str
    type: str
    mode: str = ""
    ports: Sequence[Port] = ()
    services: Sequence[Service] = field(default=())


def get(client: Client, *path: str) -> Any:
    """The value of a resource. Raises NotAnswered, Unreachable."""
    reply = client.send("GET", path)
    if not reply.ok:
        raise NotAnswered(f"{'/'.join(path)}: {reply.refusal}")
    return reply.json()


def cubes(client: Client, wanted: Sequence[str]) -> list[Cube]:
    """The cubes `wanted`, all without any. Raises UsageError for one that is not there."""
    names = _service_names(client)
    for name in wanted:
        if name not in names:
            raise UsageError(f"there is no cube {name}; there are: {', '.join(names) or 'none'}")
    down = {port["port"]: port["reason"] for port in (get(client, "status") or {}).get("ports-down", ())}
    return [_cube(get(client, names[name], name), names[name], down) for name in wanted or sorted(names)]


def service_of(client: Client, cube: str) -> str:
    """The service that a cube belongs to. Raises UsageError."""
    names = _service_names(client)
    if cube not in names:
        raise UsageError(f"there is no cube {cube}")
    return names[cube]


def _service_names(client: Client) -> dict[str, str]:
    """By cube."""
    listed: Mapping[str, Sequence[Mapping[str, Any]]] = get(client, "cubes") or {}
    return {cube["name"]: service for service, all_ in listed.items() for cube in all_}


def _cube(shown: Mapping[str, Any], service_name: str, down: Mapping[str, str]) -> Cube:
    return Cube(
        name=shown["name"],
        service_name=service_name,
        type=shown.get("type", ""),
        mode=shown.get("port_mode", "").upper(),
        ports=[_port(port, shown["name"], down) for port in shown.get("ports", ())],
        services=[_service(service) for service in shown.get("service", ())],
    )


def _port(shown: Mapping[str, Any], cube: str, down: Mapping[str, str]) -> Port:
    return Port(
        name=shown["name"],
        type=shown.get("type", "").upper(),
        ip=shown.get("ip", ""),
        peer=shown.get("peer", ""),
        up=str(shown.get("status", "")).upper() == "UP",
        why_down=down.get(f"{cube}:{shown['name']}", ""),
    )


def _service(shown: Mapping[str, Any]) -> Service:
    return Service(
        vip=shown.get("vip", ""),
        vport=shown.get("vport", 0),
        proto=str(shown.get("proto", "")).upper(),
        name=shown.get("name", ""),
        backends=[
            Backend(
                backend["ip"],
                backend.get("port", 0),
                backend.get("weight", 1),
                backend.get("name", ""),
                str(backend.get("state", "ACTIVE")).upper(),
            )
            for backend in shown.get("backend", ())
        ],
    )
