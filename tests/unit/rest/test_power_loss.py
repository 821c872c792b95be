"""What is on the disk when the power fails: what had been flushed, and nothing that was in memory only.

The file system is in a file, by a loop device. A copy of that file is the disk as a power failure leaves it."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pcnhost import cubesfile
from pcnhost.journal import Journal, Nodes
from testbed.host import PROJECT

pytestmark = pytest.mark.root


@contextmanager
def mounted(image: Path) -> Iterator[Path]:
    place = image.with_suffix(".mounted")
    place.mkdir()
    subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
        place.rmdir()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "disk"
    with path.open("wb") as file:
        file.truncate(16 << 20)
    subprocess.run(["mkfs.ext4", "-q", str(path)], check=True)
    return path


@contextmanager
def after_power_failure(image: Path) -> Iterator[Path]:
    copy = image.with_name("copy")
    shutil.copy(image, copy)
    with mounted(copy) as place:
        yield place


def test_no_answered_write_is_lost(image: Path) -> None:
    with mounted(image) as disk:
        journal = Journal(disk / "journal")
        journal.write("create", ["c"], lambda: (None, [Nodes("c", "", (("", {}),), "svc")]))
        for number in range(10):
            path = f"list={number}"
            change = Nodes("c", path, ((path, {}),))
            journal.write(path, ["c"], lambda change=change: (None, [change]))
            with after_power_failure(image) as failed:
                kept = Journal(failed / "journal")
                there = {path for cube in kept.cubes() for path, _ in cube.nodes}
                there |= {request for _, request in kept.writes()}
                kept.close()
            assert {f"list={n}" for n in range(number + 1)} <= there
        journal.close()


def test_the_file_is_the_old_or_the_new_one(image: Path) -> None:
    with mounted(image) as disk:
        for number in range(5):
            content = b"%d" % number * 5000
            cubesfile.write(disk / "cubes.json", content)
            with after_power_failure(image) as failed:
                assert (failed / "cubes.json").read_bytes() == content


def test_a_host_that_is_killed_while_it_writes_leaves_no_file_for_good(tmp_path: Path) -> None:
    path = tmp_path / "cubes.json"
    cubesfile.write(path, b"old")
    killed = (
        "import os, pathlib, signal, sys; from pcnhost import cubesfile;"
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL);"
        "cubesfile.write(pathlib.Path(sys.argv[1]), b'new')"
    )
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", killed, path], cwd=PROJECT, check=False)
        assert done.returncode == -signal.SIGKILL
        assert path.read_bytes() == b"old"
    cubesfile.write(path, b"newer")
    assert [found.name for found in tmp_path.iterdir()] == ["cubes.json"]
    assert path.read_bytes() == b"newer"
