"""Asking a cube with `explain`, sending the same packet, and comparing."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyroute2 import netns

from pcnhost import frames
from pcnhost.engine import bpf
from pcnhost.frames import Packet
from testbed.topology import ConnectedCube
from tests.datapath.maps import contents, keys
from tests.datapath.tables import EVENTS

CLIENT, VIP, BACKENDS = "10.10.1.1", "10.96.0.10", ("10.21.0.1", "10.21.0.2", "10.21.0.3")
PER_CPU = (bpf.MAP_TYPE_PERCPU_ARRAY, bpf.MAP_TYPE_PERCPU_HASH, bpf.MAP_TYPE_LRU_PERCPU_HASH)
WAIT_S = 0.5
_ETH_P_ALL = 3


def snapshot(directory: Path) -> dict[str, dict[bytes, bytes | None]]:
    """Every map of a cube that is pinned, with all that is in it."""
    found = {}
    for path in sorted(
        path for path in directory.rglob("*") if path.is_file() and path.parent.name != "ports"
    ):
        fd = bpf.open_pin(path)
        if fd is None:
            continue
        spec = bpf.map_spec(fd)
        if spec.type in PER_CPU:
            size = -(-spec.value_size // 8) * 8 * bpf.possible_cpus()
            found[path.name] = {key: bpf.lookup(fd, key, size) for key in keys(fd)}
        elif spec.type not in (bpf.MAP_TYPE_PROG_ARRAY, bpf.MAP_TYPE_PERF_EVENT_ARRAY):
            found[path.name] = contents(fd)
        os.close(fd)
    return found


class Wire:
    """The far end of a port: sends frames and sees those that come."""

    def __init__(self, namespace: str, interface: str) -> None:
        netns.pushns(namespace)
        try:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
            self._socket.bind((interface, _ETH_P_ALL))
        finally:
            netns.popns()

    def send(self, frame: bytes) -> None:
        self._socket.send(frame)

    def drain(self) -> list[str]:
        """What IPv4 has come since, in words, without what has been sent from here; and ARP."""
        found = []
        self._socket.setblocking(False)
        while True:
            try:
                frame, where = self._socket.recvfrom(4096)
            except BlockingIOError:
                return found
            if where[2] != socket.PACKET_OUTGOING:
                found.append(frames.describe(frame))

    def close(self) -> None:
        self._socket.close()


@dataclass
class World:
    cube: ConnectedCube
    wires: dict[str, Wire]

    @property
    def pins(self) -> Path:
        return self.cube.lab.state_dir / "cubes" / self.cube.name

    def explain(self, port: str, packet: Packet | bytes) -> dict[str, Any]:
        if isinstance(packet, bytes):
            return dict(self.cube.api.get(f"explain/{self.cube.name}?port={port}&frame={packet.hex()}"))
        query = (
            f"port={port}&protocol={packet.protocol}&source={packet.source}&destination={packet.destination}"
        )
        if packet.protocol == "ICMP":
            query += f"&id={packet.sport or packet.dport}&reply={'true' if packet.dport else 'false'}"
        else:
            query += f"&sport={packet.sport}&dport={packet.dport}"
        if packet.protocol == "TCP":
            query += f"&flags={','.join(packet.flags)}"
        return dict(self.cube.api.get(f"explain/{self.cube.name}?{query}"))

    def events(self) -> dict[str, int]:
        fd = bpf.open_pin(self.pins / "ingress0" / "events")
        assert fd is not None
        cpus = bpf.possible_cpus()
        values = [bpf.lookup(fd, bpf.u32(number), 8 * cpus) or b"" for number in range(len(EVENTS))]
        os.close(fd)
        words = [[int.from_bytes(v[at : at + 8], "little") for at in range(0, 8 * cpus, 8)] for v in values]
        return dict(zip(EVENTS, map(sum, words), strict=True))

    def step(self, port: str, packet: Packet | bytes, *expected: str, exact: bool = True) -> dict[str, Any]:
        """Explains a packet, sends it, and compares. The decisions are `expected`, among others."""
        before = snapshot(self.pins)
        told = self.explain(port, packet)
        again = self.explain(port, packet)
        after = snapshot(self.pins)
        for name in before:
            # The control plane may remove sessions that are over. The packet's own is there: see the second answer.
            lost = name in ("clients", "flows") and before[name].items() >= after[name].items()
            assert lost or before[name] == after[name], f"explaining has changed {name}"
        if exact:
            assert (told["text"], names(told)) == (again["text"], names(again))
        assert [name for name in names(told) if name in expected] == list(expected), told
        counted = self.events()
        for wire in self.wires.values():
            wire.drain()
        self.wires[port].send(packet if isinstance(packet, bytes) else packet.frame())
        seen = self._seen(told["packet"].split()[0])
        if told["verdict"] == "leaves":
            packets = seen.get(told["out"], [])
            assert len(packets) == 1, (told, seen)
            if exact:
                assert packets[0] == told["leaving"]
            assert sum(map(len, seen.values())) == 1
        elif told["verdict"] == "dropped":
            last = told["decisions"][-1]
            event = last["values"].get("event", "no-port").replace("-", "_")
            assert self.events()[event] == counted[event] + 1
            assert not seen
        elif told["decisions"][-1]["values"]["reason"] == "reject":
            assert self.events()["rejected"] == counted["rejected"] + 1
        return told

    def _seen(self, kind: str) -> dict[str, list[str]]:
        """What of a kind comes out, by port. The neighbours of the cube ask for addresses on their own."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            time.sleep(0.02)
            found = {
                name: packets
                for name, wire in self.wires.items()
                if (packets := [packet for packet in wire.drain() if packet.split()[0] == kind])
            }
            if found:
                return found
        return {}


def names(told: dict[str, Any]) -> list[str]:
    return [decision["decision"] for decision in told["decisions"]]


def service(world: World, vport: int, proto: str = "TCP", backends: tuple[str, ...] = BACKENDS) -> str:
    path = f"k8slbrp/lb1/service/{VIP}/{vport}/{proto}"
    world.cube.api.post(path, {"backend": [{"ip": ip, "port": 8080} for ip in backends]})
    return path


def tcp(sport: int, dport: int, flags: str = "SYN", source: str = CLIENT, to: str = VIP) -> Packet:
    return Packet("TCP", source, sport, to, dport, tuple(flags.split(",")))


def udp(sport: int, dport: int, source: str = CLIENT, to: str = VIP) -> Packet:
    return Packet("UDP", source, sport, to, dport)
