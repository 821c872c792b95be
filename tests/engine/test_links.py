"""Ports and their peers."""

import itertools
import socket
from collections.abc import Callable
from typing import Any

import pytest
from pyroute2 import IPRoute

from pcnhost.engine import Engine, bpf
from pcnhost.errors import HostError

from .programs import CABLE, DROP, PASS, program
from .support import create, eventually, programs_on, refuses
from .wire import Wire, frame

pytestmark = pytest.mark.root

Wires = Callable[[int], list[Wire]]
OK = bytes.fromhex("b7000000000000009500000000000000")  # return TC_ACT_OK
KINDS = pytest.mark.parametrize("kind", ["TC", "XDP_SKB"])


@KINDS
def test_two_cubes_in_a_row(engine: Engine, wires: Wires, kind: str) -> None:
    a, b = wires(2)
    for name, outer in (("c1", "w0"), ("c2", "w1")):
        cube, _ = create(engine, CABLE, name=name, type=kind)
        cube.add_port("out", {"peer": outer})
        cube.add_port("in", {})
    near, far = engine.cubes["c1"].ports["in"], engine.cubes["c2"].ports["in"]
    near.set_peer("c2:in")
    assert (near.status, far.status) == ("DOWN", "DOWN")
    a.send(frame(b"the other side does not want it"))
    assert b.silent()
    far.set_peer("c1:in")
    assert (near.status, far.status) == ("UP", "UP")
    a.send(frame(b"through both"))
    assert b.receive() == frame(b"through both")
    b.send(frame(b"and back"))
    assert a.receive() == frame(b"and back")
    far.set_peer("")
    assert (near.status, near.peer, far.status, far.peer) == ("DOWN", "c2:in", "DOWN", "")
    a.send(frame(b"x"))
    assert b.silent()


def test_a_long_chain_of_cubes(engine: Engine, wires: Wires) -> None:
    a, b = wires(2)
    names = [f"n{i}" for i in range(10)]
    for name in names:
        cube, _ = create(engine, CABLE, name=name)
        cube.add_port("left", {})
        cube.add_port("right", {})
    engine.connect("n0:left", "w0")
    engine.connect("w1", "n9:right")
    for left, right in itertools.pairwise(names):
        engine.connect(f"{left}:right", f"{right}:left")
    a.send(frame(b"ten hops"))
    assert b.receive() == frame(b"ten hops")


def test_links_follow_cubes_and_ports(engine: Engine) -> None:
    one, _ = create(engine, CABLE, name="one")
    port = one.add_port("p", {"peer": "two:q"})
    assert port.status == "DOWN"
    two, _ = create(engine, CABLE, name="two")
    two.add_port("q", {"peer": "one:p"})
    assert port.status == "UP"
    two.remove_port("q")
    assert (port.status, port.peer) == ("DOWN", "two:q")
    two.add_port("q", {"peer": "one:p"})
    assert port.status == "UP"
    engine.destroy_cube("two")
    assert port.status == "DOWN"


@KINDS
def test_unconnected_port_drops(engine: Engine, wires: Wires, kind: str) -> None:
    a, b = wires(2)
    cube, _ = create(
        engine, program("return pcn_pkt_redirect(ctx, md, 1 + (md->packet_len > 100) * 200);"), type=kind
    )
    cube.add_port("p0", {"peer": "w0"})
    assert cube.add_port("p1", {}).status == "DOWN"
    a.send(frame(b"to nowhere"))
    a.send(frame(b"to a port that cannot exist" * 10))
    assert b.silent()
    cube.ports["p1"].set_peer("w1")
    a.send(frame(b"to w1"))
    assert b.receive() == frame(b"to w1")


def test_many_ports(engine: Engine, wires: Wires) -> None:
    count = 128
    pairs = wires(24)
    next_port = program(f"return pcn_pkt_redirect(ctx, md, (md->in_port + 1) % {count});")
    cube, _ = create(engine, next_port)
    for i in range(count):
        cube.add_port(f"p{i}", {"peer": f"w{i - 104}"} if i >= 104 else {})
    for i in range(23):
        pairs[i].send(frame(b"%d" % i))
        assert pairs[i + 1].receive() == frame(b"%d" % i)
    with pytest.raises(HostError, match="Maximum number of ports"):
        cube.add_port("another", {})


def test_the_lowest_free_index_is_used(engine: Engine) -> None:
    cube, _ = create(engine, DROP)
    assert [cube.add_port(name, {}).index for name in "dcba"] == [0, 1, 2, 3]
    cube.remove_port("c")
    assert cube.add_port("e", {}).index == 1
    assert list(cube.ports) == ["a", "b", "d", "e"]
    mistakes: dict[str, Callable[[], object]] = {
        "Port a already exists": lambda: cube.add_port("a", {}),
        "Port c does not exist": lambda: cube.remove_port("c"),
        "Interface  nope does not exist or is down": lambda: cube.add_port("f", {"peer": "nope"}),
    }
    for text, action in mistakes.items():
        with refuses(text):
            action()
    assert cube.add_port("g", {}).index == 4


def test_netdevs_that_are_no_peers(engine: Engine) -> None:
    """A cube at lo would swallow what the machine says to itself, one at the host's TAP what services send."""
    cube, _ = create(engine, DROP)
    with IPRoute() as ipr:
        names = [link.get_attr("IFLA_IFNAME") for link in ipr.get_links()]
    (tap,) = (name for name in names if name.startswith("pcn_out"))
    allowed = "allowed: another port, another network interface"
    for name, what in (("lo", "the loopback interface"), (tap, "how the host sends packets")):
        with refuses(f"peer: {name} is {what}, {allowed}"):
            cube.add_port("p", {"peer": name})
        before = programs_on(name)
        with engine.restoring("c1"):
            port = cube.add_port("p", {"peer": name})
        assert (port.status, port.why_down) == ("DOWN", f"peer: {name} is {what}, {allowed}")
        assert programs_on(name) == before
        cube.remove_port("p")


def test_what_is_gone_stays_gone(engine: Engine, wires: Wires) -> None:
    wires(1)
    cube, _ = create(engine, DROP)
    port = cube.add_port("p", {})
    cube.remove_port("p")
    with refuses("Port p does not exist"):
        port.set_peer("w0")
    with refuses("Port p does not exist"):
        port.send_packet_out(frame(b"x"), recirculate=True)
    engine.destroy_cube("c1")
    with refuses("Cube c1 does not exist"):
        cube.add_port("p", {})
    with refuses("Cube c1 does not exist"):
        cube.add_program(DROP, 0, "INGRESS")
    assert cube.table_fd("any", 0, "INGRESS") == -1


def test_json(engine: Engine, wires: Wires) -> None:
    wires(1)
    cube, _ = create(engine, DROP, type="tc", loglevel="err")
    bare = cube.to_json()
    assert list(bare.items())[2:] == [
        ("service-name", "svc"),
        ("type", "TC"),
        ("loglevel", "ERR"),
        ("shadow", False),
        ("span", False),
    ]
    assert bare["name"] == "c1"
    assert bare["uuid"] == cube.uuid
    port = cube.add_port("p", {"peer": "w0"})
    cube.add_port("a", {})
    assert cube.to_json()["ports"] == [{"name": "a"}, {"name": "p", "peer": "w0"}]
    assert list(cube.to_json())[5] == "ports"
    assert port.to_json() == {"name": "p", "uuid": port.uuid, "status": "UP", "peer": "w0"}


def test_what_a_netdev_must_be(engine: Engine, wires: Wires) -> None:
    wires(2)
    with IPRoute() as ipr:
        ipr.link("set", index=ipr.link_lookup(ifname="w1")[0], state="down")
    cube, _ = create(engine, DROP)
    port = cube.add_port("p", {"peer": "w0"})
    port.set_peer("w0")
    with refuses("Interface  w1 does not exist or is down"):
        port.set_peer("w1")
    assert (port.peer, port.status) == ("w0", "UP")
    with refuses("Iface already in use: w0 is the peer of c1:p, allowed: one without"):
        cube.add_port("q", {"peer": "w0"})
    assert "q" not in cube.ports


def test_connect_and_disconnect(engine: Engine, wires: Wires) -> None:
    wires(1)
    create(engine, CABLE, name="a")[0].add_port("p", {})
    create(engine, CABLE, name="b")[0].add_port("p", {})
    create(engine, CABLE, name="x", type="XDP_SKB")[0].add_port("p", {})
    for peers, text in {
        ("a:p", "c:p"): "Cube c does not exist",
        ("a:p", "b:q"): "Port q does not exist",
        ("a:p", "nope"): "Interface  nope does not exist or is down",
        ("a:p", "x:p"): "It is not possible to connect TC and XDP ports: a:p is TC, x:p is XDP",
        ("w0", "nope"): "Error setting peer: neither w0 nor nope is a port, allowed: cube:port",
    }.items():
        with refuses(text):
            engine.connect(*peers)
    assert {cube.ports["p"].peer for cube in engine.cubes.values()} == {""}
    engine.connect("a:p", "b:p")
    assert engine.cubes["a"].ports["p"].status == "UP"
    with refuses("b:p already has a peer a:p"):
        engine.connect("b:p", "w0")
    with refuses("a:p is not connected to w0"):
        engine.disconnect("a:p", "w0")
    engine.disconnect("b:p", "a:p")
    assert {cube.ports["p"].peer for cube in engine.cubes.values()} == {""}
    engine.connect("w0", "a:p")
    engine.disconnect("w0", "a:p")
    assert engine.cubes["a"].ports["p"].status == "DOWN"


@KINDS
def test_a_netdev_disappears_and_comes_back(engine: Engine, wires: Wires, kind: str) -> None:
    old, b = wires(2)
    cube, _ = create(engine, CABLE, type=kind)
    port = cube.add_port("p0", {"peer": "w0"})
    cube.add_port("p1", {"peer": "w1"})
    assert port.why_down == ""
    old.remove()
    assert eventually(lambda: port.status == "DOWN")
    assert (port.peer, port.why_down) == ("w0", "Interface  w0 does not exist or is down")
    b.send(frame(b"to nowhere"))
    with refuses("Interface  w0 does not exist or is down"):
        port.set_peer("w0")
    new = Wire("w0")
    assert eventually(lambda: port.status == "UP")
    b.send(frame(b"to the new one"))
    assert new.receive() == frame(b"to the new one")
    new.close()


def test_a_port_is_up_only_when_packets_can_leave(
    engine: Engine, wires: Wires, monkeypatch: pytest.MonkeyPatch
) -> None:
    wires(1)
    cube, _ = create(engine, CABLE)
    port = cube.add_port("p", {})
    seen, set_hops = [], cube.set_hops

    def look_and_set(*hops: Any) -> None:
        seen.append(port.status)
        set_hops(*hops)

    monkeypatch.setattr(cube, "set_hops", look_and_set)
    port.set_peer("w0")
    assert (seen, port.status) == (["DOWN"] * len(seen), "UP")
    assert seen


@KINDS
def test_a_restored_port_waits_for_its_netdev(engine: Engine, wires: Wires, kind: str) -> None:
    (b,) = wires(1)
    cube, _ = create(engine, CABLE, type=kind)
    with engine.restoring("c1"):
        port = cube.add_port("p0", {"peer": "late"})
        twin = cube.add_port("twin", {"peer": "w0"})
        cube.remove_port("twin")
        cube.add_port("p1", {"peer": "w0"})
        twin = cube.add_port("twin", {"peer": "w0"})
    assert (port.status, port.peer) == ("DOWN", "late")
    assert twin.why_down == "Iface already in use: w0 is the peer of c1:p1, allowed: one without"
    with refuses("Iface already in use: late is the peer of c1:p0, allowed: one without"):
        with_late = Wire("late")
        assert eventually(lambda: port.status == "UP")
        cube.add_port("thief", {"peer": "late"})
    b.send(frame(b"hello"))
    assert with_late.receive() == frame(b"hello")
    with_late.close()
    cube.remove_port("p1")
    assert twin.status == "UP"


def test_a_netdev_that_is_down_is_waited_for(engine: Engine, wires: Wires) -> None:
    wires(1)
    with IPRoute() as ipr:
        index = ipr.link_lookup(ifname="w0")[0]
        ipr.link("set", index=index, state="down")
        cube, _ = create(engine, DROP)
        with engine.restoring("c1"):
            port = cube.add_port("p", {"peer": "w0"})
        assert port.status == "DOWN"
        ipr.link("set", index=index, state="up")
        assert eventually(lambda: port.status == "UP")


def test_a_netdev_is_set_down_and_up(engine: Engine, wires: Wires) -> None:
    a, b = wires(2)
    cube, _ = create(engine, CABLE)
    port = cube.add_port("p", {"peer": "w0"})
    cube.add_port("q", {"peer": "w1"})
    with IPRoute() as ipr:
        index = ipr.link_lookup(ifname="w0")[0]
        ipr.link("set", index=index, state="down")
        assert eventually(lambda: port.status == "DOWN")
        assert port.why_down == "interface w0 is down"
        assert port.peer == "w0"
        ipr.link("set", index=index, state="up")
        assert eventually(lambda: port.status == "UP")
    assert port.why_down == ""
    b.send(frame(b"hello"))
    a.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # that the netdev has been down
    assert a.receive() == frame(b"hello")


def test_the_other_end_of_a_netdev_goes_down_and_up(engine: Engine, wires: Wires) -> None:
    (wire,) = wires(1)
    cube, _ = create(engine, CABLE)
    port = cube.add_port("p", {"peer": "w0"})
    assert port.carrier
    wire.set_far(state="down")
    assert eventually(lambda: not port.carrier)
    assert port.status == "UP"
    wire.set_far(state="up")
    assert eventually(lambda: port.carrier)


def test_a_port_says_why_it_is_down(engine: Engine) -> None:
    one, _ = create(engine, CABLE, name="one")
    port = one.add_port("p", {})
    assert port.why_down == "it has no peer"
    port.set_peer("two:q")
    assert port.why_down == "two:q does not exist"
    two, _ = create(engine, CABLE, name="two")
    other = two.add_port("q", {})
    assert port.why_down == "two:q has nothing as its peer"
    other.set_peer("one:p")
    assert port.why_down == ""


@KINDS
def test_detaching_leaves_the_netdev_as_it_was(engine: Engine, wires: Wires, kind: str) -> None:
    wires(1)
    cube, _ = create(engine, PASS, egress=(PASS,), type=kind)
    assert programs_on("w0") == set()
    cube.add_port("p", {"peer": "w0"})
    assert programs_on("w0")
    cube.remove_port("p")
    assert programs_on("w0") == set()
    cube.add_port("p", {"peer": "w0"})
    cube.ports["p"].set_peer("")
    assert programs_on("w0") == set()
    cube.ports["p"].set_peer("w0")
    engine.destroy_cube("c1")
    assert programs_on("w0") == set()


def test_other_peoples_filters_stay(engine: Engine, wires: Wires) -> None:
    wires(1)
    cube, _ = create(engine, PASS)
    with IPRoute() as ipr:
        index = ipr.link_lookup(ifname="w0")[0]
        ipr.tc("add", "clsact", index)
        program = bpf.load_program(bpf.PROG_TYPE_SCHED_CLS, "other", OK)
        ipr.tc("add-filter", "bpf", index, parent=0xFFFFFFF2, prio=1, fd=program, name="other")
        before = len(list(ipr.get_filters(index, parent=0xFFFFFFF2)))
        cube.add_port("p", {"peer": "w0"})
        cube.remove_port("p")
        assert len(list(ipr.get_filters(index, parent=0xFFFFFFF2))) == before > 0


def test_netdevs(engine: Engine, wires: Wires) -> None:
    wires(2)
    with IPRoute() as ipr:
        ipr.addr("add", index=ipr.link_lookup(ifname="w0")[0], address="192.0.2.1", prefixlen=24)
        ipr.link("set", index=ipr.link_lookup(ifname="w1")[0], state="down")
    netdevs = {netdev["name"]: netdev for netdev in engine.netdevs()}
    assert netdevs["w0"] == {"name": "w0", "addresses": ["192.0.2.1/24"]}
    assert netdevs.keys() == {"w0", "w0x", "w1x"}


def test_cube_conf(engine: Engine) -> None:
    with refuses("span: true is not possible in a cube that is no shadow, allowed: false"):
        create(engine, DROP, span=True)
    with refuses("shadow: true is not possible in this host, allowed: false"):
        create(engine, DROP, shadow=True)
    with refuses("type: XXX is not possible, allowed: TC, XDP_SKB, XDP_DRV"):
        create(engine, DROP, type="XXX")
    cube, _ = create(engine, DROP)
    with refuses("Cube c1 already exists"):
        create(engine, DROP)
    with refuses("span: true is not possible in a cube that is no shadow, allowed: false"):
        cube.set_span(True)
    with refuses("Cube c2 does not exist"):
        engine.destroy_cube("c2")


def test_names_with_special_characters(engine: Engine, wires: Wires) -> None:
    a, b = wires(2)
    cube, _ = create(engine, CABLE, name='a.b;c"d"')
    cube.add_port("p.0;1", {"peer": "w0"})
    cube.add_port("p1", {"peer": "w1"})
    a.send(frame(b"x"))
    assert b.receive() == frame(b"x")
