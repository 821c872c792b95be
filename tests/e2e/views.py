"""pcnctl against the host of a test."""

from __future__ import annotations

import os
import subprocess
import sys

from testbed.api import Api


def ctl(api: Api, *words: str, status: int = 0, **environ: str) -> str:
    """What pcnctl prints, on both streams; it has to end with `status`."""
    inherited = {name: text for name, text in os.environ.items() if name != "COLUMNS"}
    done = subprocess.run(
        [sys.executable, "-m", "pcnhost.ctl", *words],
        env=inherited | {"POLYCUBECTL_URL": f"{api.url}/", "HOME": "/nonexistent"} | environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == status, done.stdout
    return done.stdout
