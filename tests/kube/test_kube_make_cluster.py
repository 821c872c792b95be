"""`make cluster` with a script: it comes up soon, lets the script act inside, and leaves nothing behind."""

from __future__ import annotations

import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.host import PROJECT, service_library

pytestmark = pytest.mark.root

SCRIPT = """#!/bin/sh
set -e
ip netns exec "$CLIENT1" curl -sS --max-time 5 "http://$VIP/"
ip netns exec "$OUTSIDE" curl -sS --max-time 5 "http://192.168.100.3:30080/"
ip netns exec "$NODE2" curl -sS --max-time 5 "http://127.0.0.1:9000/polycube/v1/$SERVICE/" > /dev/null
exit 7
"""
PYTHON_SCRIPT = """
def main(cluster):
    print("pods:", len(cluster.pods_of("web")))
    raise RuntimeError("enough")
"""


def left_behind() -> set[str]:
    namespaces = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    pinned = [path.name for path in Path("/sys/fs/bpf").glob("k*x*")]
    return {line.split()[0] for line in namespaces.splitlines()} | set(pinned)


def run(script: Path, service: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "testbed.cluster", "--script", str(script), "--service", service]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=300, check=False)


def test_a_program_acts_inside(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    before, used = left_behind(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run(script, "k8slbrp")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 7, f"the script's own status\n{done.stdout}{done.stderr}"
    assert len(re.findall(r"^web-\d+ ", done.stdout, re.MULTILINE)) == 2
    assert "┌" in done.stdout and "ready after" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    # Processor time and not the clock, which on a busy machine says little.
    assert after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime < 40
    assert left_behind() == before


@pytest.mark.long
def test_a_script_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    """Here with the service under its other name, where that is built."""
    script = tmp_path / "script.py"
    script.write_text(PYTHON_SCRIPT)
    before = left_behind()
    done = run(script, "lbrp" if service_library("lbrp").exists() else "k8slbrp")
    assert done.returncode == 1
    assert "pods: 6" in done.stdout
    assert "cluster failed: enough" in done.stderr
    assert left_behind() == before
