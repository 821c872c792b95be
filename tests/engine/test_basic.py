"""create_cube, ports, redirect."""

from collections.abc import Callable

from pcnhost.engine import Engine

from .programs import CABLE
from .wire import Wire, frame


class Events:
    def __init__(self) -> None:
        self.packets: list[tuple[bytes, bytes]] = []
        self.logs: list[bytes] = []
        self.levels: list[str] = []

    def packet_in(self, metadata: bytes, packet: bytes) -> None:
        self.packets.append((metadata, packet))

    def log_message(self, record: bytes) -> None:
        self.logs.append(record)

    def log_level(self, level: str) -> None:
        self.levels.append(level)


def test_redirect(engine: Engine, wires: Callable[[int], list[Wire]]) -> None:
    a, b = wires(2)
    cube = engine.create_cube({"name": "c1", "type": "TC", "loglevel": "INFO"}, [CABLE], [], Events(), "svc")
    assert cube.add_port("p0", {"peer": "w0"}).status == "UP"
    cube.add_port("p1", {"peer": "w1"})
    a.send(frame(b"hello"))
    assert b.receive() == frame(b"hello")
    b.send(frame(b"back"))
    assert a.receive() == frame(b"back")
