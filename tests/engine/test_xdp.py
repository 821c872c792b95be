"""XDP cubes, generic and native."""

import struct
from collections.abc import Callable

import pytest
from pyroute2 import IPRoute

from pcnhost.engine import Engine
from pcnhost.errors import HostError

from .programs import CABLE, CROSS, DROP, counting, program
from .support import METADATA, counter, create, eventually
from .wire import Wire, frame

pytestmark = pytest.mark.root

Wires = Callable[[int], list[Wire]]
MODES = pytest.mark.parametrize("mode", ["XDP_SKB", "XDP_DRV"])
_TAG = struct.pack("!HH", 0x8100, 7)


def _native(pairs: list[Wire]) -> list[Wire]:
    for wire in pairs:
        wire.accept_native_xdp()
    return pairs


@MODES
def test_redirect(engine: Engine, wires: Wires, mode: str) -> None:
    a, b = _native(wires(2))
    cube, _ = create(engine, CABLE, type=mode)
    cube.add_port("p0", {"peer": "w0"})
    cube.add_port("p1", {"peer": "w1"})
    with IPRoute() as ipr:
        xdp = ipr.get_links(ipr.link_lookup(ifname="w0")[0])[0].get_attr("IFLA_XDP")
        assert xdp.get_attr("IFLA_XDP_ATTACHED") == {"XDP_SKB": "xdpgeneric", "XDP_DRV": "xdp"}[mode]
    a.send(frame(b"there"))
    assert b.receive() == frame(b"there")
    b.send(frame(b"and back"))
    assert a.receive() == frame(b"and back")


@MODES
def test_drop_controller_and_tail_call(engine: Engine, wires: Wires, mode: str) -> None:
    a, b = _native(wires(2))
    first = """
      u32 m[3] = {1, 2, 3};
      pcn_pkt_controller_with_metadata(ctx, md, 9, m);
      md->md[1] = 55;
      call_ingress_program_with_metadata(ctx, md, 1);
      return RX_DROP;"""
    second = (
        f"if (md->md[1] != 55 || md->md[2] != 3 || md->reason != 9) return pcn_pkt_drop(ctx, md); {CROSS}"
    )
    cube, events = create(engine, program(first), counting(second), type=mode)
    cube.add_port("p0", {"peer": "w0"})
    cube.add_port("p1", {"peer": "w1"})
    a.send(frame(b"x" * 200))
    assert b.receive() == frame(b"x" * 200)
    assert eventually(lambda: events.packets)
    metadata, packet = events.packets[0]
    assert METADATA.unpack(metadata) == (cube.id, 0, len(packet), 0, 9, 1, 2, 3)
    assert packet == frame(b"x" * 200)
    cube.reload(DROP, 1, "INGRESS")
    a.send(frame(b"y"))
    assert b.silent()


def test_traffic_class_goes_to_the_next_cube_and_no_further_metadata(engine: Engine, wires: Wires) -> None:
    a, b = wires(2)
    setting = f"md->traffic_class = 7; md->md[0] = 1; md->reason = 2; {CROSS}"
    checking = f"if (md->traffic_class != 7 || md->md[0] || md->reason) return RX_DROP; {CROSS}"
    for name, code, netdev in (("one", setting, "w0"), ("two", checking, "w1")):
        cube, _ = create(engine, program(code), name=name, type="XDP_SKB")
        cube.add_port("netdev", {"peer": netdev})
        cube.add_port("cube", {})
    engine.connect("one:cube", "two:cube")
    a.send(frame(b"x"))
    assert b.receive() == frame(b"x")


def test_vlan_helpers(engine: Engine, wires: Wires) -> None:
    a, b = wires(2)
    body = f"""
      if (!pcn_is_vlan_present(ctx)) {{
        if (pcn_get_vlan_id(ctx) != -1 || pcn_vlan_pop_tag(ctx) != -1) return RX_DROP;
        if (pcn_vlan_push_tag(ctx, ETH_P_8021Q, 42)) return RX_DROP;
      }} else {{
        if (pcn_get_vlan_id(ctx) != 7 || pcn_get_vlan_proto(ctx) != 0x88b5) return RX_DROP;
        if (pcn_vlan_pop_tag(ctx)) return RX_DROP;
      }}
      {CROSS}"""
    cube, _ = create(engine, program(body), type="XDP_SKB")
    cube.add_port("p0", {"peer": "w0"})
    cube.add_port("p1", {"peer": "w1"})
    plain = frame(b"vlan")
    a.send(plain)
    assert b.receive_tagged() == (plain, 42)
    a.send(plain[:12] + _TAG + plain[12:])
    assert b.receive() == plain


def test_somebody_elses_program_stays(engine: Engine, wires: Wires) -> None:
    (a,) = wires(1)
    a.accept_native_xdp()
    cube, _ = create(engine, counting(CROSS), type="XDP_DRV")
    with pytest.raises(HostError, match=r"^Error setting peer: .*Device or resource busy"):
        cube.add_port("p0", {"peer": "w0x"})
    assert counter(cube, "hits") == 0
    assert not cube.ports


def test_what_does_not_compile_or_load(engine: Engine) -> None:
    with pytest.raises(HostError, match=r"^failed to init XDP program: "):
        create(engine, program("return nonsense;"), type="XDP_SKB")
    unchecked = program("return *(u8 *)(long)ctx->data;")
    with pytest.raises(HostError, match=r"^Failed to load XDP program: "):
        create(engine, unchecked, type="XDP_DRV")
