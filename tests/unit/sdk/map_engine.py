"""An engine without network: the maps of its cubes are real, their programs never run.

So a test decides which events come when. The same service runs on the real engine in test_sdk_engine.py."""

from __future__ import annotations

import ctypes
import os
import uuid
from dataclasses import dataclass, field
from typing import Any

from pcnhost.errors import HostError

libbpf = ctypes.CDLL("libbpf.so.1", use_errno=True)
BPF_MAP_TYPE_ARRAY = 2
BPF_MAP_TYPE_PERCPU_ARRAY = 6


def create_map(kind: int, key_size: int, value_size: int, entries: int) -> int:
    fd = libbpf.bpf_map_create(kind, b"test", key_size, value_size, entries, None)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "bpf_map_create")
    return int(fd)


@dataclass
class MapPort:
    name: str
    index: int
    peer: str = ""
    status: str = "DOWN"
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))
    sent: list[tuple[bytes, bool]] = field(default_factory=list)

    def set_peer(self, peer: str) -> None:
        if peer == "nowhere":
            raise HostError("Interface nowhere not found")
        self.peer, self.status = peer, "UP" if peer else "DOWN"

    def set_conf(self, conf: dict[str, Any]) -> None:
        if "peer" in conf:
            self.set_peer(conf["peer"])

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "uuid": self.uuid, "status": self.status, "peer": self.peer}

    def send_packet_out(self, packet: bytes, recirculate: bool) -> None:
        self.sent.append((packet, recirculate))


class MapCube:
    def __init__(self, conf: dict[str, Any], code: list[str], events: Any, service_name: str) -> None:
        self.name, self.type, self.loglevel = conf["name"], conf["type"], conf["loglevel"]
        self.shadow, self.span = conf["shadow"], conf["span"]
        self.service_name, self.events = service_name, events
        self.id, self.uuid = 7, str(uuid.uuid4())
        self.programs = {"INGRESS": dict(enumerate(code)), "EGRESS": {}}
        self.ports: dict[str, MapPort] = {}
        self.maps = {
            "totals": create_map(BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 128),
            "step": create_map(BPF_MAP_TYPE_ARRAY, 4, 2, 1),
        }

    def close(self) -> None:
        for fd in self.maps.values():
            os.close(fd)

    def table_fd(self, table: str, index: int, direction: str) -> int:
        return self.maps.get(table, -1)

    def index(self, direction: str) -> int:
        return 1

    def reload(self, code: str, index: int, direction: str) -> None:
        if index not in self.programs[direction]:
            raise HostError("ebpf does not exist")
        self.programs[direction][index] = code

    def add_program(self, code: str, index: int, direction: str) -> int:
        index = len(self.programs[direction]) if index < 0 else index
        self.programs[direction][index] = code
        return index

    def del_program(self, index: int, direction: str) -> None:
        if self.programs[direction].pop(index, None) is None:
            raise HostError("ebpf program does not exist")

    def set_log_level(self, level: str) -> None:
        self.loglevel = level
        self.events.log_level(level)

    def set_conf(self, conf: dict[str, Any]) -> None:
        if "loglevel" in conf:
            self.set_log_level(conf["loglevel"])

    def to_json(self) -> dict[str, Any]:
        return {
            **{"name": self.name, "uuid": self.uuid, "service-name": self.service_name},
            **{"type": self.type, "loglevel": self.loglevel},
            **({"ports": [{"name": name} for name in self.ports]} if self.ports else {}),
            **{"shadow": self.shadow, "span": self.span},
        }

    def add_port(self, name: str, conf: dict[str, Any]) -> MapPort:
        if name in self.ports:
            raise HostError(f"Port {name} already exists")
        port = MapPort(name, len(self.ports))
        port.set_conf(conf)
        self.ports[name] = port
        return port

    def remove_port(self, name: str) -> None:
        if self.ports.pop(name, None) is None:
            raise HostError(f"Port {name} does not exist")


class MapEngine:
    def __init__(self) -> None:
        self.cubes: dict[str, MapCube] = {}

    def create_cube(
        self, conf: dict[str, Any], ingress: list[str], egress: list[str], events: Any, service_name: str
    ) -> MapCube:
        if conf["type"] == "XDP_DRV":
            raise HostError("failed to init XDP program: no such driver")
        cube = MapCube(conf, ingress, events, service_name)
        self.cubes[cube.name] = cube
        return cube

    def destroy_cube(self, name: str) -> None:
        self.cubes.pop(name).close()

    def close(self) -> None:
        for name in list(self.cubes):
            self.destroy_cube(name)
