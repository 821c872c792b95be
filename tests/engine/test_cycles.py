"""Cubes, ports and peers come and go; memory and descriptors stay flat. `make cycles` does it 5,000 times."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pcnhost.engine import Engine, compile
from pcnhost.engine.compiled import Cache

from .programs import CABLE, PASS
from .support import create, open_files, programs_on
from .wire import Wire

pytestmark = pytest.mark.root

Wires = Callable[..., list[Wire]]
CYCLES = int(os.environ.get("CYCLES", "300"))
CYCLES_A_CUBE = 1 if "CYCLES" in os.environ else 30
CUBES_A_COMPILATION = (
    10  # which takes its time; others find what was kept, as in a host that has made cubes before
)
SLACK_KB = 4608  # a process that has run other tests before grows by more than a new one


def _resident_kb() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Path]:
    """Where compiled programs are."""
    directory = tmp_path / "kept"
    compile.keep_results(Cache(directory))
    yield directory
    compile.keep_results(None)


def test_memory_and_descriptors_stay_flat(engine: Engine, wires: Wires, kept: Path) -> None:
    """The leak of 3.0.0, 19 KiB with each peer, would be more than is allowed in the quick form, too."""
    wires(2, apart=True)
    create(engine, CABLE, name="stays")[0].add_port("q", {"peer": "w1"})

    def cycles(count: int) -> None:
        for number in range(count):
            if number % (CYCLES_A_CUBE * CUBES_A_COMPILATION) == 0:
                shutil.rmtree(kept, ignore_errors=True)
            if number % CYCLES_A_CUBE == 0:
                cube, _ = create(engine, CABLE, egress=(PASS,) if number % 2 else ())
            port = cube.add_port("p", {"peer": "w0"})
            port.set_peer("w0")
            port.set_peer("stays:q")
            port.set_peer("w0")
            assert port.status == "UP"
            cube.remove_port("p")
            if number % CYCLES_A_CUBE == CYCLES_A_CUBE - 1:
                engine.destroy_cube("c1")

    cycles(max(CYCLES // 10, 2 * CYCLES_A_CUBE))
    files, memory = open_files(), _resident_kb()
    cycles(CYCLES)
    grown = _resident_kb() - memory
    print(f"{CYCLES} cycles: memory {memory} KiB, grown by {grown} KiB, {files} descriptors")
    assert open_files() <= files
    assert grown < SLACK_KB
    assert programs_on("w0") == set()
