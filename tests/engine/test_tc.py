"""What a TC program can do to a packet."""

import socket
import struct
from collections.abc import Callable

import pytest
from pyroute2 import IPRoute

from pcnhost.engine import Engine
from pcnhost.errors import HostError

from .programs import CABLE, CROSS, DROP, PASS, counting, program
from .support import METADATA, counter, create, eventually, refuses
from .wire import Wire, frame, udp_frame

pytestmark = pytest.mark.root

Wires = Callable[[int], list[Wire]]
_TAG = struct.pack("!HH", 0x8100, 0x6007)  # priority 3, VLAN 7


def test_redirect_goes_both_ways(engine: Engine, wires: Wires) -> None:
    a, b = wires(2)
    cube, _ = create(engine, CABLE)
    assert cube.add_port("p0", {"peer": "w0"}).status == "UP"
    assert cube.add_port("p1", {"peer": "w1"}).status == "UP"
    a.send(frame(b"there"))
    assert b.receive() == frame(b"there")
    b.send(frame(b"and back"))
    assert a.receive() == frame(b"and back")


@pytest.mark.parametrize("verdict", ["RX_DROP", "RX_ERROR", "RX_RECIRCULATE", "77", "pcn_pkt_drop(ctx, md)"])
def test_anything_else_drops(engine: Engine, wires: Wires, verdict: str) -> None:
    a, b = wires(2)
    cube, _ = create(engine, counting(f"if (n && *n > 1) {CROSS} return {verdict};"))
    cube.add_port("p0", {"peer": "w0"})
    cube.add_port("p1", {"peer": "w1"})
    a.send(frame(b"dropped"))
    a.send(frame(b"not dropped"))
    assert b.receive() == frame(b"not dropped")


def test_ok_reaches_the_host(engine: Engine, wires: Wires) -> None:
    (a,) = wires(1)
    with IPRoute() as ipr:
        index = ipr.link_lookup(ifname="w0")[0]
        ipr.addr("add", index=index, address="192.0.2.1", prefixlen=24)
        mac = bytes.fromhex(ipr.get_links(index)[0].get_attr("IFLA_ADDRESS").replace(":", ""))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("192.0.2.1", 7000))
        receiver.settimeout(2)
        cube, _ = create(engine, PASS)
        cube.add_port("p0", {"peer": "w0"})
        a.send(udp_frame(mac, "192.0.2.2", "192.0.2.1", 7000, b"for the host"))
        assert receiver.recv(100) == b"for the host"
        cube.reload(DROP, 0, "INGRESS")
        a.send(udp_frame(mac, "192.0.2.2", "192.0.2.1", 7000, b"not for the host"))
        receiver.settimeout(0.2)
        with pytest.raises(TimeoutError):
            receiver.recv(100)


def test_metadata(engine: Engine, wires: Wires) -> None:
    (a,) = wires(1)
    fill = "u32 m[3] = {0xa, 0xb, md->in_port}; pcn_pkt_controller_with_metadata(ctx, md, 9, m);"
    cube, events = create(engine, program(f"{fill} return RX_DROP;"))
    for name in ("p0", "p1", "p2"):
        cube.add_port(name, {})
    cube.ports["p2"].set_peer("w0")
    a.send(frame(b"x" * 100))
    assert eventually(lambda: events.packets)
    ((metadata, packet),) = events.packets
    assert packet == frame(b"x" * 100)
    assert METADATA.unpack(metadata) == (cube.id, 2, len(packet), 0, 9, 0xA, 0xB, 2)


def test_controller_success_lets_the_packet_pass(engine: Engine, wires: Wires) -> None:
    a, b = wires(2)
    cube, events = create(engine, program(f"if (pcn_pkt_controller(ctx, md, 1)) return RX_DROP; {CROSS}"))
    cube.add_port("p0", {"peer": "w0"})
    cube.add_port("p1", {"peer": "w1"})
    a.send(frame(b"copied"))
    assert b.receive() == frame(b"copied")
    assert eventually(lambda: events.packets)


def test_controller_sees_the_vlan_tag_and_leaves_it(engine: Engine, wires: Wires) -> None:
    a, b = wires(2)
    cube, events = create(engine, program(f"pcn_pkt_controller(ctx, md, 1); {CROSS}"))
    cube.add_port("p0", {"peer": "w0"})
    cube.add_port("p1", {"peer": "w1"})
    plain = frame(b"tagged", 0x88B5)
    tagged = plain[:12] + _TAG + plain[12:]
    a.send(tagged)
    assert b.receive_tagged() == (tagged[:12] + tagged[16:], 0x6007)
    assert eventually(lambda: events.packets)
    assert events.packets[0][1] == tagged


def test_vlan_helpers(engine: Engine, wires: Wires) -> None:
    a, b = wires(2)
    body = f"""
      if (!pcn_is_vlan_present(ctx)) {{
        if (pcn_vlan_push_tag(ctx, bpf_htons(ETH_P_8021Q), 42)) return RX_DROP;
      }} else if (pcn_get_vlan_id(ctx) == 7 && pcn_get_vlan_proto(ctx) == bpf_htons(ETH_P_8021Q)) {{
        if (pcn_vlan_pop_tag(ctx)) return RX_DROP;
      }}
      {CROSS}"""
    cube, _ = create(engine, program(body))
    cube.add_port("p0", {"peer": "w0"})
    cube.add_port("p1", {"peer": "w1"})
    plain = frame(b"vlan")
    a.send(plain)
    assert b.receive_tagged() == (plain, 42)
    a.send(plain[:12] + _TAG + plain[12:])
    assert b.receive_tagged() == (plain, None)


def test_tail_calls(engine: Engine, wires: Wires) -> None:
    a, b = wires(2)
    first = "md->traffic_class = 5; call_ingress_program_with_metadata(ctx, md, 2); return RX_DROP;"
    last = f"if (md->traffic_class != 5) return RX_DROP; md->traffic_class = 0; {CROSS}"
    cube, _ = create(engine, program(first), DROP, counting(last))
    cube.add_port("p0", {"peer": "w0"})
    cube.add_port("p1", {"peer": "w1"})
    a.send(frame(b"tail"))
    assert b.receive() == frame(b"tail")
    assert counter(cube, "hits", program=2) == 1
    cube.del_program(2, "INGRESS")
    a.send(frame(b"falls through, and is dropped"))
    assert b.silent()


def test_programs_come_and_go(engine: Engine) -> None:
    cube, _ = create(engine, DROP)
    assert cube.add_program(DROP, -1, "INGRESS") == 1
    assert cube.add_program(counting("return RX_DROP;"), 5, "INGRESS") == 5
    assert cube.table_fd("hits", 5, "INGRESS") >= 0
    mistakes: dict[str, Callable[[], object]] = {
        "Program is not empty": lambda: cube.add_program(DROP, 5, "INGRESS"),
        "ebpf does not exist": lambda: cube.reload(DROP, 3, "INGRESS"),
        "ebpf program does not exist": lambda: cube.del_program(0, "EGRESS"),
        "Invalid ebpf program index": lambda: cube.reload(DROP, 64, "INGRESS"),
    }
    for text, action in mistakes.items():
        with refuses(text):
            action()
    cube.del_program(5, "INGRESS")
    assert cube.table_fd("hits", 5, "INGRESS") == -1


def test_shared_maps(engine: Engine, wires: Wires) -> None:
    (a,) = wires(1)
    owner = counting(
        "call_ingress_program(ctx, 1); return RX_DROP;",
        "common",
        'BPF_TABLE_SHARED("array", u32, u64, common, 2); // not BPF_TABLE_SHARED("hash", u32, u64, hits, 2);',
    )
    user = counting("return RX_DROP;", "common", 'BPF_TABLE("extern", u32, u64, common, 2);')
    cube, _ = create(engine, owner, user)
    cube.add_port("p0", {"peer": "w0"})
    a.send(frame(b"counted twice"))
    assert eventually(lambda: counter(cube, "common") == 2)
    assert counter(cube, "common", program=1) == 2
    with pytest.raises(HostError, match="table common already exists"):
        cube.add_program(owner, -1, "INGRESS")
    with pytest.raises(HostError, match="reference to undefined table other"):
        create(engine, user.replace("common", "other"), name="c2")
    assert list(engine.cubes) == ["c1"]


def test_public_maps(engine: Engine) -> None:
    owner, _ = create(
        engine, counting("return RX_DROP;", "all", 'BPF_TABLE_PUBLIC("array", u32, u64, all, 2);')
    )
    user, _ = create(
        engine, counting("return RX_DROP;", "all", 'BPF_TABLE("extern", u32, u64, all, 2);'), name="c2"
    )
    assert owner.table_fd("all", 0, "INGRESS") == user.table_fd("all", 0, "INGRESS") >= 0


def test_what_does_not_compile_or_load(engine: Engine) -> None:
    with pytest.raises(HostError, match=r"(?s)^failed to init ebpf program: .*service:\d+:\d+: error: "):
        create(engine, program("return nonsense;"))
    unchecked = "u32 k = 0; u64 *v = hits.lookup(&k); return *v;"
    with pytest.raises(
        HostError, match=r"(?s)^failed to load bpf program: Permission denied.*invalid mem access"
    ):
        create(engine, program(unchecked, "BPF_HASH(hits, u32, u64, 1);"))
    assert engine.cubes == {}
    create(engine, DROP)
