"""Egress programs see what leaves by a port."""

import socket
from collections.abc import Callable

import pytest

from pcnhost.engine import Engine

from .programs import CABLE, PASS, counting, program
from .support import counter, create, eventually
from .wire import Wire, frame

pytestmark = pytest.mark.root

Wires = Callable[[int], list[Wire]]
KINDS = pytest.mark.parametrize("kind", ["TC", "XDP_SKB"])

# Lets packets out by port 1 only.
ONE_WAY = counting("return md->in_port == 1 ? RX_OK : RX_DROP;")


@KINDS
def test_towards_netdevs(engine: Engine, wires: Wires, kind: str) -> None:
    a, b = wires(2)
    cube, _ = create(engine, CABLE, egress=(ONE_WAY,), type=kind)
    p0 = cube.add_port("p0", {"peer": "w0"})
    cube.add_port("p1", {"peer": "w1"})
    a.send(frame(b"passes"))
    assert b.receive() == frame(b"passes")
    b.send(frame(b"is dropped"))
    p0.send_packet_out(frame(b"is dropped, too"))
    assert a.silent()
    assert counter(cube, "hits", direction="EGRESS") == 3


@KINDS
def test_towards_cubes(engine: Engine, wires: Wires, kind: str) -> None:
    a, b = wires(2)
    one, _ = create(engine, CABLE, egress=(ONE_WAY,), name="one", type=kind)
    two, _ = create(engine, CABLE, name="two", type=kind)
    one.add_port("netdev", {"peer": "w0"})
    one.add_port("cube", {})
    two.add_port("netdev", {"peer": "w1"})
    two.add_port("cube", {})
    engine.connect("one:cube", "two:cube")
    a.send(frame(b"passes"))
    assert b.receive() == frame(b"passes")
    b.send(frame(b"is dropped"))
    assert a.silent()
    assert counter(one, "hits", direction="EGRESS") == 2


@KINDS
def test_coming_and_going(engine: Engine, wires: Wires, kind: str) -> None:
    a, b = wires(2)
    cube, _ = create(engine, CABLE, type=kind)
    cube.add_port("p0", {"peer": "w0"})
    cube.add_port("p1", {"peer": "w1"})
    b.send(frame(b"1"))
    assert a.receive() == frame(b"1")
    cube.add_program(ONE_WAY, 0, "EGRESS")
    b.send(frame(b"2"))
    assert a.silent()
    cube.del_program(0, "EGRESS")
    b.send(frame(b"3"))
    assert a.receive() == frame(b"3")


@KINDS
def test_netdev_that_goes_meanwhile(engine: Engine, wires: Wires, kind: str) -> None:
    """It is the kernel's report that takes the port down; until then nobody minds."""
    a, b, c = wires(3)
    cube, _ = create(engine, CABLE, type=kind)
    cube.add_port("p0", {"peer": "w0"})
    gone = cube.add_port("p1", {"peer": "w1"})
    with engine._lock:  # the report has to wait
        b.remove()
        cube.add_program(ONE_WAY, 0, "EGRESS")
    assert eventually(lambda: gone.status == "DOWN")
    gone.set_peer("w2")
    c.send(frame(b"is dropped"))
    assert a.silent()
    a.send(frame(b"passes"))
    assert c.receive() == frame(b"passes")


@KINDS
def test_chain_of_egress_programs(engine: Engine, wires: Wires, kind: str) -> None:
    a, b = wires(2)
    first = program("call_egress_program(ctx, 1); return RX_DROP;")
    cube, _ = create(engine, CABLE, egress=(first, ONE_WAY), type=kind)
    cube.add_port("p0", {"peer": "w0"})
    cube.add_port("p1", {"peer": "w1"})
    a.send(frame(b"passes"))
    assert b.receive() == frame(b"passes")
    b.send(frame(b"is dropped"))
    assert a.silent()
    assert counter(cube, "hits", program=1, direction="EGRESS") == 2


@KINDS
def test_what_the_host_sends(engine: Engine, wires: Wires, kind: str) -> None:
    """Egress programs sit on the netdev, so they see the host's own packets."""
    (a,) = wires(1)
    cube, _ = create(engine, PASS, egress=(counting("return RX_DROP;"),), type=kind)
    cube.add_port("p0", {"peer": "w0"})
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as host:
        host.bind(("w0", 0))
        with pytest.raises(OSError, match="No buffer space"):  # how the kernel tells of the drop
            host.send(frame(b"from the host"))
    assert a.silent()
    assert eventually(lambda: counter(cube, "hits", direction="EGRESS") == 1)
