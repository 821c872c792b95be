"""Whether what the host has made for a cube is as it should be: programs, numbers of ports, hops, netdevs."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pcnhost.engine import bpf, state
from pcnhost.engine.attachment import Spot, recorded
from pcnhost.engine.netdev import ENTRIES
from pcnhost.engine.netlink import Netlink
from pcnhost.engine.panel import egress_node, ingress_node, target
from pcnhost.engine.source import MAX_PORTS

_HOP = struct.Struct("=II6sH")  # struct _POLYCUBE_peer_info: ifindex, target, far_mac, direct
_NOWHERE = (0, 0)

Tree = Mapping[str, Any]


def differences(cube: Tree, cubes: Mapping[str, Tree], state_dir: Path) -> Iterator[str]:
    """`cube` is the JSON of one cube, `cubes` the base JSON of all by name. In plain words. Raises OSError."""
    yield from _Check(cube, cubes, state_dir).all()


class _Check:
    def __init__(self, cube: Tree, cubes: Mapping[str, Tree], state_dir: Path) -> None:
        self._cube = cube
        self._cubes = cubes
        self._root = state_dir
        self._directory = self._directory_of(cube["name"])
        self._ports = {port["name"]: port for port in cube.get("ports", ())}
        self._xdp = cube["type"] != "TC"

    def all(self) -> Iterator[str]:
        if not self._directory.is_dir():
            nothing = f"{self._root} holds nothing of cube {self._cube['name']}"
            raise FileNotFoundError(f"{nothing}; --state-dir has to be that of the host")
        yield from self._numbers()
        yield from self._programs()
        yield from self._hops()
        yield from self._netdevs()

    def _directory_of(self, cube: str) -> Path:
        return self._root / "cubes" / state.file_name(cube)

    def _number(self, cube: str, port: str) -> int | None:
        note = state.read_note(self._directory_of(cube) / "ports" / state.file_name(port))
        return None if note is None else int(note)

    def _id(self, cube: str) -> int:
        return int(state.read_note(self._directory_of(cube) / "id") or -1)

    def _numbers(self) -> Iterator[str]:
        notes = state.read_notes(self._directory / "ports")
        owners: dict[int, str] = {}
        for name in sorted(self._ports.keys() - notes.keys()):
            yield f"port {name} has no number in the state directory"
        for name in sorted(notes.keys() - self._ports.keys()):
            yield f"port {name} has a number in the state directory, but does not exist"
        for name, text in sorted(notes.items()):
            other = owners.setdefault(int(text), name)
            if other != name:
                yield f"ports {other} and {name} both have number {text}"

    def _programs(self) -> Iterator[str]:
        node, hook = self._id(self._cube["name"]), "xdp_nodes" if self._xdp else "nodes"
        first = self._entry(self._directory / "ingress_programs", 0)
        if not first:
            yield "the cube has no program"
        if self._entry(self._root / hook, ingress_node(node)) != first:
            yield "packets enter another program than the cube's first one, or none"
        last = self._entry(self._directory / "egress_programs", 0)
        if self._entry(self._root / "nodes", egress_node(node)) != last:
            yield "packets leave by another program than the cube's first one on the way out, or by none"

    def _hops(self) -> Iterator[str]:
        by_number = {self._number(self._cube["name"], name): name for name in self._ports}
        after_egress = _values(self._directory / "egress_next")
        for index, hop in enumerate(_values(self._directory / "_POLYCUBE_peers")):
            name = by_number.get(index)
            who = f"port {name}" if name else f"the unused port number {index}"
            wanted = self._next(self._ports[name]) if name else _NOWHERE
            final = after_egress[index]
            if final[:2] != wanted:
                yield f"{who} leads {_described(final[:2])}, not {_described(wanted)}"
            elif hop[:2] != wanted and not self._by_egress(index, hop[:2], wanted):
                yield f"{who} leads {_described(hop[:2])} from the cube's program, not {_described(wanted)}"
            if hop[3] and not hop[2].strip(b"\0"):
                yield f"{who} puts packets at the other end of its netdev without knowing its address"

    def _by_egress(self, index: int, hop: tuple[int, int], wanted: tuple[int, int]) -> bool:
        """Whether the way out leads through the cube's egress programs first, as it shall."""
        egress = wanted != _NOWHERE and self._entry(self._directory / "egress_programs", 0)
        return bool(egress) and hop == (0, target(index, egress_node(self._id(self._cube["name"]))))

    def _next(self, port: Tree) -> tuple[int, int]:
        """Where packets go that leave by the port."""
        if port["status"] != "UP":
            return _NOWHERE
        cube, colon, name = port["peer"].partition(":")
        if not colon:
            return _ifindex(port["peer"]), 0
        number = self._number(cube, name)
        return (0, 0 if number is None else target(number, ingress_node(self._id(cube))))

    def _netdevs(self) -> Iterator[str]:
        netdevs = {}
        for port in self._ports.values():
            if port["status"] != "UP" or ":" in port["peer"]:
                yield from self._why_not_up(port)
                continue
            netdevs[_ifindex(port["peer"])] = port
            if not _ifindex(port["peer"]):
                yield f"port {port['name']} is UP, but its netdev {port['peer']} is not in this network namespace"
        records = self._root / "netdevs"
        recorded_ones = {
            int(name)
            for name in state.directories(records)
            if state.read_note(records / name / "cube") == self._cube["name"]
        }
        for ifindex in sorted(recorded_ones - netdevs.keys()):
            yield f"netdev number {ifindex} leads to the cube, but is the peer of no port"
        netlink = Netlink()
        try:
            for ifindex, port in netdevs.items():
                if ifindex:
                    yield from self._attached(records / str(ifindex), netlink, ifindex, port)
        finally:
            netlink.close()

    def _why_not_up(self, port: Tree) -> Iterator[str]:
        """A port is UP when its peer is a port that has it as its peer."""
        cube, colon, name = port["peer"].partition(":")
        if not colon:
            return
        peers = {other["name"]: other.get("peer") for other in self._cubes.get(cube, {}).get("ports", ())}
        mutual = peers.get(name) == f"{self._cube['name']}:{port['name']}"
        same_kind = (self._cubes.get(cube, {}).get("type") != "TC") == self._xdp
        if (port["status"] == "UP") != (mutual and same_kind):
            yield f"port {port['name']} is {port['status']}, though {port['peer']} says otherwise"

    def _attached(self, record: Path, netlink: Netlink, ifindex: int, port: Tree) -> Iterator[str]:
        cube = state.read_note(record / "cube")
        if cube != self._cube["name"]:
            yield f"netdev {port['peer']} of port {port['name']} leads to {cube or 'no cube'}"
            return
        wanted = {ENTRIES[self._cube["type"]]}
        if self._entry(self._directory / "egress_programs", 0):
            wanted.add(Spot.TC_EGRESS)
        for spot in Spot:
            exists = os.path.lexists(record / spot.value)
            if exists and spot not in wanted:
                yield f"netdev {port['peer']} has a program at {spot.value} that the cube does not need"
            elif spot in wanted and not (
                exists and recorded(record / spot.value, netlink, ifindex, spot).is_on()
            ):
                yield f"netdev {port['peer']} of port {port['name']} has lost its program at {spot.value}"

    def _entry(self, pin: Path, index: int) -> int:
        """The number of the program at an index of an array of programs; 0 for none."""
        fd = _open(pin)
        try:
            return int.from_bytes(bpf.lookup(fd, bpf.u32(index), 4) or b"", "little")
        finally:
            os.close(fd)


def _values(pin: Path) -> list[tuple[int, int, bytes, int]]:
    fd = _open(pin)
    try:
        return [
            _HOP.unpack(bpf.lookup(fd, bpf.u32(i), _HOP.size) or bytes(_HOP.size)) for i in range(MAX_PORTS)
        ]
    finally:
        os.close(fd)


def _open(pin: Path) -> int:
    fd = bpf.open_pin(pin)
    if fd is None:
        raise FileNotFoundError(f"nothing is pinned at {pin}, or only root may look")
    return fd


def _ifindex(name: str) -> int:
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return 0


def _described(hop: tuple[int, int]) -> str:
    ifindex, into = hop
    if ifindex:
        return f"to netdev number {ifindex}"
    return f"to port number {into >> 16} of node {into & 0xFFFF}" if into else "nowhere"
