"""The machine under the measurements."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from testbed.lab import run

_VULNERABILITIES = Path("/sys/devices/system/cpu/vulnerabilities")
_COSTLY = (
    "spec_rstack_overflow",
    "retbleed",
    "spectre_v2",
)  # what makes calls of the kernel's helpers slower


def describe() -> dict[str, Any]:
    """CPU, kernel and the versions of what is measured or measures."""
    cpu = _field(Path("/proc/cpuinfo").read_text(), "model name")
    memory = int(_field(Path("/proc/meminfo").read_text(), "MemTotal").split()[0])
    return {
        "cpu": cpu,
        "cpus": len(os.sched_getaffinity(0)),
        "memory, GiB": round(memory / (1 << 20), 1),
        "hypervisor": " hypervisor " in _field(Path("/proc/cpuinfo").read_text(), "flags") + " ",
        "kernel": platform.release(),
        "mitigations": {
            name: (_VULNERABILITIES / name).read_text().strip() for name in _COSTLY if _known(name)
        },
        "nftables": run(["nft", "--version"]).split()[1],
        "haproxy": run(["haproxy", "-v"]).split()[2],
        "iperf3": run(["iperf3", "--version"]).split()[1],
        "bcc": version("bcc"),
    }


def _known(name: str) -> bool:
    return (_VULNERABILITIES / name).exists()


def _field(text: str, name: str) -> str:
    line = next(line for line in text.splitlines() if line.startswith(name))
    return line.partition(":")[2].strip()
