"""Packets for a veth whose other end is in another network namespace are put at that end at once."""

import fcntl
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from pcnhost.engine import Cube, Engine, bpf

from .conftest import STATE_DIR, EngineFactory
from .programs import CABLE, CROSS, counting, program
from .support import counter, create, eventually
from .wire import Wire, frame, udp_frame

pytestmark = pytest.mark.root

Wires = Callable[..., list[Wire]]

OK = bytes.fromhex("b7000000000000009500000000000000")  # return TC_ACT_OK
_CLSACT_EGRESS = 0xFFFFFFF3
_TCX_EGRESS = 47
_PACKET_OTHERHOST = 3
_SO_RCVMARK = 75
_TUNSETIFF, _IFF_TAP, _IFF_NO_PI = 0x400454CA, 0x2, 0x1000


def _near(wire: Wire) -> int:
    """The ifindex of the engine's end."""
    with IPRoute() as ipr:
        index: int = ipr.link_lookup(ifname=wire.name)[0]
        return index


def _mac(wire: Wire) -> bytes:
    """The address of the test's end."""

    def read() -> str:
        with IPRoute() as ipr:
            address: str = ipr.get_links(ifname=wire.far)[0].get_attr("IFLA_ADDRESS")
            return address

    return bytes.fromhex(wire.inside(read).replace(":", ""))


def _left_by(name: str) -> int:
    """How many packets have gone the way out of a netdev."""
    with IPRoute() as ipr:
        packets: int = ipr.get_links(ifname=name)[0].get_attr("IFLA_STATS64")["tx_packets"]
        return packets


def _crosses(a: Wire, b: Wire, packet: bytes | None = None) -> bool:
    """Sends a packet by a, which has to arrive at b; whether it has gone the way out of b's near end."""
    packet = packet or _mac(b) + frame(b"hello")[6:]
    before = _left_by(b.name)
    a.send(packet)
    assert b.receive() == packet
    return _left_by(b.name) > before


def _direct(a: Wire, b: Wire) -> bool:
    return not _crosses(a, b)


def _cable(engine: Engine, *egress: str, kind: str = "TC") -> Cube:
    cube, _ = create(engine, CABLE, egress=egress, type=kind)
    cube.add_port("p0", {"peer": "w0"})
    cube.add_port("p1", {"peer": "w1"})
    return cube


def _told(port: int = 1) -> bool:
    """Whether the datapath of the cube has been told to put a port's packets at the far end."""
    peers = bpf.open_pin(STATE_DIR / "cubes" / "c1" / "_POLYCUBE_peers")
    assert peers is not None
    entry = bpf.lookup(peers, bpf.u32(port), 16)
    os.close(peers)
    assert entry
    return entry[-2:] != b"\0\0"


def test_nothing_goes_the_way_out(engine: Engine, wires: Wires) -> None:
    a, b = wires(2, apart=True)
    _cable(engine)
    assert _told()
    assert _direct(a, b)
    assert _direct(b, a)


def test_between_cubes(engine: Engine, wires: Wires) -> None:
    (a,), (b,) = wires(1), wires(1, apart=True)
    for name, outer in (("one", "w0"), ("two", "w1")):
        cube, _ = create(engine, CABLE, name=name)
        cube.add_port("out", {"peer": outer})
        cube.add_port("in", {})
    engine.connect("one:in", "two:in")
    assert _direct(a, b)
    assert _crosses(b, a)


def test_what_is_not_for_the_far_end_crosses_the_link(engine: Engine, wires: Wires) -> None:
    """It is the link that tells the receiver so."""
    a, b = wires(2, apart=True)
    _cable(engine)
    assert _crosses(a, b, b"\xff" * 6 + frame(b"for all")[6:])
    a.send(frame(b"for somebody else"))
    packet, address = b.socket.recvfrom(1 << 16)
    assert (packet, address[2]) == (frame(b"for somebody else"), _PACKET_OTHERHOST)


def test_another_protocol_than_before_crosses_the_link(engine: Engine, wires: Wires) -> None:
    a, b = wires(2, apart=True)
    cube = _cable(engine)
    rewrite = "u16 type = bpf_htons(0x88b6); bpf_skb_store_bytes(ctx, 12, &type, 2, 0);"
    cube.reload(program(f"{rewrite} {CROSS}"), 0, "INGRESS")
    packet = _mac(b) + frame(b"experiment")[6:]
    a.send(packet)
    packet, address = b.socket.recvfrom(1 << 16)
    assert (packet[12:14], address[1]) == (b"\x88\xb6", 0x88B6)


def test_tagged(engine: Engine, wires: Wires) -> None:
    a, b = wires(2, apart=True)
    cube = _cable(engine)
    cube.reload(program(f"pcn_vlan_push_tag(ctx, bpf_htons(ETH_P_8021Q), 42); {CROSS}"), 0, "INGRESS")
    packet = _mac(b) + frame(b"tagged")[6:]
    before = _left_by("w1")
    a.send(packet)
    assert b.receive_tagged() == (packet, 42)
    assert _left_by("w1") == before


def test_sockets_take_it_as_if_from_the_link(engine: Engine, wires: Wires) -> None:
    a, b = wires(2, apart=True)
    cube = _cable(engine)
    cube.reload(program(f"md->traffic_class = 7; {CROSS}"), 0, "INGRESS")

    def listen() -> socket.socket:
        with IPRoute() as ipr:
            ipr.addr("add", index=ipr.link_lookup(ifname=b.far)[0], address="192.0.2.1", prefixlen=24)
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        receiver.bind(("192.0.2.1", 7000))
        receiver.settimeout(2)
        with suppress(OSError):  # before Linux 5.19
            receiver.setsockopt(socket.SOL_SOCKET, _SO_RCVMARK, 1)
        return receiver

    with b.inside(listen) as receiver:
        before = _left_by("w1")
        a.send(udp_frame(_mac(b), "192.0.2.2", "192.0.2.1", 7000, b"hello"))
        payload, ancillary, *_ = receiver.recvmsg(100, 100)
        assert payload == b"hello"
        assert {data for _, kind, data in ancillary if kind == socket.SO_MARK} <= {bytes(4)}
        assert _left_by("w1") == before


def test_from_user_space(engine: Engine, wires: Wires) -> None:
    _, b = wires(2, apart=True)
    port = _cable(engine).ports["p1"]
    packet = _mac(b) + frame(b"hello")[6:]
    port.send_packet_out(packet)
    assert b.receive() == packet
    before = _left_by("w1")
    port.cube.ports["p0"].send_packet_out(packet, recirculate=True)
    assert b.receive() == packet
    assert _left_by("w1") == before


def test_both_ends_in_the_namespace_of_the_host(engine: Engine, wires: Wires) -> None:
    a, b = wires(2)
    _cable(engine)
    assert not _told()
    assert _crosses(a, b)


def test_another_kind_of_netdev(engine: Engine, wires: Wires) -> None:
    (a,) = wires(1, apart=True)
    with Path("/dev/net/tun").open("r+b", buffering=0) as tap:
        fcntl.ioctl(tap, _TUNSETIFF, struct.pack("16sH14x", b"w1", _IFF_TAP | _IFF_NO_PI))
        with IPRoute() as ipr:
            ipr.link("set", index=ipr.link_lookup(ifname="w1")[0], state="up")
        _cable(engine)
        assert not _told()
        a.send(frame(b"hello"))
        packets = iter(lambda: tap.read(1 << 16), b"")
        assert next(packet for packet in packets if packet[12:14] == b"\x88\xb5") == frame(b"hello")


def test_xdp_cubes_know_no_short_way(engine: Engine, wires: Wires) -> None:
    a, b = wires(2, apart=True)
    _cable(engine, kind="XDP_SKB")
    assert not _told()
    assert _crosses(a, b)


def _add_queue(b: Wire) -> None:
    with IPRoute() as ipr:
        ipr.tc("add", "pfifo", _near(b), 0x10000, limit=100)


def _remove_queue(b: Wire) -> None:
    with IPRoute() as ipr:
        ipr.tc("del", index=_near(b), handle=0x10000, root=True)


def _add_filter(b: Wire) -> None:
    with IPRoute() as ipr:
        ok = bpf.load_program(bpf.PROG_TYPE_SCHED_CLS, "ok", OK)
        with suppress(NetlinkError):
            ipr.tc("add", "clsact", _near(b))
        ipr.tc("add-filter", "bpf", _near(b), parent=_CLSACT_EGRESS, prio=7, fd=ok, name="other")
        os.close(ok)


def _remove_filter(b: Wire) -> None:
    with IPRoute() as ipr:
        ipr.tc("del-filter", index=_near(b), parent=_CLSACT_EGRESS, prio=7)


ON_THE_WAY_OUT = pytest.mark.parametrize(
    ("add", "remove"),
    [
        pytest.param(_add_queue, _remove_queue, id="queue"),
        pytest.param(_add_filter, _remove_filter, id="filter"),
    ],
)


@ON_THE_WAY_OUT
def test_what_is_on_the_way_out_is_met(
    engine: Engine, wires: Wires, add: Callable[[Wire], None], remove: Callable[[Wire], None]
) -> None:
    a, b = wires(2, apart=True)
    with IPRoute() as ipr:
        ipr.tc("add", "clsact", _near(b))
    add(b)
    _cable(engine)
    assert not _told()
    assert _crosses(a, b)
    remove(b)
    assert eventually(_told)
    assert _direct(a, b)
    add(b)
    assert eventually(lambda: not _told())
    assert _crosses(a, b)


def test_no_packet_is_lost_when_the_way_changes(engine: Engine, wires: Wires) -> None:
    a, b = wires(2, apart=True)
    cube = _cable(engine)
    packet = _mac(b) + frame(b"hello")[6:]
    stop = threading.Event()
    received = []

    def cross() -> None:
        while not stop.is_set():
            a.send(packet)
            received.append(b.receive())  # at once: the socket keeps some 250 frames
            time.sleep(0.0005)

    crossing = threading.Thread(target=cross)
    crossing.start()
    for _ in range(5):
        _add_filter(b)
        assert eventually(lambda: not _told())
        _remove_filter(b)
        assert eventually(_told)
        cube.ports["p1"].set_peer("w1")
    stop.set()
    crossing.join()
    assert len(received) > 5 and set(received) == {packet}


def test_tcx_on_the_way_out_is_met(engine: Engine, wires: Wires) -> None:
    """The kernel does not report it; setting the peer again is a way to tell."""
    a, b = wires(2, apart=True)
    cube = _cable(engine)
    ok = bpf.load_program(bpf.PROG_TYPE_SCHED_CLS, "ok", OK)
    if bpf._libbpf.bpf_prog_attach(ok, _near(b), _TCX_EGRESS, 0):
        pytest.skip("no TCX before Linux 6.6")
    cube.ports["p1"].set_peer("w1")
    assert _crosses(a, b)


def test_egress_programs_see_the_packets(engine: Engine, wires: Wires) -> None:
    a, b = wires(2, apart=True)
    cube = _cable(engine, counting("return RX_OK;"))
    assert not _told()
    assert _crosses(a, b)
    assert counter(cube, "hits", direction="EGRESS") == 1
    cube.del_program(0, "EGRESS")
    assert _direct(a, b)
    cube.add_program(counting("return RX_OK;"), 0, "EGRESS")
    assert _crosses(a, b)
    assert counter(cube, "hits", direction="EGRESS") == 1


def test_xdp_at_the_far_end_sees_the_packets(engine: Engine, wires: Wires) -> None:
    a, b = wires(2, apart=True)
    b.accept_native_xdp()
    _cable(engine)
    assert not _told()
    assert _crosses(a, b)


def test_the_far_end_gets_another_address(engine: Engine, wires: Wires) -> None:
    a, b = wires(2, apart=True)
    cube = _cable(engine)
    b.set_far(address="02:00:00:00:00:99")
    packet = _mac(b) + frame(b"one way or the other")[6:]
    a.send(packet)
    assert b.receive() == packet
    cube.ports["p1"].set_peer("w1")
    assert _direct(a, b)


def test_the_far_end_moves_in_and_out(engine: Engine, wires: Wires) -> None:
    a, b = wires(2, apart=True)
    _cable(engine)
    b.move(apart=True)
    assert eventually(_told)
    assert _direct(a, b)
    b.move(apart=False)
    assert eventually(lambda: not _told())
    assert _crosses(a, b)
    b.move(apart=True)
    assert eventually(_told)
    assert _direct(a, b)


def test_either_end_goes_down(engine: Engine, wires: Wires) -> None:
    a, b = wires(2, apart=True)
    _cable(engine)
    for set_end in (_set_near, Wire.set_far):
        set_end(b, state="down")
        assert eventually(lambda: not _told())
        a.send(frame(b"to nowhere"))
        set_end(b, state="up")
        assert eventually(_told)
        b.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # that the netdev has been down
        assert _direct(a, b)


def _set_near(b: Wire, **attributes: object) -> None:
    with IPRoute() as ipr:
        ipr.link("set", index=_near(b), **attributes)


def test_made_again_with_both_ends_here(engine: Engine, wires: Wires) -> None:
    a, b = wires(2, apart=True)
    port = _cable(engine).ports["p1"]
    b.remove()
    assert eventually(lambda: port.status == "DOWN")
    b = Wire("w1")
    port.set_peer("w1")
    assert _crosses(a, b)
    b.close()


def test_another_peer(engine: Engine, wires: Wires) -> None:
    a, b = wires(2, apart=True)
    (c,) = wires(1)
    port = _cable(engine).ports["p1"]
    port.set_peer("w2")
    assert not _told()
    assert _crosses(a, c)
    port.set_peer("")
    assert not _told()
    port.set_peer("w1")
    assert _direct(a, b)


def test_while_no_engine_is_there(start_engine: EngineFactory, wires: Wires) -> None:
    """Nobody would notice a far end that comes in."""
    a, b = wires(2, apart=True)
    engine = start_engine()
    _cable(engine)
    engine.close(keep_datapath=True)
    assert not _told()
    assert _crosses(a, b)
    b.move(apart=False)
    assert _crosses(a, b)
    b.move(apart=True)
    _cable(start_engine())
    assert _direct(a, b)
