"""`explain` of the rarer rules and of frames that are no packets of a flow; each decision there is has a test."""

from __future__ import annotations

import ast
import os
import struct
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether

from pcnhost.engine import bpf
from pcnhost.engine.decisions import sentences
from testbed.api import ApiError
from testbed.host import PROJECT

from .explaining import BACKENDS, CLIENT, VIP, World, names, service, tcp, udp
from .views import ctl

pytestmark = pytest.mark.root

ETHER = Ether(dst="02:00:00:00:00:01", src="02:00:00:00:00:02")
BACKEND = BACKENDS[0]


def test_every_decision_is_tested() -> None:
    """By its name in a call of step()."""
    tested: set[str] = set()
    for path in Path(__file__).parent.glob("test_e2e_explain*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "world.step":
                tested |= {str(word.value) for word in node.args if isinstance(word, ast.Constant)}
    known = {sentence.name for sentence in sentences((PROJECT / "src/datapath/explain.h").read_text())}
    assert len(known) > 25 and known - tested == set()


def test_a_port_without_role(world: World) -> None:
    fd = bpf.open_pin(world.pins / "ingress0" / "ports")
    assert fd is not None
    index = next(i for i, name in enumerate(("to_router", "client1")) if name == "client1")
    role = bpf.lookup(fd, bpf.u32(index), 8)
    assert role is not None and any(role)
    bpf.update(fd, bpf.u32(index), bytes(8))
    try:
        world.step("client1", tcp(50000, 1), "NO_ROLE", "DROPPED")
    finally:
        bpf.update(fd, bpf.u32(index), role)
        os.close(fd)


def test_broken_headers(world: World) -> None:
    cut = bytes(ETHER / IP(src=CLIENT, dst=VIP, proto=6, len=30) / bytes(10))
    told = world.step("client1", cut, "MALFORMED", "DROPPED")
    assert told["decisions"][-1]["values"] == {"event": "malformed"}


def test_source_ranges(world: World) -> None:
    path = service(world, 20)
    world.cube.api.post(f"{path}/source-range", [{"address": "10.10.1.2", "prefix-length": 32}])
    told = world.step("client1", tcp(50001, 20), "NO_SESSION", "SOURCE_REFUSED", "DROPPED")
    assert told["decisions"][-1]["values"] == {"event": "source-range"}
    world.step("client2", tcp(50001, 20, source="10.10.1.2"), "NO_SESSION", "NEW_SESSION")


def test_straight_to_a_backend(world: World) -> None:
    service(world, 27, backends=(BACKEND,))
    world.step("client1", tcp(50009, 8080, to=BACKEND), "NO_SESSION", "NO_SERVICE", "DIRECT", "NEW_SESSION")


def test_affinity(world: World) -> None:
    path = service(world, 21)
    world.cube.api.patch(f"{path}/session-affinity", "CLIENT_IP")
    first = world.step("client1", tcp(50002, 21), "SLOT", "NEW_SESSION")
    told = world.step("client1", tcp(50003, 21), "SLOT", "AFFINITY", "NEW_SESSION", exact=False)
    assert first["decisions"][1]["values"]["backend"] == told["decisions"][2]["values"]["backend"]


def test_an_ended_session(world: World) -> None:
    service(world, 22, backends=(BACKEND,))
    world.step("client1", tcp(50004, 22), "NEW_SESSION")
    world.step("to_router", tcp(8080, 50004, "SYN,ACK", BACKEND, CLIENT), "SESSION", "TRANSLATED")
    world.cube.api.post("k8slbrp/lb1/sessions/end", {"client-port": 50004, "reset": True})
    told = world.step("client1", tcp(50004, 22, "ACK"), "SESSION", "SESSION_ENDED", "CONTROL_PLANE")
    assert told["decisions"][0]["values"]["state"] == "ended"
    assert told["decisions"][-1]["values"] == {"reason": "reset"}
    world.step("client1", tcp(50004, 22), "SESSION", "SESSION_CLOSED", "ONLY_BACKEND", "NEW_SESSION")


def fragments(sport: int, dport: int, number: int) -> tuple[bytes, bytes]:
    datagram = bytes(IP(src=CLIENT, dst=VIP) / UDP(sport=sport, dport=dport) / bytes(40))[20:]
    fields = {"src": CLIENT, "dst": VIP, "proto": 17, "id": number}
    first = ETHER / IP(**fields, flags="MF") / datagram[:24]
    return bytes(first), bytes(ETHER / IP(**fields, frag=3) / datagram[24:])


def test_fragments(world: World) -> None:
    service(world, 23, "UDP", backends=(BACKEND,))
    first, later = fragments(50005, 23, 7)
    world.step("client1", first, "NO_SESSION", "NEW_SESSION", "TRANSLATED")
    told = world.step("client1", later, "FRAGMENT")
    assert told["packet"] == f"UDP later fragment {CLIENT} -> {VIP}"
    assert told["leaving"] == f"UDP later fragment {CLIENT} -> {BACKEND}"


def test_fragments_that_come_too_early(world: World) -> None:
    service(world, 24, "UDP", backends=(BACKEND,))
    told = world.step("client1", fragments(50006, 24, 8)[1], "FRAGMENT_EARLY", "CONTROL_PLANE")
    assert told["decisions"][-1]["values"] == {"reason": "fragment-hold"}


def test_icmp_errors(world: World) -> None:
    service(world, 25, backends=(BACKEND,))
    world.step("client1", tcp(50007, 25), "NEW_SESSION")
    quoted = IP(src=CLIENT, dst=BACKEND) / TCP(sport=50007, dport=8080)
    error = bytes(ETHER / IP(src=BACKEND, dst=CLIENT) / ICMP(type=3, code=4) / quoted)
    told = world.step("to_router", error, "ICMP_ERROR", "SESSION", "TRANSLATED")
    assert told["decisions"][0]["text"].endswith(f"a packet {CLIENT}:50007 -> {BACKEND}:8080")
    assert (told["out"], told["leaving"]) == ("client1", f"ICMP type 3 code 4 {VIP} -> {CLIENT}")


def arp(source: str, target: str, operation: int = 1) -> bytes:
    return bytes(ETHER / ARP(op=operation, hwsrc="02:00:00:00:00:02", psrc=source, pdst=target))


def test_arp(world: World) -> None:
    told = world.step("client1", arp(CLIENT, "10.10.1.254"), "ARP")
    assert (told["out"], told["leaving"]) == ("to_router", f"ARP request of {CLIENT} for 10.10.1.254")
    told = world.step("to_router", arp("10.10.1.254", "10.10.1.2"), "ARP")
    assert told["out"] == "client2"
    world.step("to_router", arp("10.10.1.254", "10.10.1.77"), "ARP", "NO_PORT")
    told = world.step("to_router", arp("10.10.1.254", "10.10.1.254"), "ARP", "CONTROL_PLANE")
    assert told["decisions"][-1]["values"] == {"reason": "flood"}


def test_what_is_no_ip(world: World) -> None:
    frame = bytes(ETHER)[:12] + struct.pack("!H", 0x88CC) + bytes(46)
    told = world.explain("client1", frame)
    assert told["packet"] == told["leaving"] == "frame of 60 bytes, EtherType 0x88cc"
    told = world.explain("to_router", frame)
    assert names(told) == ["CONTROL_PLANE"] and told["verdict"] == "control-plane"


def test_as_text(world: World) -> None:
    shown = ctl(world.cube.api, "explain", "lb1", "--from", "client1", "--frame", arp(CLIENT, VIP).hex(" "))
    assert " ".join(shown.split()) == (
        f"ARP request of {CLIENT} for {VIP} enters lb1 by port client1 1. it is about {VIP} It leaves by port"
        f" to_router to {world.cube.network.backend} as ARP request of {CLIENT} for {VIP}."
    )


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("frame=xyz", "frame: xyz is not possible, allowed: hexadecimal digits"),
        ("frame=0001", "frame: 2 bytes is not possible, allowed: 14..1514"),
        (f"frame={'00' * 60}&protocol=tcp", "protocol is none of frame"),
    ],
)
def test_nonsense(world: World, query: str, said: str) -> None:
    with pytest.raises(ApiError, match=f"400: .*{said}"):
        world.cube.api.get(f"explain/lb1?port=client1&{query}")


def test_a_datagram_to_nobody(world: World) -> None:
    world.cube.api.post(f"k8slbrp/lb1/service/{VIP}/26/UDP", {})
    world.step("client1", udp(50008, 26), "NO_SESSION", "NO_BACKEND", "CONTROL_PLANE")
