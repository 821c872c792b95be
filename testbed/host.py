"""A pcnhost of one's own, on a port of its own, with the service loaded."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import requests

from testbed.api import Api
from testbed.lab import Lab

PROJECT = Path(__file__).resolve().parent.parent


def service_library(name: str = "k8slbrp") -> Path:
    """What this tree builds of the service under a name."""
    return PROJECT / "build" / f"libpcn-{name}.so"


# Programs of hosts that are not there to be measured or to be disturbed while they compile.
COMPILE_CACHE = PROJECT / "build" / "compiled"
START_S = 180
SERVICE_LIBRARY = service_library()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_host(
    lab: Lab,
    port: int | None = None,
    *options: str,
    log: Path | None = None,
    code: Path = PROJECT,
    environment: Mapping[str, str] | None = None,
    by: Sequence[str] = (),
) -> tuple[Api, subprocess.Popen[str]]:
    """Start pcnhost, from the tree `code` (`by`: through a command that becomes it), and wait until it answers; raises
    RuntimeError when it does not within 3 minutes: a busy machine takes long."""
    port = port or free_port()
    output = log.open("a") if log else None
    argv = [*by, sys.executable, "-m", "pcnhost", "--addr", "127.0.0.1", "--port", str(port)]
    argv += ["--service-dir", str(SERVICE_LIBRARY.parent)]  # a checkout may belong to anybody
    argv += ["--pidfile", f"/run/{lab.prefix}.pid", "--state-dir", str(lab.state_dir)]
    argv += ["--compile-cache", str(COMPILE_CACHE), *options]
    process = lab.start(
        argv, cwd=code, stderr=output, env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})}
    )
    api = Api(f"127.0.0.1:{port}")
    end = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < end:
        try:
            api.request("GET", "version", timeout=5)
            return api, process
        except requests.RequestException:
            time.sleep(0.1)
    raise RuntimeError(f"pcnhost does not answer on port {port}" + (f", see {log}" if log else ""))


def load_service(api: Api, library: Path = SERVICE_LIBRARY, name: str = "k8slbrp") -> None:
    api.post("services", {"type": "lib", "uri": str(library), "name": name})


def resident_kb(pid: int) -> int:
    """Resident memory of a process; raises OSError when there is none, ValueError when it has ended."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise ValueError(f"process {pid} has no resident memory")
