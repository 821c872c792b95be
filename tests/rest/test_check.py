"""`pcnctl check` finds nothing in a cube that is as it shall be, and each fault that is planted."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from k8slbrp import abi
from k8slbrp.maps import backend_check, entries, head_check, known_bit, pins, served, service_hash
from pcnhost.ctl import check
from pcnhost.engine import bpf, bpf_link, state
from pcnhost.engine.panel import ingress_node
from testbed.api import Api
from testbed.lab import Lab
from tests.datapath.tables import service_key
from tests.rest.conftest import CUBE, OwnHost

pytestmark = pytest.mark.root

VIP = "10.9.0.1"


@dataclass(frozen=True)
class Place:
    """The state directory of a host, its cube CUBE, and a netdev that is the peer of the cube's port `back`."""

    root: Path
    netdev: str

    @property
    def cube(self) -> Path:
        return self.root / "cubes" / CUBE

    @property
    def record(self) -> Path:
        return self.root / "netdevs" / str(socket.if_nametoindex(self.netdev))

    def first(self, name: str) -> tuple[bytes, bytes]:
        return next(entries(pins(self.root, CUBE) / name))

    def write(self, name: str, key: bytes, value: bytes | None) -> None:
        """Into a map of the service; None removes."""
        put(pins(self.root, CUBE) / name, key, value)

    def change(self, name: str, key: bytes, what: Callable[[bytearray], object]) -> None:
        value = bytearray(dict(entries(pins(self.root, CUBE) / name))[key])
        what(value)
        self.write(name, key, bytes(value))


def put(pin: Path, key: bytes, value: bytes | None) -> None:
    fd = bpf.open_pin(pin)
    assert fd is not None
    try:
        if value is None:
            bpf.delete(fd, key)
        else:
            bpf.update(fd, key, value)
    finally:
        os.close(fd)


@pytest.fixture(scope="module")
def api(own_host: OwnHost) -> Iterator[tuple[Api, str]]:
    """A cube with everything that can be wrong, and the netdev of its port `back`."""
    api = Api(own_host.authority)
    with Lab() as lab:
        netdev = lab.link("b", lab.namespace("b"))
        rewrite = {"ip-range": "10.2.0.0/24", "new_ip_range": "10.3.0.0/24"}
        api.post(f"k8slbrp/{CUBE}", {"port_mode": "MULTI", "src-ip-rewrite": rewrite})
        api.post(f"k8slbrp/{CUBE}/ports/back", {"type": "BACKEND", "peer": netdev})
        api.post(f"k8slbrp/{CUBE}/ports/front", {"type": "FRONTEND", "ip": "10.0.0.1"})
        api.post("k8slbrp/other", {})
        api.post("k8slbrp/other/ports/x", {"type": "BACKEND", "peer": f"{CUBE}:front"})
        api.patch(f"k8slbrp/{CUBE}/ports/front", {"peer": "other:x"})
        few = [{"ip": f"10.1.0.{n}", "port": 80, "weight": n % 3} for n in range(1, 6)]
        many = [
            {"ip": f"10.1.{n // 200}.{n % 200 + 1}", "port": 8080, "weight": 1 + n % 2} for n in range(60)
        ]
        standby = [
            {"ip": "10.1.0.9", "port": 53, "state": "STANDBY"},
            {"ip": "10.1.0.8", "port": 53, "weight": 0},
        ]
        api.post(f"k8slbrp/{CUBE}/service/{VIP}/80/TCP", {"backend": few})
        api.post(f"k8slbrp/{CUBE}/service/{VIP}/443/TCP", {"backend": many})
        api.post(f"k8slbrp/{CUBE}/service/10.9.0.2/53/ALL", {"backend": standby})
        api.post(f"k8slbrp/{CUBE}/service/10.9.0.3/53/UDP", {"backend": []})
        sticky = {"session-affinity": "CLIENT_IP", "affinity-timeout": 60}
        ranges = [{"address": "10.0.0.0", "prefix-length": 8}, {"address": "192.0.2.7", "prefix-length": 32}]
        api.post(f"k8slbrp/{CUBE}/service/{VIP}/22/TCP", {"backend": few, "source-range": ranges, **sticky})
        yield api, netdev
        api.delete(f"k8slbrp/{CUBE}")
        api.delete("k8slbrp/other")


@pytest.fixture
def place(api: tuple[Api, str], own_host: OwnHost) -> Place:
    return Place(own_host.state_dir, api[1])


def run(own_host: OwnHost, *more: str) -> tuple[int, str]:
    """Exit status and output."""
    options = ["--url", f"http://{own_host.authority}/polycube/v1", "--state-dir", str(own_host.state_dir)]
    command = [sys.executable, "-m", "pcnhost.ctl", "check", *(more or (CUBE,)), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def found(place: Place, own_host: OwnHost) -> list[str]:
    client = check.Client(check.settings.Settings(f"http://{own_host.authority}/polycube/v1/"))
    return check.look(client, CUBE, place.root)


def test_a_cube_as_it_shall_be(place: Place, own_host: OwnHost) -> None:
    assert run(own_host) == (0, f"cube {CUBE} is as it is configured\n")
    assert run(own_host, "other") == (0, "cube other is as it is configured\n")


def test_what_cannot_be_compared(place: Place, own_host: OwnHost) -> None:
    assert run(own_host, "nosuch") == (2, "pcnctl: there is no cube nosuch\n")
    assert check.main([CUBE, "--url", "http://127.0.0.1:1/polycube/v1"]) == 2
    assert (
        check.main([CUBE, "--url", f"http://{own_host.authority}/polycube/v1", "--state-dir", "/nosuch"]) == 2
    )


def service(place: Place, port: int, at: str, value: object) -> None:
    """Changes a member of the entry of a service."""

    def change(raw: bytearray) -> None:
        entry = abi.struct("service").from_buffer(raw)
        setattr(entry.head, at, value)
        if at != "check":
            entry.head.check = head_check(service_hash(key, entry.head.version), entry.head)

    key = service_key(VIP, port, 6)
    place.change("services", key, change)


def source_range(place: Place, port: int, network: str, length: int) -> bytes:
    """The key of a range in the set that the service uses."""
    key = service_key(VIP, port, 6)
    entry = dict(entries(pins(place.root, CUBE) / "services"))[key]
    service = abi.struct("service_key").from_buffer_copy(key)
    service.pad = abi.struct("service").from_buffer_copy(entry).head.sources
    bits = abi.CONSTANTS["SERVICE_KEY_BITS"] + length
    return abi.pack("source_range", prefix_length=bits, service=service, ip=network)


def backend(place: Place, index: int, **members: int) -> None:
    """Changes a backend that stands in the entry of the service of port 80."""

    def change(raw: bytearray) -> None:
        entry = abi.struct("service").from_buffer(raw)
        one = entry.backends[index]
        for name, value in members.items():
            getattr(one, name)  # a name that the struct does not have is no fault
            setattr(one, name, value)
        if "check" not in members:
            one.check = backend_check(service_hash(key, entry.head.version), one)

    key = service_key(VIP, 80, 6)
    place.change("services", key, change)


def slots_of_entry(place: Place, first: bytes) -> None:
    """Changes the first slots that stand in the entry of the service of port 80."""
    at = abi.struct("service").words.offset
    place.change(
        "services", service_key(VIP, 80, 6), lambda raw: raw.__setitem__(slice(at, at + len(first)), first)
    )


def chunk_of(place: Place, at: int) -> bytes:
    """The key of a chunk of the service of port 443, counted from its first one (or from the end)."""
    return struct.pack("=I", served(place.root, CUBE)[VIP, 443, "tcp"].numbers[at])


def swap_backends(raw: bytearray) -> None:
    """The backends of two buckets of a chunk that hold others."""
    size = abi.size("backend") * abi.CONSTANTS["BACKENDS_PER_BUCKET"]
    raw[:size], raw[-size:] = raw[-size:], raw[:size]


def role(place: Place, index: int, **members: int) -> None:
    def change(raw: bytearray) -> None:
        for name, value in members.items():
            setattr(abi.struct("port").from_buffer(raw), name, value)

    place.change("ports", struct.pack("=I", index), change)


def hop(place: Place, index: int, name: str, value: bytes) -> None:
    put(place.cube / name, struct.pack("=I", index), value)


def clear_bit(place: Place, ip: str, port: int, protocol: int) -> None:
    bit = known_bit(ip, port, protocol)

    def change(raw: bytearray) -> None:
        word = int.from_bytes(raw, "little") & ~(1 << bit % 64)
        raw[:] = word.to_bytes(8, "little")

    place.change("known", struct.pack("=I", bit // 64), change)


def settings_member(place: Place, change: Callable[[object], object]) -> None:
    place.change("settings", bytes(4), lambda raw: change(abi.struct("settings").from_buffer(raw)))


def u32(number: int) -> bytes:
    return struct.pack("=I", number)


def node(place: Place) -> bytes:
    """Where packets enter the cube."""
    return u32(ingress_node(int(state.read_note(place.cube / "id") or 0)))


PORT_80, PORT_443 = f"service {VIP}:80/tcp: ", f"service {VIP}:443/tcp: "
FAULTS: dict[str, tuple[Callable[[Place], object], str]] = {
    "affinity": (
        lambda p: service(p, 22, "affinity", 61),
        f"service {VIP}:22/tcp: its clients keep their backends for 61 s, not 60 s",
    ),
    "affinity too many": (
        lambda p: service(p, 80, "affinity", 1),
        f"service {VIP}:80/tcp: its clients keep their backends for 1 s, not 0 s",
    ),
    "all may come": (
        lambda p: service(p, 22, "sources", 0),
        f"service {VIP}:22/tcp: all may come, but only source ranges shall",
    ),
    "another set of source ranges": (
        lambda p: service(p, 22, "sources", 9),
        f"source ranges of service {VIP}:22/tcp belong to a set that it does not use",
    ),
    "source range gone": (
        lambda p: p.write("source_ranges", p.first("source_ranges")[0], None),
        "is configured, but not in the map source_ranges",
    ),
    "source range too many": (
        lambda p: p.write("source_ranges", source_range(p, 22, "8.8.0.0", 16), u32(1)),
        f"source range of service {VIP}:22/tcp 8.8.0.0/16 is in the map source_ranges, but not configured",
    ),
    "service gone": (
        lambda p: p.write("services", service_key(VIP, 80, 6), None),
        f"service {VIP}:80/tcp is configured, but not in the map",
    ),
    "service too many": (
        lambda p: p.write("services", service_key(VIP, 81, 6), p.first("services")[1]),
        f"service {VIP}:81/tcp is in the map, but not configured",
    ),
    "torn entry": (lambda p: service(p, 80, "check", 1), PORT_80 + "its entry is not whole"),
    "odd width of indexes": (
        lambda p: service(p, 80, "index_shift", 7),
        PORT_80 + "its indexes have 2^7 bits",
    ),
    "no slots": (lambda p: service(p, 80, "slots", 0), PORT_80 + "it has no slots"),
    "chunk too many": (
        lambda p: p.write("chunks", u32(4_000_000_000), bytes(512)),
        "chunk 4000000000 belongs to no service",
    ),
    "chunk gone": (lambda p: p.write("chunks", chunk_of(p, 0), None), "is missing"),
    "chunk of another service": (
        lambda p: p.change("chunks", chunk_of(p, -1), lambda raw: raw.__setitem__(8, raw[8] ^ 1)),
        PORT_443 + "the check of backend",
    ),
    "backend of another version": (
        lambda p: backend(p, 0, check=1),
        PORT_80 + "the check of backend",
    ),
    "two services share a chunk": (
        lambda p: [
            service(p, 80, "slots", 2048),
            service(p, 80, "first_chunk", int.from_bytes(chunk_of(p, 0), "little")),
        ],
        "belongs to service",
    ),
    "backend gone": (
        lambda p: backend(p, 0, ip=0, port=0, flags=0, check=0),
        "is configured, but not in the maps",
    ),
    "backend of nobody": (
        lambda p: backend(p, 5, ip=0x0A010063, port=80),
        "backend 10.1.0.99:80 is in the maps",
    ),
    "backend with another port": (lambda p: backend(p, 0, port=81), ":81 is in the maps, but not configured"),
    "drained backend that accepts": (
        lambda p: backend(p, 4, flags=1),
        "may get new sessions, but shall not",
    ),
    "backend that does not accept": (
        lambda p: backend(p, 0, flags=0),
        "may not get new sessions, but shall",
    ),
    "slot of an entry that leads nowhere": (
        lambda p: slots_of_entry(p, b"\xff"),
        PORT_80 + "a slot leads to backend number 15, which does not exist",
    ),
    "unfair slots of an entry": (lambda p: slots_of_entry(p, bytes(512)), PORT_80 + "backend"),
    "slot that leads nowhere": (
        lambda p: p.change("chunks", chunk_of(p, 0), lambda raw: raw.__setitem__(0, 255)),
        "leads to backend number 255, which does not exist",
    ),
    "unfair slots": (
        lambda p: p.change(
            "chunks", chunk_of(p, 0), lambda raw: raw.__setitem__(slice(None), bytes([raw[0]]) * 512)
        ),
        PORT_443 + "backend",
    ),
    "backends in each other's buckets": (
        lambda p: p.change("chunks", chunk_of(p, -1), swap_backends),
        "stands where no packet looks for it",
    ),
    "VIP gone": (
        lambda p: p.write("vips", socket.inet_aton(VIP), None),
        f"VIP {VIP} is configured, but not in the map vips",
    ),
    "stale VIP": (
        lambda p: p.write("vips", socket.inet_aton("10.9.9.9"), u32(1)),
        "VIP 10.9.9.9 is in the map vips, but not configured",
    ),
    "endpoint gone": (
        lambda p: p.write("endpoints", service_key("10.1.0.1", 80, 6), None),
        "backend 10.1.0.1:80/tcp is configured, but not in the map endpoints",
    ),
    "stale endpoint": (
        lambda p: p.write("endpoints", service_key("10.1.9.9", 80, 6), u32(1)),
        "backend 10.1.9.9:80/tcp is in the map endpoints, but not configured",
    ),
    "no bit for a service": (lambda p: clear_bit(p, VIP, 80, 6), f"has no bit for {VIP}:80, protocol 6"),
    "no bit for a backend": (lambda p: clear_bit(p, "10.1.0.2", 80, 6), "no bit for 10.1.0.2:80, protocol 6"),
    "no bit for an address": (lambda p: clear_bit(p, "10.1.0.2", 0, 0), "no bit for 10.1.0.2:0, protocol 0"),
    "wrong role": (lambda p: role(p, 0, side=1), "port back has role FRONTEND in the datapath, not BACKEND"),
    "role of nobody": (lambda p: role(p, 9, side=2), "the unused port number 9 has role BACKEND"),
    "wrong mode": (lambda p: role(p, 0, multi=0), "port back is in mode SINGLE in the datapath, not MULTI"),
    "wrong way out": (
        lambda p: role(p, 1, out=7),
        "port front hands unmatched packets to port number 7, not 0",
    ),
    "client gone": (
        lambda p: p.write("frontends", socket.inet_aton("10.0.0.1"), None),
        "client 10.0.0.1 is configured, but not in the map frontends",
    ),
    "client at another port": (
        lambda p: p.write("frontends", socket.inet_aton("10.0.0.1"), struct.pack("=H", 5)),
        "client 10.0.0.1 is at port number 5 in the map frontends, not 1",
    ),
    "other rewriting": (
        lambda p: p.write("src_ip_rewrite", bytes(4), bytes(16)),
        "src-ip-rewrite in the datapath",
    ),
    "other timeout": (
        lambda p: settings_member(p, lambda s: s.timeouts[17].__setitem__(2, 9)),  # type: ignore[attr-defined]
        "timeout udp-stream is 9 in the datapath, not 180",
    ),
    "other longest timeout": (
        lambda p: settings_member(p, lambda s: setattr(s, "longest_timeout", 1)),
        "the longest timeout is 1",
    ),
    "unserved ports refused": (
        lambda p: settings_member(p, lambda s: setattr(s, "reject_unserved", 1)),
        "unserved ports are refused",
    ),
    "way to another netdev": (
        lambda p: hop(p, 0, "_POLYCUBE_peers", struct.pack("=II8x", 65534, 0)),
        "port back leads to netdev number 65534 from the cube's program",
    ),
    "way to another port": (
        lambda p: hop(p, 1, "egress_next", struct.pack("=II8x", 0, 7 << 16 | 2)),
        "port front leads to port number 7 of node 2, not to port number 0 of node 4",
    ),
    "way of nobody": (
        lambda p: hop(p, 9, "egress_next", struct.pack("=II8x", 1, 0)),
        "the unused port number 9 leads to netdev number 1, not nowhere",
    ),
    "port without a number": (lambda p: state.remove(p.cube / "ports" / "front"), "port front has no number"),
    "number of nobody": (
        lambda p: state.write_note(p.cube / "ports" / "gone", "17"),
        "port gone has a number in the state directory, but does not exist",
    ),
    "number of two": (
        lambda p: state.write_note(p.cube / "ports" / "front", "0"),
        "ports back and front both have number 0",
    ),
    "netdev of another cube": (
        lambda p: state.write_note(p.record / "cube", "other"),
        "of port back leads to other",
    ),
    "netdev of nobody": (
        lambda p: state.write_note(p.root / "netdevs" / "4711" / "cube", CUBE),
        "netdev number 4711 leads to the cube, but is the peer of no port",
    ),
    "no program lets packets in": (
        lambda p: put(p.root / "nodes", node(p), None),
        "packets enter another program than the cube's first one, or none",
    ),
    "no program": (lambda p: put(p.cube / "ingress_programs", u32(0), None), "the cube has no program"),
}


@contextlib.contextmanager
def restored(place: Place) -> Iterator[None]:
    """Puts maps, notes and programs back as they are now."""
    names = (
        "services",
        "vips",
        "chunks",
        "source_ranges",
        "endpoints",
        "known",
        "ports",
        "frontends",
        "src_ip_rewrite",
        "settings",
    )
    maps = [pins(place.root, CUBE) / name for name in names]
    maps += [place.cube / "_POLYCUBE_peers", place.cube / "egress_next"]
    before = {pin: dict(entries(pin)) for pin in maps}
    notes = state.read_notes(place.cube / "ports")
    program = program_fd(place)
    yield
    for pin, old in before.items():
        now = dict(entries(pin))
        for key in now.keys() - old.keys():
            put(pin, key, None)
        for key, value in old.items():
            if now.get(key) != value:
                put(pin, key, value)
    for name in state.read_notes(place.cube / "ports").keys() - notes.keys():
        state.remove(place.cube / "ports" / name)
    for name, text in notes.items():
        state.write_note(place.cube / "ports" / name, text)
    state.write_note(place.record / "cube", CUBE)
    state.remove(place.root / "netdevs" / "4711")
    put(place.cube / "ingress_programs", u32(0), u32(program))
    put(place.root / "nodes", node(place), u32(program))
    os.close(program)


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults(fault: str, place: Place, own_host: OwnHost) -> None:
    plant, text = FAULTS[fault]
    with restored(place):
        plant(place)
        said = found(place, own_host)
        assert any(text in one for one in said), said
    assert found(place, own_host) == []


def program_fd(place: Place) -> int:
    """The cube's first program."""
    fd = bpf.open_pin(place.cube / "ingress_programs")
    assert fd is not None
    number = int.from_bytes(bpf.lookup(fd, u32(0), 4) or b"", "little")
    os.close(fd)
    program: int = bpf._libbpf.bpf_prog_get_fd_by_id(number)
    assert program >= 0
    return program


def test_a_program_that_has_been_taken_off(api: tuple[Api, str], place: Place, own_host: OwnHost) -> None:
    """The last test of this file: the host notices, too, when it next looks at the netdev."""
    fd = bpf.open_pin(place.record / "tc_ingress")
    if fd is None:
        pytest.skip("this kernel has no links for TC")
    bpf_link.detach(fd)
    os.close(fd)
    status, said = run(own_host)
    assert (status, said) == (1, f"netdev {place.netdev} of port back has lost its program at tc_ingress\n")
