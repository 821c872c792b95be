"""Programs are replaced while packets flow."""

import threading
import time
from collections.abc import Callable

import pytest

from pcnhost.engine import Cube, Engine, bpf
from pcnhost.errors import HostError

from .programs import CABLE, CROSS, counting, program
from .support import counter, create
from .wire import Wire, frame

pytestmark = pytest.mark.root

Wires = Callable[[int], list[Wire]]


def _cable(engine: Engine, code: str, kind: str = "TC") -> Cube:
    cube, _ = create(engine, code, type=kind)
    cube.add_port("p0", {"peer": "w0"})
    cube.add_port("p1", {"peer": "w1"})
    return cube


def test_maps_of_the_same_name_keep_their_contents(engine: Engine, wires: Wires) -> None:
    a, b = wires(2)
    declare = "BPF_ARRAY(hits, u64, 4);"
    cube = _cable(
        engine,
        counting(
            CROSS,
            declare=f"""{declare} BPF_HASH(gone, u32, u64);
              BPF_F_TABLE("hash", u32, u64, f, 4, BPF_F_NO_PREALLOC);""",
        ),
    )
    a.send(frame(b"1"))
    assert b.receive()
    fd = cube.table_fd("hits", 0, "INGRESS")
    cube.reload(counting(CROSS, declare=f"{declare} BPF_HASH(fresh, u32, u64);"), 0, "INGRESS")
    a.send(frame(b"2"))
    assert b.receive()
    assert cube.table_fd("hits", 0, "INGRESS") == fd
    assert counter(cube, "hits") == 2
    assert cube.table_fd("fresh", 0, "INGRESS") >= 0
    assert cube.table_fd("gone", 0, "INGRESS") == cube.table_fd("f", 0, "INGRESS") == -1


def test_a_map_keeps_its_first_definition(engine: Engine, wires: Wires) -> None:
    a, b = wires(2)
    cube = _cable(engine, counting(CROSS))
    a.send(frame(b"1"))
    assert b.receive()
    cube.reload(counting(CROSS, declare="BPF_ARRAY(hits, u64, 4000);"), 0, "INGRESS")
    assert bpf.map_spec(cube.table_fd("hits", 0, "INGRESS")) == bpf.MapSpec(bpf.MAP_TYPE_ARRAY, 4, 8, 4)
    assert counter(cube, "hits") == 1


def test_a_failing_reload_changes_nothing(engine: Engine, wires: Wires) -> None:
    a, b = wires(2)
    cube = _cable(engine, counting(CROSS))
    before = cube.table_fd("hits", 0, "INGRESS")
    for broken in (
        program("return oops;"),
        program("u32 k = 0; return *h.lookup(&k);", "BPF_HASH(h, u32, u64);"),
    ):
        with pytest.raises(HostError):
            cube.reload(broken, 0, "INGRESS")
    a.send(frame(b"still works"))
    assert b.receive() == frame(b"still works")
    assert cube.table_fd("hits", 0, "INGRESS") == before
    assert counter(cube, "hits") == 1


@pytest.mark.parametrize("kind", ["TC", "XDP_SKB"])
def test_no_packet_is_lost(engine: Engine, wires: Wires, kind: str) -> None:
    a, b = wires(2)
    cube = _cable(engine, CABLE, kind)
    stop = threading.Event()
    sent: list[int] = []
    received: list[int] = []

    def send() -> None:
        while not stop.is_set():
            a.send(frame(b"%d" % len(sent)))
            sent.append(1)
            time.sleep(0.0002)

    def receive() -> None:
        while b.receive(0.5) is not None:
            received.append(1)

    threads = [threading.Thread(target=work) for work in (send, receive)]
    for thread in threads:
        thread.start()
    for i in range(5):
        cube.reload(CABLE + f"// {i}", 0, "INGRESS")
        cube.set_log_level(["DEBUG", "INFO"][i % 2])
        cube.ports["p1"].set_peer("w1")
    stop.set()
    for thread in threads:
        thread.join()
    assert len(sent) > 500
    assert len(received) == len(sent)


@pytest.mark.serial
def test_peer_changes_compile_nothing(engine: Engine, wires: Wires) -> None:
    """A port has to be ready within a pod's start."""
    wires(4)
    cube, _ = create(engine, CABLE)
    started = time.monotonic()
    for i in range(4):
        cube.add_port(f"p{i}", {"peer": f"w{i}"})
    assert time.monotonic() - started < 0.2
