"""`pcnctl doctor`: each problem is provoked, found, and gone after the remedy where that is a command to try here."""

from __future__ import annotations

import platform
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.root

STATE_DIR = "/sys/fs/bpf/pcnhost-doctor"
MOUNT = "mount -t bpf bpf /sys/fs/bpf -o mode=0700"
DOCTOR = f"{sys.executable} -m pcnhost.ctl doctor --state-dir {STATE_DIR}"


def _doctor(provoke: str = "true", options: str = "", before: str = "") -> tuple[int, str]:
    """Exit status and output of the doctor after `provoke`, where it finds a BPF file system of its own, and no
    processes (a polycubed, say) of the machine.

    `before` is a command that runs it."""
    script = f"umount -l /sys/fs/bpf; {MOUNT}; {provoke}; exec {before} {DOCTOR} {options}"
    apart = ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc"]
    command = [*apart, "sh", "-c", f"ip link set lo up; {script}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_a_machine_where_all_is_well() -> None:
    status, said = _doctor()
    assert (status, [line for line in said.splitlines() if not line.startswith("ok      ")]) == (0, [])
    assert len(said.splitlines()) == 10


PROBLEMS = {
    "rights": (
        {"before": "setpriv --bounding-set=-all,+net_admin"},
        ["rights: without CAP_PERFMON, CAP_BPF", "sudo pcnctl doctor"],
    ),
    "headers": (
        {
            "provoke": "mount -t tmpfs none /lib/modules; mount -t tmpfs none /sys/kernel; mount -t tmpfs none /usr/src"
        },
        [
            "compiler: cannot compile: ",
            f"apt install linux-headers-{platform.release()}",
        ],
    ),
    "files": (
        {"before": "prlimit --nofile=1024:1024"},
        ["open files: at most 1024, 16384 are needed", "prlimit --pid $$ --nofile=16384:16384"],
    ),
    "tap": (
        {"provoke": "mount -t tmpfs none /dev/net"},
        ["TAP devices: /dev/net/tun is missing", "modprobe tun"],
    ),
    "no bpffs": (
        {"provoke": "umount /sys/fs/bpf"},
        ["BPF file system: not mounted", "mount -t bpf bpf /sys/fs/bpf -o mode=0700"],
    ),
    "open bpffs": (
        {"provoke": "chmod 1777 /sys/fs/bpf"},
        ["BPF file system: mode 1777: others can write", "chmod 0700 /sys/fs/bpf"],
    ),
    "leftovers": (
        {"provoke": f"mkdir -p {STATE_DIR}/cubes/lb1"},
        [
            "leftovers: no host is running, but lb1 of an earlier one go on forwarding",
            "systemctl start pcnhost",
        ],
    ),
    "another host": (
        {"provoke": f"mkdir -p {STATE_DIR}", "before": f"flock {STATE_DIR}"},
        [f"other hosts: one is at work on {STATE_DIR}", "systemctl stop pcnhost"],
    ),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_problem_is_found(name: str) -> None:
    how, expected = PROBLEMS[name]
    status, said = _doctor(**how)  # type: ignore[arg-type]
    problem, remedy = expected
    assert status == 1
    lines = said.splitlines()
    found = [number for number, line in enumerate(lines) if line.startswith(f"PROBLEM {problem}")]
    assert len(found) == 1, said
    assert lines[found[0] + 1] == f"        to mend it: {remedy}"


def test_what_the_compiler_says_is_shown() -> None:
    _, said = _doctor(**PROBLEMS["headers"][0])  # type: ignore[arg-type]
    assert "Unable to find kernel headers" in said


def test_a_port_in_use() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        command = f"umount -l /sys/fs/bpf; {MOUNT}; exec {DOCTOR} --port {port}"
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", command],
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
    assert done.returncode == 1
    assert f"PROBLEM port: 127.0.0.1:{port}: Address already in use" in done.stdout


@pytest.mark.parametrize("problem", ["no bpffs", "open bpffs"])
def test_the_remedy_helps(problem: str) -> None:
    how, (_, remedy) = PROBLEMS[problem]
    status, said = _doctor(f"{how['provoke']}; {remedy}")
    assert status == 0, said


def test_it_is_in_the_documentation() -> None:
    operating = Path(__file__).parents[2] / "docs" / "operating.md"
    assert "pcnctl doctor" in operating.read_text()
