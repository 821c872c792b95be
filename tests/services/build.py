"""Builds the test services once per source state, for whichever test asks first."""

from __future__ import annotations

import fcntl
import subprocess
from pathlib import Path

SOURCE = Path(__file__).parent
BUILD = SOURCE.parent.parent / "build" / "test-services"


def build_test_services() -> Path:
    """Build everything in this directory and return where libpcnhost.so and the libpcn-*.so are."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (BUILD / "CMakeCache.txt").exists():
            _run("cmake", "-S", str(SOURCE), "-B", str(BUILD), "-DCMAKE_BUILD_TYPE=Debug")
        _run("cmake", "--build", str(BUILD))
    return BUILD


def _run(*command: str) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}")
