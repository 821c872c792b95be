"""Netdevs are known by their index, and what others have put on them stays. With BPF links, and as before them."""

import logging
import os
from collections.abc import Callable

import pytest
from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from pcnhost.engine import Engine, bpf, bpf_link, state

from .conftest import STATE_DIR, EngineFactory
from .programs import CABLE, PASS
from .support import create, eventually, open_files, programs_on, refuses
from .wire import Wire, frame

pytestmark = pytest.mark.root

Wires = Callable[..., list[Wire]]
OK = bytes.fromhex("b7000000000000009500000000000000")  # return TC_ACT_OK
XDP_PASS = bytes.fromhex("b7000000020000009500000000000000")
KINDS = pytest.mark.parametrize("kind", ["TC", "XDP_SKB"])


@pytest.fixture(params=["links", "no links"])
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whether the kernel has BPF links for netdevs; without: what create() answers on one before 5.9."""
    if request.param == "no links":
        monkeypatch.setattr(bpf_link, "create", lambda *_: None)
    return str(request.param)


def _cable(engine: Engine, kind: str) -> None:
    cube, _ = create(engine, CABLE, type=kind)
    cube.add_port("p0", {"peer": "w0"})
    cube.add_port("p1", {"peer": "w1"})


def _passes(a: Wire, b: Wire) -> bool:
    a.send(frame(b"hello"))
    return b.receive() == frame(b"hello")


def _index(name: str) -> int:
    with IPRoute() as ipr:
        index: int = ipr.link_lookup(ifname=name)[0]
        return index


def _rename(name: str, new: str) -> None:
    with IPRoute() as ipr:
        ipr.link("set", index=_index(name), ifname=new)


def _set_xdp(name: str, program: int, flags: int = 2) -> None:
    with IPRoute() as ipr:
        attach = [("IFLA_XDP_FD", program), ("IFLA_XDP_FLAGS", flags)]
        ipr.link("set", index=_index(name), xdp={"attrs": attach})


def _xdp_id(name: str) -> int | None:
    with IPRoute() as ipr:
        number: int | None = ipr.link("get", index=_index(name))[0].get_nested("IFLA_XDP", "IFLA_XDP_PROG_ID")
        return number


@KINDS
def test_a_new_name_is_followed(
    kernel: str, start_engine: EngineFactory, wires: Wires, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    a, b = wires(2)
    engine = start_engine()
    changes: list[str] = []
    engine.on_peer_change(changes.append)
    _cable(engine, kind)
    port = engine.cubes["c1"].ports["p0"]
    with caplog.at_level(logging.INFO):
        _rename("w0", "new0")
        assert eventually(lambda: port.peer == "new0" and changes == ["c1"])
    assert (port.status, port.to_json()["peer"]) == ("UP", "new0")
    assert "netdev w0 is called new0 now" in caplog.text
    with refuses("Iface already in use: new0 is the peer of c1:p0, allowed: one without"):
        engine.cubes["c1"].add_port("thief", {"peer": "new0"})
    with refuses("Interface  w0 does not exist or is down"):
        port.set_peer("w0")
    assert _passes(a, b)
    engine.close(keep_datapath=True)
    _rename("new0", "newer0")
    engine = start_engine()
    cube, _ = create(engine, CABLE, type=kind)
    cube.add_port("p0", {"peer": "newer0"})
    cube.add_port("p1", {"peer": "w1"})
    engine.sweep()
    assert _passes(a, b)
    assert _passes(b, a)
    engine.destroy_cube("c1")
    assert programs_on("newer0") | programs_on("w1") == set()


def test_two_netdevs_that_swap_their_names(engine: Engine, wires: Wires) -> None:
    a, b = wires(2)
    _cable(engine, "TC")
    for name, new in (("w0", "tmp"), ("w1", "w0"), ("tmp", "w1")):
        _rename(name, new)
    ports = engine.cubes["c1"].ports
    assert eventually(lambda: (ports["p0"].peer, ports["p1"].peer) == ("w1", "w0"))
    assert _passes(a, b)
    ports["p0"].set_peer("")
    assert (ports["p1"].peer, ports["p1"].status) == ("w0", "UP")
    assert programs_on("w0") == {"ingress"}
    assert programs_on("w1") == set()


@KINDS
def test_a_peer_that_cannot_be_attached_leaves_the_old_one(engine: Engine, wires: Wires, kind: str) -> None:
    if kind == "TC":
        pytest.skip("any number of TC programs fits")
    a, b = wires(2)
    wires(1)
    _cable(engine, kind)
    program = bpf.load_program(bpf.PROG_TYPE_XDP, "theirs", XDP_PASS)
    _set_xdp("w2", program)
    os.close(program)
    port = engine.cubes["c1"].ports["p0"]
    with pytest.raises(Exception, match="Error setting peer: Device or resource busy"):
        port.set_peer("w2")
    assert (port.peer, port.status) == ("w0", "UP")
    assert _passes(a, b)


def test_xdp_of_somebody_else_stays(kernel: str, engine: Engine, wires: Wires) -> None:
    """With links it cannot even take our place; without, the port says that it has."""
    wires(2)
    _cable(engine, "XDP_SKB")
    theirs = bpf.load_program(bpf.PROG_TYPE_XDP, "theirs", XDP_PASS)
    ours = _xdp_id("w0")
    port = engine.cubes["c1"].ports["p0"]
    if kernel == "links":
        with pytest.raises(NetlinkError, match="Device or resource busy"):
            _set_xdp("w0", theirs)
        assert (port.status, _xdp_id("w0")) == ("UP", ours)
    else:
        _set_xdp("w0", theirs)
        assert eventually(lambda: port.status == "DOWN")
        assert port.why_down in (
            "the program on w0 has been taken off",
            "Error setting peer: Device or resource busy",
        )
        engine.close()
        assert _xdp_id("w0") == bpf.program_id(theirs)
    os.close(theirs)


def test_tcx_of_somebody_else_stays(engine: Engine, wires: Wires) -> None:
    wires(2)
    theirs = bpf.load_program(bpf.PROG_TYPE_SCHED_CLS, "theirs", OK)
    link = bpf_link.create(theirs, _index("w0"), bpf_link.ATTACH_TCX_INGRESS)
    if link is None:
        pytest.skip("no TCX before Linux 6.6")
    os.close(theirs)
    _cable(engine, "TC")
    engine.close()
    assert bpf_link.ifindex(link) == _index("w0")
    os.close(link)


@KINDS
def test_a_netdev_that_moves_away_takes_nothing_along(engine: Engine, wires: Wires, kind: str) -> None:
    """Its new namespace must not feed its packets to the cube."""
    a, b = wires(2)
    _cable(engine, kind)
    port = engine.cubes["c1"].ports["p0"]
    (elsewhere,) = wires(1, apart=True)
    with IPRoute() as ipr:
        ipr.link("set", index=_index("w0"), net_ns_fd=elsewhere._namespace.fd)
    assert eventually(lambda: port.status == "DOWN")
    assert port.why_down == "Interface  w0 does not exist or is down"
    assert elsewhere.inside(lambda: programs_on("w0")) == set()
    assert not list((STATE_DIR / "netdevs").glob("*/" + ("tc_ingress" if kind == "TC" else "xdp_skb")))[1:]
    assert b.silent(0)
    a.close()


def test_a_link_that_was_detached_is_made_again(engine: Engine, wires: Wires) -> None:
    """By somebody who insists, with `bpftool link detach`. The kernel tells nobody; it is seen at the next look."""
    a, b = wires(2)
    _cable(engine, "TC")
    pin = bpf.open_pin(STATE_DIR / "netdevs" / str(_index("w0")) / "tc_ingress")
    assert pin is not None
    bpf_link.detach(pin)
    os.close(pin)
    with IPRoute() as ipr:
        ipr.link("set", index=_index("w0"), mtu=1400)
    assert eventually(lambda: programs_on("w0") == {"ingress"})
    assert eventually(lambda: engine.cubes["c1"].ports["p0"].status == "UP")
    assert _passes(a, b)


@KINDS
def test_taking_over_without_links(kernel: str, start_engine: EngineFactory, wires: Wires, kind: str) -> None:
    a, b = wires(2)
    engine = start_engine()
    _cable(engine, kind)
    engine.close(keep_datapath=True)
    assert _passes(a, b)
    engine = start_engine()
    _cable(engine, kind)
    engine.sweep()
    assert _passes(a, b)
    engine.cubes["c1"].add_program(PASS, 0, "EGRESS")
    assert _passes(a, b)
    engine.close()
    assert programs_on("w0") | programs_on("w1") == set()


@KINDS
def test_taking_over_from_3_0_0(
    start_engine: EngineFactory, wires: Wires, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had filters, and knew netdevs by name."""
    a, b = wires(2)
    with monkeypatch.context() as patch:
        patch.setattr(bpf_link, "create", lambda *_: None)
        engine = start_engine()
        _cable(engine, kind)
        engine.close(keep_datapath=True)
    for name in ("w0", "w1"):
        index = _index(name)
        state.remove(STATE_DIR / "netdevs" / str(index))
        note = f"{index} 0 1" if kind == "TC" else f"{index} 2 0"
        state.write_note(STATE_DIR / "netdevs" / name, note)
    engine = start_engine()
    _cable(engine, kind)
    engine.sweep()
    assert _passes(a, b)
    engine.close()
    assert programs_on("w0") | programs_on("w1") == set()


def test_no_descriptor_is_left_open(kernel: str, engine: Engine, wires: Wires) -> None:
    wires(2)
    _cable(engine, "TC")
    before = open_files()
    port = engine.cubes["c1"].ports["p0"]
    for _ in range(5):
        port.set_peer("")
        port.set_peer("w0")
    assert open_files() <= before
