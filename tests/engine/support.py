"""What the tests share: recorded events, map access, waiting."""

import contextlib
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pcnhost.engine import Cube, Engine, bpf
from pcnhost.errors import HostError

METADATA = struct.Struct("=HHIIH3I")  # cube_id, in_port, packet_len, traffic_class, reason, md
LOG = struct.Struct("=4H4Q")  # type, cube_id, level, len, args


class Events:
    """Keeps what a cube reports."""

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


def create(
    engine: Engine, *ingress: str, egress: tuple[str, ...] = (), **conf: object
) -> tuple[Cube, Events]:
    """A cube, named `c1` unless `conf` says otherwise."""
    events = Events()
    return engine.create_cube({"name": "c1", **conf}, list(ingress), list(egress), events, "svc"), events


@contextlib.contextmanager
def refuses(text: str) -> Iterator[None]:
    """Expects a HostError with exactly this text."""
    with pytest.raises(HostError) as error:
        yield
    assert str(error.value) == text


def counter(cube: Cube, table: str, index: int = 0, program: int = 0, direction: str = "INGRESS") -> int:
    """An element of an array of u64."""
    value = bpf.lookup(cube.table_fd(table, program, direction), bpf.u32(index), 8)
    assert value is not None
    return int.from_bytes(value, "little")


def open_files() -> int:
    """How many descriptors this process has."""
    return len(list(Path("/proc/self/fd").iterdir()))


def eventually(condition: Callable[[], object], seconds: float = 3.0) -> bool:
    """Whether the condition comes true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
