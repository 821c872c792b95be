"""Builds the test services once per source state, for whichever test asks first."""

from __future__ import annotations

import fcntl
import subprocess
from pathlib import Path

BUILD = Path(__file__).parents[2] / "build"
SERVICES = BUILD / "test-services"


def build_test_services() -> Path:
    """Build what is in this directory, and return where the libpcn-*.so are."""
    assert (BUILD / "CMakeCache.txt").exists(), f"{BUILD} is not there (make build)"
    with (BUILD / ".test-services.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = ["cmake", "--build", str(BUILD), "--target", "test_services", "-j", "2"]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}")
    return SERVICES
