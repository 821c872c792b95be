"""Whether the maps of a cube say what its configuration says; `pcnctl check` prints what this finds."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from k8slbrp import abi
from k8slbrp.maps import (
    Endpoint,
    Key,
    Served,
    entries,
    known_bit,
    named,
    pins,
    rewrite_check,
    served,
    service_key,
    source_ranges,
)
from pcnhost.engine import bpf, state

_PROTOCOLS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP, "icmp": socket.IPPROTO_ICMP}
_SIDES = {"": "SIDE_NONE", "frontend": "SIDE_FRONTEND", "backend": "SIDE_BACKEND"}
# How far a share may be from what the weights say: quotas are whole slots.
_TOLERANCE = 0.03
_AFFINITY_TIMEOUT = 10_800  # unless given

Tree = Mapping[str, Any]


def differences(tree: Tree, state_dir: Path) -> list[str]:
    """What the maps of a cube say otherwise than `tree`, its JSON, in plain words. Raises OSError."""
    cube = state.file_name(tree["name"])
    directory = pins(state_dir, cube)
    wanted = {_key(service): service for service in tree.get("service", ())}
    found = served(state_dir, cube)
    return [
        *_services(wanted, found),
        *_affinities(wanted, found),
        *_source_ranges(wanted, found, source_ranges(state_dir, cube)),
        *_chunks(found, directory),
        *_addresses(wanted, directory),
        *_endpoints(wanted, directory),
        *_known(wanted, directory),
        *_ports(tree, directory, state.read_notes(directory.parent / "ports")),
        *_rewrite(tree["src-ip-rewrite"], directory),
        *_settings(tree, directory),
    ]


def _key(service: Tree) -> Key:
    return service["vip"], service["vport"], service["proto"]


def _name(key: Key) -> str:
    return f"service {key[0]}:{key[1]}/{key[2]}"


# --- services


def _shares(service: Tree) -> dict[Endpoint, int]:
    """Each backend, as packets know it, and its share of the new sessions."""
    backends = service.get("backend", ())
    active = any(b["weight"] and b.get("state", "active") == "active" for b in backends)
    takes = "active" if active else "standby"
    return {
        (b["ip"], 0 if service["proto"] == "icmp" else b["port"]): (
            b["weight"] if b.get("state", "active") == takes else 0
        )
        for b in backends
    }


def _services(wanted: Mapping[Key, Tree], found: Mapping[Key, Served]) -> Iterator[str]:
    for key in wanted.keys() - found.keys():
        yield f"{_name(key)} is configured, but not in the map"
    for key in found.keys() - wanted.keys():
        yield f"{_name(key)} is in the map, but not configured"
    for key in wanted.keys() & found.keys():
        for problem in _service(_shares(wanted[key]), found[key]):
            yield f"{_name(key)}: {problem}"


def _service(shares: Mapping[Endpoint, int], found: Served) -> Iterator[str]:
    yield from found.faults
    there = found.usable | found.drained
    for endpoint in shares.keys() - there:
        yield f"backend {named(endpoint)} is configured, but not in the maps"
    for endpoint in there - shares.keys():
        yield f"backend {named(endpoint)} is in the maps, but not configured"
    for endpoint in there & shares.keys():
        if (endpoint in found.usable) != (shares[endpoint] > 0):
            may, shall = ("may", "shall not") if endpoint in found.usable else ("may not", "shall")
            yield f"backend {named(endpoint)} {may} get new sessions, but {shall}"
    owned = Counter(found.slots)
    for endpoint in owned.keys() - {endpoint for endpoint, share in shares.items() if share}:
        yield f"backend {named(endpoint)} has {owned[endpoint]} of the slots, but shall not get new sessions"
    total = sum(shares.values())
    # Whoever has less than a slot gets one, which the others are short of.
    light = sum(1 for share in shares.values() if 0 < share * len(found.slots) < total)
    for endpoint, share in shares.items():
        due = share * len(found.slots) / total if total else 0
        if share and abs(owned[endpoint] - due) > 1 + light + _TOLERANCE * due:
            yield f"backend {named(endpoint)} has {owned[endpoint]} of {len(found.slots)} slots, not about {due:.0f}"
    if total and not found.slots:
        yield "it has no slots, so no backend gets new sessions"


def _affinities(wanted: Mapping[Key, Tree], found: Mapping[Key, Served]) -> Iterator[str]:
    for key in wanted.keys() & found.keys():
        service = wanted[key]
        sticks = service.get("session-affinity", "none") == "client_ip"
        timeout = service.get("affinity-timeout", _AFFINITY_TIMEOUT) if sticks else 0
        if found[key].affinity != timeout:
            yield f"{_name(key)}: its clients keep their backends for {found[key].affinity} s, not {timeout} s"


def _source_ranges(
    wanted: Mapping[Key, Tree], found: Mapping[Key, Served], sets: Mapping[tuple[Key, int], set[str]]
) -> Iterator[str]:
    for key in wanted.keys() & found.keys():
        ranges = {f"{r['address']}/{r['prefix-length']}" for r in wanted[key].get("source-range", ())}
        number = found[key].sources
        if bool(number) != bool(ranges):
            all_may, shall = (
                ("only source ranges may", "all") if number else ("all may", "only source ranges")
            )
            yield f"{_name(key)}: {all_may} come, but {shall} shall"
        there = sets.get((key, number), set()) if number else set()
        yield from _compared(f"source range of {_name(key)}", ranges, there, "source_ranges")
    for key, number in sorted(sets.keys()):
        if key not in found or found[key].sources != number:
            yield f"source ranges of {_name(key)} belong to a set that it does not use"


def _chunks(found: Mapping[Key, Served], directory: Path) -> Iterator[str]:
    owners: dict[int, Key] = {}
    for key, service in found.items():
        for number in service.numbers:
            if number in owners:
                yield f"chunk {number} belongs to {_name(owners[number])} and to {_name(key)}"
            owners[number] = key
    there = {int.from_bytes(key, "little") for key, _ in entries(directory / "chunks")}
    for number in sorted(there - owners.keys()):
        yield f"chunk {number} belongs to no service"


def _addresses(wanted: Collection[Key], directory: Path) -> Iterator[str]:
    yield from _compared(
        "VIP",
        {vip for vip, _, _ in wanted},
        {socket.inet_ntoa(key) for key, _ in entries(directory / "vips")},
        "vips",
    )


def _endpoints(wanted: Mapping[Key, Tree], directory: Path) -> Iterator[str]:
    expected = {
        f"{named(endpoint)}/{key[2]}" for key, service in wanted.items() for endpoint in _shares(service)
    }
    found = {
        f"{ip}:{port}/{proto}"
        for ip, port, proto in (service_key(key) for key, _ in entries(directory / "endpoints"))
    }
    yield from _compared("backend", expected, found, "endpoints")


def _compared(what: str, wanted: Collection[str], found: Collection[str], name: str) -> Iterator[str]:
    for one in sorted(set(wanted) - set(found)):
        yield f"{what} {one} is configured, but not in the map {name}"
    for one in sorted(set(found) - set(wanted)):
        yield f"{what} {one} is in the map {name}, but not configured"


def _known(wanted: Mapping[Key, Tree], directory: Path) -> Iterator[str]:
    """Bits of what has been removed may be set; those of what there is must be."""
    endpoints: set[Key] = set(wanted)
    for key, service in wanted.items():
        endpoints |= {(ip, port, key[2]) for ip, port in _shares(service)}
    marks = {(ip, port, _PROTOCOLS[proto]) for ip, port, proto in endpoints}
    marks |= {(ip, 0, 0) for ip, _, _ in marks}
    with _opened(directory / "known") as known:
        words: dict[int, int] = {}
        for ip, port, protocol in sorted(marks):
            bit = known_bit(ip, port, protocol)
            word = words.get(bit // 64)
            if word is None:
                word = words[bit // 64] = int.from_bytes(known.value(bit // 64), "little")
            if not word >> bit % 64 & 1:
                yield f"the filter of known addresses has no bit for {ip}:{port}, protocol {protocol}"


# --- ports and settings


class _opened:
    """An array that is pinned, open as long as the block lasts."""

    def __init__(self, pin: Path) -> None:
        self._pin = pin

    def __enter__(self) -> _opened:
        fd = bpf.open_pin(self._pin)
        if fd is None:
            raise FileNotFoundError(f"nothing is pinned at {self._pin}")
        self._fd, self._size = fd, bpf.map_spec(fd).value_size
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def value(self, index: int) -> bytes:
        return bpf.lookup(self._fd, bpf.u32(index), self._size) or bytes(self._size)


def _ports(tree: Tree, directory: Path, numbers: Mapping[str, str]) -> Iterator[str]:
    """`numbers` are the indexes of the ports by name."""
    ports = [port for port in tree.get("ports", ()) if port["name"] in numbers]
    roles = {int(numbers[port["name"]]): port for port in ports}
    multi = tree["port_mode"] == "multi"
    only = {
        side: [i for i, port in roles.items() if port["type"] == side] for side in ("frontend", "backend")
    }
    nobody = abi.CONSTANTS["NO_PORT"]
    generations: dict[int, str] = {}
    with _opened(directory / "ports") as table:
        for index in range(abi.CONSTANTS["MAX_PORTS"]):
            found = abi.struct("port").from_buffer_copy(table.value(index))
            port = roles.get(index)
            who = f"port {port['name']}" if port else f"the unused port number {index}"
            side = port["type"] if port else ""
            if found.side != abi.CONSTANTS[_SIDES[side]]:
                yield f"{who} has role {_role(found.side)} in the datapath, not {side.upper() or 'none'}"
            if port is None:
                continue
            if found.multi != multi:
                mode = "MULTI" if found.multi else "SINGLE"
                yield f"{who} is in mode {mode} in the datapath, not {tree['port_mode'].upper()}"
            others = (
                [] if side == "backend" and multi else only["frontend" if side == "backend" else "backend"]
            )
            out = others[0] if others else nobody
            if found.out != out:
                yield f"{who} hands unmatched packets to port number {found.out}, not {out}"
            if (other := generations.setdefault(found.generation, who)) != who:
                yield f"{who} and {other} have the same generation"
    clients = (
        {port["ip"]: index for index, port in roles.items() if port["type"] == "frontend"} if multi else {}
    )
    frontends = {
        socket.inet_ntoa(key): int.from_bytes(value, "little")
        for key, value in entries(directory / "frontends")
    }
    yield from _compared("client", clients, frontends, "frontends")
    for ip in clients.keys() & frontends.keys():
        if clients[ip] != frontends[ip]:
            yield f"client {ip} is at port number {frontends[ip]} in the map frontends, not {clients[ip]}"


def _role(side: int) -> str:
    names = {abi.CONSTANTS[constant]: side for side, constant in _SIDES.items()}
    return (names.get(side, str(side)) or "none").upper()


def _rewrite(wanted: Tree, directory: Path) -> Iterator[str]:
    with _opened(directory / "src_ip_rewrite") as table:
        found = abi.struct("src_ip_rewrite").from_buffer_copy(table.value(0))
    expected = abi.struct("src_ip_rewrite")()
    if wanted["ip-range"] and wanted["new_ip_range"]:
        before = ipaddress.IPv4Network(wanted["ip-range"], strict=False)
        after = ipaddress.IPv4Network(wanted["new_ip_range"], strict=False)
        expected.net, expected.mask = int(before.network_address), int(before.netmask)
        expected.new_net = int(after.network_address)
        expected.check = rewrite_check(expected)
    if bytes(found) != bytes(expected):
        yield "src-ip-rewrite in the datapath is another one than is configured"


# The states of sessions that a timeout is for; the states of all other protocols have that of ICMP.
_TIMEOUTS = {
    "tcp-opening": ("tcp", ("OPENING", "ANSWERED")),
    "tcp-established": ("tcp", ("ESTABLISHED",)),
    "tcp-half-closed": ("tcp", ("CLIENT_CLOSED", "SERVER_CLOSED")),
    "tcp-closed": ("tcp", ("CLOSED", "RESET", "RESET_CLIENT", "RESET_SERVER")),
    "udp-unanswered": ("udp", ("OPENING",)),
    "udp-answered": ("udp", ("ANSWERED",)),
    "udp-stream": ("udp", ("ESTABLISHED",)),
    "icmp": ("icmp", ("OPENING", "ANSWERED", "ESTABLISHED")),
}


def _settings(tree: Tree, directory: Path) -> Iterator[str]:
    with _opened(directory / "settings") as table:
        found = abi.struct("settings").from_buffer_copy(table.value(0))
    wanted = tree["timeouts"]
    for name, (protocol, states) in _TIMEOUTS.items():
        values = {found.timeouts[_PROTOCOLS[protocol]][abi.CONSTANTS[f"SESSION_{one}"]] for one in states}
        if values != {wanted[name]}:
            yield f"timeout {name} is {', '.join(map(str, sorted(values)))} in the datapath, not {wanted[name]}"
    longest = max(wanted[name] for name in _TIMEOUTS)
    if found.longest_timeout != longest:
        yield f"the longest timeout is {found.longest_timeout} in the datapath, not {longest}"
    if found.reject_unserved != (tree["unserved-ports"] == "reject"):
        yield f"unserved ports are {'refused' if found.reject_unserved else 'passed on'} in the datapath"
