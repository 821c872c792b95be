"""Every test has a network namespace of its own, which goes away with everything in it."""

import ctypes
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyroute2 import IPRoute

from pcnhost.engine import Engine

from .wire import Wire

_CLONE_NEWNET = 0x40000000
STATE_DIR = Path(f"/sys/fs/bpf/pcnhost-test-{os.getpid()}")

EngineFactory = Callable[[], Engine]


def _libc(name: str, *args: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*args):
        raise OSError(ctypes.get_errno(), name)


@pytest.fixture
def netns() -> Iterator[None]:
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    _libc("unshare", _CLONE_NEWNET)
    try:
        with IPRoute() as ipr:
            ipr.link("set", index=1, state="up")
        yield
    finally:
        _libc("setns", before, _CLONE_NEWNET)
        os.close(before)


@pytest.fixture
def start_engine(netns: None) -> Iterator[EngineFactory]:
    """Starts engines on one state directory, one after the other; in the end everything goes away."""
    engines: list[Engine] = []

    def start() -> Engine:
        engines.append(Engine(log=logging.getLogger("engine"), state_dir=STATE_DIR))
        return engines[-1]

    yield start
    for engine in reversed(engines):
        engine.close()
    if STATE_DIR.exists():
        shutil.rmtree(STATE_DIR)


@pytest.fixture
def engine(start_engine: EngineFactory) -> Engine:
    return start_engine()


@pytest.fixture
def wires(netns: None) -> Iterator[Callable[..., list[Wire]]]:
    """Makes netdevs `w0`, `w1`, … for the engine, each a veth pair whose other end the test holds.

    With `apart` that end is in a new network namespace."""
    made: list[Wire] = []

    def make(count: int, apart: bool = False) -> list[Wire]:
        fresh = [Wire(f"w{len(made) + i}", apart) for i in range(count)]
        made.extend(fresh)
        return fresh

    yield make
    for wire in made:
        wire.close()
