"""Everything at once, from many threads."""

import random
import threading
import time
from collections.abc import Callable

import pytest

from pcnhost.engine import Engine
from pcnhost.errors import HostError

from .programs import CABLE, CROSS, DROP, PASS, counting
from .support import create, open_files
from .wire import Wire, frame

pytestmark = [pytest.mark.root, pytest.mark.serial]

_SECONDS = 6
_EXPECTED = ("Iface already in use", "does not exist", "is the port itself", "already exists")


def test_nothing_gets_confused(engine: Engine, wires: Callable[[int], list[Wire]]) -> None:
    pairs = wires(5)
    cube, _ = create(engine, counting(CROSS))
    unexpected: list[BaseException] = []
    end = time.monotonic() + _SECONDS

    def repeat(work: Callable[[random.Random], None], seed: int) -> None:
        dice = random.Random(seed)
        while time.monotonic() < end:
            try:
                work(dice)
            except Exception as e:
                if not (isinstance(e, HostError) and any(text in str(e) for text in _EXPECTED)):
                    unexpected.append(e)

    def ports(dice: random.Random) -> None:
        name = f"p{dice.randrange(4)}"
        port = cube.add_port(name, {"peer": f"w{dice.randrange(5)}"} if dice.random() < 0.5 else {})
        port.send_packet_out(frame(b"x"), recirculate=True)
        port.set_peer(dice.choice(["", "w1", "c1:p0", "c2:q", "c1:p1"]))
        port.send_packet_out(frame(b"x"))
        cube.remove_port(name)

    def programs(_: random.Random) -> None:
        cube.reload(counting(CROSS), 0, "INGRESS")
        cube.add_program(PASS, 0, "EGRESS")
        cube.add_program(DROP, 3, "INGRESS")
        cube.del_program(0, "EGRESS")
        cube.del_program(3, "INGRESS")

    def cubes(_: random.Random) -> None:
        create(engine, CABLE, name="c2")[0].add_port("q", {"peer": "c1:p0"})
        engine.destroy_cube("c2")

    def netdevs(_: random.Random) -> None:
        time.sleep(0.1)
        pairs[4].remove()
        pairs[4].close()
        pairs[4] = Wire("w4")

    def traffic(_: random.Random) -> None:
        for wire in pairs[:4]:
            wire.send(frame(b"t"))
        time.sleep(0.001)

    def readers(_: random.Random) -> None:
        assert engine.netdevs()
        assert [c.to_json() for c in engine.cubes.values()]
        assert cube.table_fd("hits", 0, "INGRESS") >= 0

    before = open_files()
    jobs = [ports, ports, ports, programs, cubes, netdevs, traffic, readers]
    threads = [threading.Thread(target=repeat, args=(job, i)) for i, job in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert unexpected == []
    for name in list(cube.ports):
        cube.remove_port(name)
    assert open_files() <= before
    a, b = pairs[:2]
    assert [cube.add_port(f"p{i}", {"peer": f"w{i}"}).index for i in range(2)] == [0, 1]
    while b.receive(0.1):
        pass
    a.send(frame(b"all is well"))
    assert b.receive() == frame(b"all is well")
    pairs[4].close()
