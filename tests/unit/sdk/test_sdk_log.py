"""The log of host and services: one writer, one file, each line once."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.root

_PROGRAM = """
import logging, os, sys
from pathlib import Path
from pcnhost import logs
from tests.unit.sdk.conftest import CounterService
from tests.unit.sdk.test_sdk_events import DEBUG, log_record

PADDING = b"." * 150
services, file, rotations, lines = sys.argv[1:]
log = Path(file) if file else None
logs.start("info", log)
service = CounterService(Path(services), log or Path("/dev/null"))
cube = service.create("c1", loglevel="DEBUG")
for rotation in range(int(rotations) + 1):
    if rotation:
        log.rename(f"{log}.{rotation}")
    for line in range(int(lines)):
        cube.events.log_message(log_record(DEBUG, b"line %d of the cube" + PADDING + b"\\0", line))
    logging.getLogger("pcnhost.test").info("a line of the host")
    logging.getLogger("pcnhost.test").debug("not for the log")
targets = [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
print(targets.count(str(log)))
service.close()
"""


def _run(services: Path, file: Path | str, rotations: int, lines: int, stderr: Path) -> str:
    command = [sys.executable, "-c", _PROGRAM, str(services), str(file), str(rotations), str(lines)]
    with stderr.open("wb") as err:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=err, text=True, check=True).stdout


def test_a_file_that_is_moved_away_is_made_anew(test_services: Path, tmp_path: Path) -> None:
    """As logrotate does it; neither the host's lines nor the cube's go on into the old one."""
    file, err = tmp_path / "host.log", tmp_path / "err"
    assert _run(test_services, file, rotations=2, lines=3, stderr=err) == "1\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["err", "host.log", "host.log.1", "host.log.2"]
    for path in (file, tmp_path / "host.log.1", tmp_path / "host.log.2"):
        said = [line.split("] ", 1)[1] for line in path.read_text().splitlines()]
        assert said == [
            *(f"[c1] [DEBUG] line {number} of the cube{'.' * 150}" for number in range(3)),
            "[pcnhost.test] [INFO] a line of the host",
        ]
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert err.read_text() == ""


def test_standard_error_is_written_and_never_opened(test_services: Path, tmp_path: Path) -> None:
    """Services used to open /dev/stderr by name, and after 5 MB renamed it for the whole machine."""
    err = tmp_path / "err"
    before = os.lstat("/dev/stderr")
    lines = 40_000
    assert _run(test_services, "", rotations=0, lines=lines, stderr=err) == "0\n"
    assert err.stat().st_size > 5 << 20
    assert len(err.read_text().splitlines()) == lines + 1
    assert [path.name for path in tmp_path.iterdir()] == ["err"]
    assert os.path.samestat(before, os.lstat("/dev/stderr"))
    assert not Path("/dev/stderr.1").exists()
