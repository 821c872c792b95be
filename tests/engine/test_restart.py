"""One process goes, the next takes over; packets never stop."""

import subprocess
import sys
import threading
from collections.abc import Callable

import pytest
from pyroute2 import IPRoute

from pcnhost.engine import Cube, Engine, bpf, state

from .conftest import STATE_DIR, EngineFactory
from .programs import CABLE, CROSS, counting
from .support import counter, create, open_files, programs_on, refuses
from .wire import Wire, frame

pytestmark = pytest.mark.root

Wires = Callable[[int], list[Wire]]
KINDS = pytest.mark.parametrize("kind", ["TC", "XDP_SKB"])


def _two_cubes(engine: Engine, kind: str) -> tuple[Cube, Cube]:
    one, _ = create(engine, counting(CROSS), name="one", type=kind)
    two, _ = create(engine, counting(CROSS), name="two", type=kind)
    for cube in (one, two):
        cube.add_port("netdev", {})
        cube.add_port("cube", {})
    return one, two


def _connect(engine: Engine) -> None:
    ports = {port.path: port for cube in engine.cubes.values() for port in cube.ports.values()}
    ports["one:netdev"].set_peer("w0")
    ports["one:cube"].set_peer("two:cube")
    ports["two:cube"].set_peer("one:cube")
    ports["two:netdev"].set_peer("w1")


@KINDS
def test_traffic_never_stops(start_engine: EngineFactory, wires: Wires, kind: str) -> None:
    a, b = wires(2)
    engine = start_engine()
    _two_cubes(engine, kind)
    _connect(engine)
    stop = threading.Event()
    lost = []

    def talk() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            a.send(frame(b"%d" % number))
            if b.receive(1) != frame(b"%d" % number):
                lost.append(number)

    talker = threading.Thread(target=talk)
    talker.start()
    total = 0
    for _ in range(2):
        total = counter(engine.cubes["one"], "hits")
        engine.close(keep_datapath=True)
        engine = start_engine()
        one, _ = _two_cubes(engine, kind)
        assert counter(one, "hits") >= total
        _connect(engine)
        engine.sweep()
        one.reload(counting(CROSS), 0, "INGRESS")
    stop.set()
    talker.join()
    assert lost == []
    assert counter(one, "hits") > total > 0


_HOST = """
import logging, sys, time
from pathlib import Path
from pcnhost.engine import Engine
from tests.engine.programs import CROSS, counting
from tests.engine.support import create
engine = Engine(log=logging.getLogger(), state_dir=Path(sys.argv[1]))
cube, _ = create(engine, counting(CROSS), type=sys.argv[2])
cube.add_port("p0", {"peer": "w0"})
cube.add_port("p1", {"peer": "w1"})
print("ready", flush=True)
time.sleep(60)
"""


@KINDS
def test_a_kill_is_like_a_restart(start_engine: EngineFactory, wires: Wires, kind: str) -> None:
    a, b = wires(2)
    command = [sys.executable, "-c", _HOST, str(STATE_DIR), kind]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as host:
        assert host.stdout
        assert host.stdout.readline() == "ready\n"
        host.kill()
    a.send(frame(b"nobody is there"))
    assert b.receive() == frame(b"nobody is there")
    engine = start_engine()
    cube, _ = create(engine, counting(CROSS), type=kind)
    for name, netdev in (("p1", "w1"), ("p0", "w0")):
        cube.add_port(name, {"peer": netdev})
    engine.sweep()
    b.send(frame(b"somebody is there"))
    assert a.receive() == frame(b"somebody is there")
    assert counter(cube, "hits") == 2


@KINDS
def test_a_creation_that_fails_leaves_what_was_there(
    start_engine: EngineFactory, wires: Wires, kind: str
) -> None:
    """However far it has come, and whatever it has made of ports and peers."""
    a, b, _ = wires(3)
    engine = start_engine()
    _two_cubes(engine, kind)
    _connect(engine)
    engine.close(keep_datapath=True)

    def check(text: bytes) -> None:
        for sender, receiver in ((a, b), (b, a)):
            sender.send(frame(text))
            assert receiver.receive() == frame(text)

    engine = start_engine()
    with engine.provisional("one", "two"):
        one, _ = create(engine, counting(CROSS), name="one", type=kind)
        with refuses("Interface  w9 does not exist or is down"):
            one.add_port("netdev", {"peer": "w9"})
        check(b"a port is refused")
        one.add_port("fresh", {"peer": "w0"})
        one.add_port("netdev", {"peer": "w2"})
        one.add_port("cube", {})
        engine.destroy_cube("one")
        check(b"a cube is refused")
        assert not programs_on("w2")
        two, _ = create(engine, counting(CROSS), name="two", type=kind)
        two.add_port("cube", {"peer": "one:cube"})
        two.add_port("netdev", {"peer": "w1"})
    create(engine, counting(CROSS), name="third", type=kind)
    engine.sweep({"one"})
    check(b"the other cube is there")
    with engine.provisional("one"):
        one, _ = create(engine, counting(CROSS), name="one", type=kind)
        one.add_port("cube", {"peer": "two:cube"})
        engine.sweep({"one"})
        engine.destroy_cube("one")
    engine.sweep({"one"})
    check(b"it has been there for a while")
    one, _ = create(engine, counting(CROSS), name="one", type=kind)
    one.add_port("cube", {"peer": "two:cube"})
    one.add_port("netdev", {"peer": "w0"})
    engine.sweep()
    check(b"it is there")
    assert counter(one, "hits") == counter(two, "hits") == 10
    engine.destroy_cube("one")
    assert not programs_on("w0")


def test_ports_keep_their_numbers(start_engine: EngineFactory) -> None:
    engine = start_engine()
    cube, _ = create(engine, CABLE)
    for name in "abcd":
        cube.add_port(name, {})
    cube.remove_port("b")
    engine.close(keep_datapath=True)
    cube, _ = create(start_engine(), CABLE)
    assert [cube.add_port(name, {}).index for name in "dexc"] == [3, 1, 4, 2]


def test_a_different_definition_replaces_the_map(start_engine: EngineFactory, wires: Wires) -> None:
    a, b = wires(2)
    engine = start_engine()
    keep = "BPF_ARRAY(kept, u64, 4);"
    cube, _ = create(engine, counting(CROSS, "kept", f"{keep} BPF_HASH(changed, u32, u64, 8);"))
    cube.add_port("p0", {"peer": "w0"})
    cube.add_port("p1", {"peer": "w1"})
    a.send(frame(b"1"))
    assert b.receive()
    bpf.update(cube.table_fd("changed", 0, "INGRESS"), bpf.u32(1), bytes(8))
    engine.close(keep_datapath=True)
    cube, _ = create(start_engine(), counting(CROSS, "kept", f"{keep} BPF_HASH(changed, u32, u64, 16);"))
    assert counter(cube, "kept") == 1
    assert bpf.map_spec(cube.table_fd("changed", 0, "INGRESS")).max_entries == 16
    assert bpf.lookup(cube.table_fd("changed", 0, "INGRESS"), bpf.u32(1), 8) is None


def test_another_type_of_cube_starts_afresh(start_engine: EngineFactory, wires: Wires) -> None:
    a, b = wires(2)
    engine = start_engine()
    cube, _ = create(engine, counting(CROSS))
    cube.add_port("p0", {"peer": "w0"})
    cube.add_port("p1", {"peer": "w1"})
    a.send(frame(b"1"))
    assert b.receive()
    engine.close(keep_datapath=True)
    cube, _ = create(start_engine(), counting(CROSS), type="XDP_SKB")
    assert counter(cube, "hits") == 0
    cube.add_port("p0", {"peer": "w0"})
    cube.add_port("p1", {"peer": "w1"})
    a.send(frame(b"2"))
    assert b.receive() == frame(b"2")
    assert counter(cube, "hits") == 1


def test_sweep_removes_what_nobody_took_over(start_engine: EngineFactory, wires: Wires) -> None:
    a, b = wires(2)
    engine = start_engine()
    _two_cubes(engine, "TC")
    _connect(engine)
    engine.close(keep_datapath=True)
    engine = start_engine()
    one, _ = create(engine, counting(CROSS), name="one")
    one.add_port("netdev", {"peer": "w0"})
    a.send(frame(b"x"))
    assert b.receive() == frame(b"x")
    engine.sweep()
    a.send(frame(b"y"))
    assert b.silent()
    assert programs_on("w0") == {"ingress"}
    assert programs_on("w1") == set()
    two, _ = create(engine, counting(CROSS), name="two")
    assert counter(two, "hits") == 0
    assert one.add_port("other", {}).index == 1


def test_a_kept_cube_goes_on_forwarding(start_engine: EngineFactory, wires: Wires) -> None:
    """Its service is not there yet: who comes back meanwhile stays linked with it, and it can come back itself."""
    a, b = wires(2)
    engine = start_engine()
    _two_cubes(engine, "TC")
    _connect(engine)
    engine.close(keep_datapath=True)
    engine = start_engine()
    one, _ = create(engine, counting(CROSS), name="one")
    with engine.restoring("one"):
        one.add_port("netdev", {"peer": "w0"})
        one.add_port("cube", {"peer": "two:cube"})
    engine.sweep(kept={"two"})
    a.send(frame(b"there"))
    assert b.receive() == frame(b"there")
    b.send(frame(b"back"))
    assert a.receive() == frame(b"back")
    two, _ = create(engine, counting(CROSS), name="two")
    two.add_port("netdev", {"peer": "w1"})
    two.add_port("cube", {"peer": "one:cube"})
    engine.sweep()
    assert counter(two, "hits") == 2
    b.send(frame(b"again"))
    assert a.receive() == frame(b"again")


def test_one_engine_at_a_time(start_engine: EngineFactory) -> None:
    engine = start_engine()
    with pytest.raises(OSError, match="another host is at work"):
        start_engine()
    engine.close(keep_datapath=True)
    start_engine()


def test_another_layout_is_not_taken_over(start_engine: EngineFactory, wires: Wires) -> None:
    wires(2)
    engine = start_engine()
    _two_cubes(engine, "TC")
    _connect(engine)
    engine.close(keep_datapath=True)
    state.write_note(STATE_DIR / "layout", "0")
    engine = start_engine()
    assert not (STATE_DIR / "cubes").exists()
    assert programs_on("w0") == set()
    one, _ = _two_cubes(engine, "TC")
    assert counter(one, "hits") == 0


def test_close_removes_everything(start_engine: EngineFactory, wires: Wires) -> None:
    wires(2)
    engine = start_engine()
    _two_cubes(engine, "TC")
    _connect(engine)
    assert STATE_DIR.exists()
    engine.close()
    engine.close()
    assert not STATE_DIR.exists()
    with IPRoute() as ipr:
        assert {link.get_attr("IFLA_IFNAME") for link in ipr.get_links()} == {"lo", "w0", "w0x", "w1", "w1x"}
    assert programs_on("w0") | programs_on("w1") == set()


def test_no_descriptor_leaks(start_engine: EngineFactory, wires: Wires) -> None:
    wires(2)

    def run() -> None:
        engine = start_engine()
        cube, _ = create(engine, counting(CROSS), egress=(counting("return RX_OK;"),))
        cube.add_port("p0", {"peer": "w0"})
        cube.add_port("p1", {"peer": "w1"})
        cube.reload(CABLE, 0, "INGRESS")
        engine.destroy_cube("c1")
        engine.close()

    run()
    before = open_files()
    run()
    assert open_files() <= before


def test_the_bpf_file_system_is_mounted_if_missing() -> None:
    script = """
import logging
from pathlib import Path
from pcnhost.engine import Engine
engine = Engine(log=logging.getLogger(), state_dir=Path("/sys/fs/bpf/pcnhost-test"))
print(sorted(path.name for path in Path("/sys/fs/bpf/pcnhost-test").iterdir())[0])
engine.close()
"""
    bare = 'umount -l /sys/fs/bpf && ip link set lo up && exec "$0" "$@"'
    command = ["unshare", "--mount", "--net", "sh", "-c", bare, sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("layout\n", "")
