"""What the tests share: recorded events, map access, waiting."""

import contextlib
import ctypes
import gc
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyroute2 import IPRoute

from pcnhost.engine import Cube, Engine, bpf
from pcnhost.errors import HostError

_libbpf = ctypes.CDLL("libbpf.so.1", use_errno=True)
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


def programs_on(netdev: str) -> set[str]:
    """Where on a netdev there are programs: `xdp`, `xdpgeneric`, and a clsact qdisc's or TCX's hooks."""
    with IPRoute() as ipr:
        index = ipr.link_lookup(ifname=netdev)[0]
        xdp = ipr.link("get", index=index)[0].get_nested("IFLA_XDP", "IFLA_XDP_ATTACHED")
        found = {xdp} if xdp else set()
        for name, tcx, parent in (("ingress", 46, 0xFFFFFFF2), ("egress", 47, 0xFFFFFFF3)):
            count = ctypes.c_uint32()
            _libbpf.bpf_prog_query(index, tcx, 0, None, None, ctypes.byref(count))
            if count.value or list(ipr.get_filters(index, parent=parent)):
                found.add(name)
        return found | {"clsact" for qdisc in ipr.get_qdiscs(index) if qdisc.get_attr("TCA_KIND") == "clsact"}


def counter(cube: Cube, table: str, index: int = 0, program: int = 0, direction: str = "INGRESS") -> int:
    """An element of an array of u64."""
    value = bpf.lookup(cube.table_fd(table, program, direction), bpf.u32(index), 8)
    assert value is not None
    return int.from_bytes(value, "little")


def open_files() -> int:
    """How many descriptors this process has, without those that only garbage of the tests before holds."""
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


def eventually(condition: Callable[[], object], seconds: float = 3.0) -> bool:
    """Whether the condition comes true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
