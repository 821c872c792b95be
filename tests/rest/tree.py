"""A model of a cube in MULTI port mode: what each sensible request answers, and what the tree is afterwards.

Only the tree below the cube is modelled, and only requests whose bodies have the right shape; texts are not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

PROTOCOLS = {"TCP": ("tcp",), "UDP": ("udp",), "ICMP": ("icmp",), "ALL": ("tcp", "udp", "icmp")}

Service = tuple[str, int, str]  # vip, vport, proto in lower case


class Impossible(Exception):
    """The request makes no sense: 400."""


class Conflict(Exception):
    """Something exists already or does not exist: 409."""


@dataclass
class Tree:
    """`services` hold {"name", "backends": {ip: {"name", "port", "weight"}}, "session-affinity", "affinity-timeout",
    "sources": {(address, length)}}; `ports` hold (type, ip)."""

    services: dict[Service, dict[str, Any]] = field(default_factory=dict)
    ports: dict[str, tuple[str, str]] = field(default_factory=dict)
    rewrite: tuple[str, str] = ("", "")

    @staticmethod
    def read(cube: dict[str, Any]) -> Tree:
        """From what GET of the cube answers."""
        tree = Tree()
        for service in cube.get("service", ()):
            backends = {
                b["ip"]: {k: b[k] for k in ("name", "port", "weight")} for b in service.get("backend", ())
            }
            key = (service["vip"], service["vport"], service["proto"])
            tree.services[key] = {"name": service["name"], "backends": backends, **_settings(service)}
        tree.ports = {port["name"]: (port["type"], port["ip"]) for port in cube.get("ports", ())}
        rewrite = cube["src-ip-rewrite"]
        tree.rewrite = (rewrite["ip-range"], rewrite["new_ip_range"])
        return tree

    # --- services

    def create_services(self, entries: list[dict[str, Any]]) -> None:
        if len({(entry["vip"], entry["vport"], entry["proto"]) for entry in entries}) < len(entries):
            raise Impossible
        for entry in entries:
            _service(entry)
        found: dict[Service, dict[str, Any]] = {}
        for entry in entries:
            _expect_ports(entry["proto"], *entry.get("backend", ()))
            for key in _keys(entry["vip"], entry["vport"], entry["proto"]):
                if key in self.services or key in found:
                    raise Conflict
                found[key] = _service(entry)
        self.services |= found

    def replace_services(self, entries: list[dict[str, Any]]) -> None:
        fresh = Tree()
        fresh.create_services(entries)
        self.services = fresh.services

    def replace_service(self, entry: dict[str, Any]) -> None:
        keys = _keys(entry["vip"], entry["vport"], entry["proto"])
        _service(entry)
        if len({key in self.services for key in keys}) > 1:
            raise Conflict
        _expect_ports(entry["proto"], *entry.get("backend", ()))
        for key in keys:
            self.services[key] = _service(entry)

    def rename_service(self, vip: str, vport: int, proto: str, name: str) -> None:
        for service in self._find(vip, vport, proto):
            service["name"] = name

    def change_service(self, vip: str, vport: int, proto: str, leaf: str, value: Any) -> None:
        for service in self._find(vip, vport, proto):
            service[leaf] = value.lower() if isinstance(value, str) else value

    def create_source_range(self, vip: str, vport: int, proto: str, source: tuple[str, int]) -> None:
        found = self._find(vip, vport, proto)
        if any(source in service["sources"] for service in found):
            raise Conflict
        for service in found:
            service["sources"].add(source)

    def delete_source_range(self, vip: str, vport: int, proto: str, source: tuple[str, int]) -> None:
        found = self._find_to_delete(vip, vport, proto)
        if any(source not in service["sources"] for service in found):
            raise Conflict
        for service in found:
            service["sources"].remove(source)

    def delete_service(self, vip: str, vport: int, proto: str) -> None:
        self._find_to_delete(vip, vport, proto)
        for key in _keys(vip, vport, proto):
            del self.services[key]

    # --- backends

    def create_backends(self, vip: str, vport: int, proto: str, entries: list[dict[str, Any]]) -> None:
        fresh = _backends(entries)
        found = self._find(vip, vport, proto)
        for entry in entries:
            _expect_ports(proto, entry)
            if any(entry["ip"] in service["backends"] for service in found):
                raise Conflict
        for service in found:
            service["backends"] |= {ip: dict(backend) for ip, backend in fresh.items()}

    def replace_backend(self, vip: str, vport: int, proto: str, entry: dict[str, Any]) -> None:
        found = self._find(vip, vport, proto)
        _expect_ports(proto, entry)
        for service in found:
            service["backends"] |= _backends([entry])

    def change_backend(self, vip: str, vport: int, proto: str, ip: str, leaf: str, value: Any) -> None:
        found = self._find(vip, vport, proto)
        for service in found:  # whichever is looked at first has the say
            if ip not in service["backends"]:
                raise Conflict
            _expect_ports(proto, {leaf: value})
        for service in found:
            service["backends"][ip][leaf] = value

    def delete_backend(self, vip: str, vport: int, proto: str, ip: str) -> None:
        found = self._find_to_delete(vip, vport, proto)
        if any(ip not in service["backends"] for service in found):
            raise Conflict
        for service in found:
            del service["backends"][ip]

    def delete_backends(self, vip: str, vport: int, proto: str) -> None:
        for service in self._find(vip, vport, proto):
            service["backends"].clear()

    # --- ports and rewriting

    def create_port(self, name: str, kind: str, ip: str) -> None:
        if name in self.ports:
            raise Conflict
        self._set_port(name, kind, ip)

    def replace_port(self, name: str, kind: str, ip: str) -> None:
        self._set_port(name, kind, ip)

    def change_port_ip(self, name: str, ip: str) -> None:
        if name not in self.ports:
            raise Conflict
        self._set_port(name, self.ports[name][0], ip)

    def delete_port(self, name: str) -> None:
        if self.ports.pop(name, None) is None:
            raise Conflict

    def set_rewrite(self, before: str, after: str) -> None:
        if before and after and before.partition("/")[2] != after.partition("/")[2]:
            raise Impossible
        self.rewrite = (before, after)

    def _set_port(self, name: str, kind: str, ip: str) -> None:
        if (kind == "backend") == bool(ip):
            raise Impossible
        others = [port for other, port in self.ports.items() if other != name]
        if any(port == (kind, ip) for port in others):
            raise Conflict
        self.ports[name] = (kind, ip)

    def _find(self, vip: str, vport: int, proto: str) -> list[dict[str, Any]]:
        keys = _keys(vip, vport, proto)
        if any(key not in self.services for key in keys):
            raise Conflict
        return [self.services[key] for key in keys]

    def _find_to_delete(self, vip: str, vport: int, proto: str) -> list[dict[str, Any]]:
        """The daemon looks before it deletes, and takes every refusal for an absence."""
        try:
            return self._find(vip, vport, proto)
        except Impossible:
            raise Conflict from None


def _keys(vip: str, vport: int, proto: str) -> list[Service]:
    if (proto == "ICMP") != (vport == 0):
        raise Impossible
    return [(vip, 0 if name == "icmp" else vport, name) for name in PROTOCOLS[proto]]


def _expect_ports(proto: str, *backends: dict[str, Any]) -> None:
    """Nothing of TCP or UDP can be at port 0."""
    if proto != "ICMP" and any(backend.get("port") == 0 for backend in backends):
        raise Impossible


def _service(entry: dict[str, Any]) -> dict[str, Any]:
    ranges = entry.get("source-range", [])
    if len({(one["address"], one["prefix-length"]) for one in ranges}) < len(ranges):
        raise Impossible  # twice in one list
    return {
        "name": entry.get("name", ""),
        "backends": _backends(entry.get("backend", [])),
        **_settings(entry),
    }


def _settings(entry: dict[str, Any]) -> dict[str, Any]:
    """What is left out of whole answers while it is the default."""
    return {
        "session-affinity": entry.get("session-affinity", "none").lower(),
        "affinity-timeout": entry.get("affinity-timeout", 10_800),
        "sources": {(one["address"], one["prefix-length"]) for one in entry.get("source-range", ())},
    }


def _backends(entries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    defaults = {"name": "", "weight": 1}
    found = {}
    for entry in entries:
        backend = {**defaults, **entry}
        if found.setdefault(backend.pop("ip"), backend) is not backend:
            raise Impossible  # twice in one list
    return found
