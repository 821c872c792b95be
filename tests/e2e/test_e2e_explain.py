"""`explain` tells what the next packet does, for each rule, and leaves every table as it was, byte by byte."""

from __future__ import annotations

import json
import time

import pytest

from pcnhost.frames import Packet
from testbed.api import ApiError
from testbed.lab import run

from .explaining import BACKENDS, CLIENT, VIP, World, service, tcp, udp
from .views import ctl

pytestmark = pytest.mark.root


def test_a_connection(world: World) -> None:
    service(world, 80)
    told = world.step("client1", tcp(40000, 80), "NO_SESSION", "SLOT", "NEW_SESSION", "TRANSLATED")
    backend = next(d["values"]["backend"] for d in told["decisions"] if d["decision"] == "SLOT")
    assert told["out"] == "to_router" and f"{backend}:8080" in told["text"]
    told = world.step("client1", tcp(40000, 80), "SESSION", "TRANSLATED")
    assert told["decisions"][0]["values"] | {"idle": 0} == {
        "table": "openings",
        "state": "opening",
        "idle": 0,
    }
    answer = tcp(8080, 40000, "SYN,ACK", backend, CLIENT)
    told = world.step("to_router", answer, "SESSION", "TRANSLATED")
    assert (told["out"], told["leaving"]) == ("client1", f"TCP {VIP}:80 -> {CLIENT}:40000 SYN,ACK")
    for table in ("openings", "clients"):
        told = world.step("client1", tcp(40000, 80, "ACK"), "SESSION", "TRANSLATED")
        assert told["decisions"][0]["values"]["table"] == table
    for port, packet in (
        ("client1", tcp(40000, 80, "FIN,ACK")),
        ("to_router", tcp(8080, 40000, "FIN,ACK", backend, CLIENT)),
    ):
        world.step(port, packet, "SESSION")
    world.step("client1", tcp(40000, 80), "SESSION", "SESSION_CLOSED", "SLOT", "NEW_SESSION", "TRANSLATED")


def test_what_no_service_is_for(world: World) -> None:
    service(world, 81)
    world.step("client1", tcp(1, 4), "NO_SESSION", "NOTHING_KNOWN", "UNMATCHED")
    world.step("to_router", tcp(1, 2, source="10.9.9.9", to="10.10.1.2"), "NO_SESSION", "UNMATCHED")
    world.step("to_router", tcp(1, 2, source="10.9.9.9", to="10.10.1.77"), "UNMATCHED", "NO_PORT")
    world.cube.api.patch("k8slbrp/lb1/unserved-ports", "reject")
    told = world.step("client1", tcp(2, 4), "NO_SESSION", "PORT_NOT_SERVED", "CONTROL_PLANE")
    assert told["decisions"][-1]["values"] == {"reason": "reject"}
    world.cube.api.patch("k8slbrp/lb1/unserved-ports", "pass")


def test_backends(world: World) -> None:
    one = service(world, 90, backends=BACKENDS[:1])
    world.step("client1", tcp(41000, 90), "ONLY_BACKEND", "NEW_SESSION")
    world.cube.api.delete(f"{one}/backend")
    told = world.step("client1", tcp(41001, 90), "NO_SESSION", "NO_BACKEND", "CONTROL_PLANE")
    assert told["verdict"] == "control-plane"
    service(world, 91)
    answer = tcp(8080, 45000, "ACK", BACKENDS[0], CLIENT)
    told = world.step("to_router", answer, "NO_SESSION", "ANSWER_OF_NOBODY", "DROPPED")
    assert told["verdict"] == "dropped"
    world.step("client1", tcp(45001, 8080, to=BACKENDS[0]), "DIRECT", "NEW_SESSION")


def test_the_backend_of_a_session_goes(world: World) -> None:
    path = service(world, 53, "UDP")
    told = world.step("client2", udp(42000, 53, "10.10.1.2"), "SLOT", "NEW_SESSION")
    backend = next(d["values"]["backend"] for d in told["decisions"] if d["decision"] == "SLOT")
    world.cube.api.delete(f"{path}/backend/{backend}")
    told = world.step(
        "client2", udp(42000, 53, "10.10.1.2"), "SESSION", "BACKEND_GONE", "SLOT", "NEW_SESSION"
    )
    assert told["decisions"][1]["values"]["backend"] == backend


def test_a_syn_on_a_connection_whose_backend_goes(world: World) -> None:
    path = service(world, 54)
    told = world.step("client1", tcp(42001, 54), "SLOT", "NEW_SESSION")
    backend = next(d["values"]["backend"] for d in told["decisions"] if d["decision"] == "SLOT")
    world.step("to_router", tcp(8080, 42001, "SYN,ACK", backend, CLIENT), "SESSION", "TRANSLATED")
    world.step("client1", tcp(42001, 54, "ACK"), "SESSION", "TRANSLATED")
    world.cube.api.delete(f"{path}/backend/{backend}")
    told = world.step(
        "client1", tcp(42001, 54), "SESSION", "BACKEND_GONE", "SLOT", "CONTESTED", "NEW_SESSION"
    )
    other = next(d["values"]["backend"] for d in told["decisions"] if d["decision"] == "SLOT")
    world.cube.api.delete(f"{path}/backend/{other}")
    world.step("client1", tcp(42001, 54), "SESSION", "BACKEND_GONE", "SUCCESSOR_ENDS", "DROPPED")
    told = world.step("client1", tcp(42001, 54, "ACK"), "SESSION", "TRANSLATED")
    assert told["decisions"][0]["values"]["state"] == "established"


def test_another_source_port(world: World) -> None:
    for vport in (70, 71):
        service(world, vport, backends=BACKENDS[:1])
    world.step("client1", tcp(43000, 70), "NEW_SESSION")
    told = world.step("client1", tcp(43000, 71), "SOURCE_PORT", "NEW_SESSION", exact=False)
    assert told["decisions"][2]["values"]["from"] == 43000


def test_a_session_that_is_over(world: World) -> None:
    service(world, 54, "UDP")
    world.cube.api.patch("k8slbrp/lb1/timeouts/udp-unanswered", 1)
    world.step("client1", udp(44000, 54), "NO_SESSION", "NEW_SESSION")
    time.sleep(3)
    world.step("client1", udp(44000, 54), "SESSION", "SESSION_OVER", "NEW_SESSION")


def test_echo(world: World) -> None:
    world.cube.api.post(f"k8slbrp/lb1/service/{VIP}/0/ICMP", {"backend": [{"ip": BACKENDS[0], "port": 0}]})
    world.step("client1", Packet("ICMP", CLIENT, 77, VIP, 0), "ONLY_BACKEND", "NEW_SESSION")
    reply = Packet("ICMP", BACKENDS[0], 0, CLIENT, 77)
    assert world.step("to_router", reply, "SESSION")["leaving"] == f"ICMP echo reply 77 {VIP} -> {CLIENT}"


def test_a_port_without_peer(world: World) -> None:
    api = world.cube.api
    peer = api.get("k8slbrp/lb1/ports/to_router/peer")
    api.patch("k8slbrp/lb1/ports/to_router/peer", "")
    told = world.explain("client1", tcp(1, 4))
    assert told["text"] == "It is lost at port to_router: it has no peer."
    api.patch("k8slbrp/lb1/ports/to_router/peer", peer)


def test_a_port_without_carrier(world: World) -> None:
    """The other end of the pod's veth pair has never been set up."""
    near, far = f"{world.cube.lab.prefix}n", f"{world.cube.lab.prefix}f"
    run(["ip", "link", "add", near, "type", "veth", "peer", "name", far])
    try:
        run(["ip", "link", "set", near, "up"])
        port = {"type": "FRONTEND", "ip": "10.10.1.99", "peer": near}
        world.cube.api.post("k8slbrp/lb1/ports/silent", port)
        told = world.explain("to_router", Packet("TCP", "10.30.0.1", 80, "10.10.1.99", 5000, ("ACK",)))
        assert told["text"].endswith(
            f" {near} has no carrier: its other end is down, and the packet is lost."
        )
    finally:
        world.cube.api.delete("k8slbrp/lb1/ports/silent")
        run(["ip", "link", "del", near])


def test_sentences_and_json(world: World) -> None:
    service(world, 60, backends=BACKENDS[:1])
    line = ("explain", "lb1", "--from", "client1", "--tcp", f"{CLIENT}:46000", f"{VIP}:60")
    assert ctl(world.cube.api, *line).splitlines() == [
        f"TCP {CLIENT}:46000 -> {VIP}:60 SYN enters lb1 by port client1",
        " 1. no session has this flow",
        f" 2. service {VIP}:60 has one backend that takes new sessions: {BACKENDS[0]}:8080",
        " 3. a new session starts",
        f" 4. it becomes {CLIENT}:46000 -> {BACKENDS[0]}:8080",
        f"It leaves by port to_router to {world.cube.network.backend} as TCP {CLIENT}:46000 ->"
        f" {BACKENDS[0]}:8080 SYN.",
    ]
    shown = json.loads(ctl(world.cube.api, *line, "--json"))
    assert (shown["verdict"], shown["out"]) == ("leaves", "to_router")
    assert "10.96.0.10: ADDRESS:PORT" in ctl(world.cube.api, *line[:-1], VIP, status=3)
    assert "client9 is no port" in ctl(world.cube.api, *line[:3], "client9", *line[4:], status=2)


def test_where_to_look_next(world: World) -> None:
    """Who asks about the wrong port, or a service without usable backends, learns what there is."""
    for vip, port, proto in (("10.96.1.1", 80, "TCP"), ("10.96.1.1", 53, "UDP"), ("10.96.1.2", 80, "TCP")):
        world.cube.api.post(f"k8slbrp/lb1/service/{vip}/{port}/{proto}", {})
    for ip, more in {"10.21.0.1": {"state": "DRAINING"}, "10.21.0.2": {"weight": 0}}.items():
        backend = {"ip": ip, "port": 8080, **more}
        world.cube.api.post("k8slbrp/lb1/service/10.96.1.1/80/TCP/backend", [backend])

    def last(*words: str) -> str:
        return ctl(world.cube.api, "explain", "lb1", "--from", "client1", *words).splitlines()[-1]

    client, used = f"{CLIENT}:48000", "10.21.0.1:8080 DRAINING, 10.21.0.2:8080 weight 0"
    assert (
        last("--tcp", client, "10.96.1.1:81") == "Services of 10.96.1.1: 10.96.1.1:53/UDP, 10.96.1.1:80/TCP."
    )
    gets = "The client gets a TCP reset."
    assert last("--tcp", client, "10.96.1.1:80") == f"{gets} Backends of 10.96.1.1:80/TCP: {used}."
    gets = "The client gets an ICMP error: port unreachable."
    assert last("--udp", client, "10.96.1.1:53") == f"{gets} Backends of 10.96.1.1:53/UDP: none."
    assert last("--tcp", client, "10.96.9.9:80").startswith("It leaves by port to_router")
    for path in ("10.96.1.1/80/TCP", "10.96.1.1/53/UDP", "10.96.1.2/80/TCP"):
        world.cube.api.delete(f"k8slbrp/lb1/service/{path}")


def test_a_new_program_is_asked_next_time(world: World) -> None:
    service(world, 61)
    world.explain("client1", tcp(47000, 61))
    world.cube.api.patch("k8slbrp/lb1/loglevel", "DEBUG")
    world.step("client1", tcp(47000, 61), "NO_SESSION", "NEW_SESSION")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "port is missing"),
        ("port=nobody", "port: nobody is no port of lb1, allowed: client1, client2, to_router"),
        ("port=client1&port=client2", "port is given twice"),
        ("colour=red", "colour is no parameter"),
        ("port=client1", "protocol is missing"),
        ("port=client1&protocol=SCTP", "protocol: SCTP is not possible, allowed: TCP, UDP, ICMP"),
        ("port=client1&protocol=tcp&source=x", "source: x is not possible, allowed: IPv4 addresses"),
        (
            "port=client1&protocol=tcp&source=1.2.3.4&destination=1.2.3.4&sport=65536",
            "sport: 65536 is not possible",
        ),
        ("port=client1&protocol=tcp&source=1.2.3.4&destination=1.2.3.4&sport=-1", "allowed: 0..65535"),
        ("port=client1&protocol=udp&flags=SYN&source=1.2.3.4&destination=1.2.3.4", "flags are those of TCP"),
        (
            "port=client1&protocol=tcp&flags=ECE&source=1.2.3.4&destination=1.2.3.4&sport=1&dport=2",
            "flags: ECE is not possible, allowed: FIN, SYN, RST, PSH, ACK",
        ),
        ("port=client1&protocol=icmp&source=1.2.3.4&destination=1.2.3.4&id=0", "id: 0 is not possible"),
        (
            "port=client1&protocol=icmp&source=1.2.3.4&destination=1.2.3.4&id=1&sport=2",
            "sport is none of ICMP",
        ),
    ],
)
def test_nonsense(world: World, query: str, said: str) -> None:
    with pytest.raises(ApiError, match=f"400: .*{said}"):
        world.cube.api.get(f"explain/lb1?{query}")


def test_no_such_cube(world: World) -> None:
    with pytest.raises(ApiError, match="400: there is no cube"):
        world.cube.api.get("explain/lb9?port=x")
