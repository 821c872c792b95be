"""A user without privileges, on the same machine: what he can try comes to nothing.

The TCP port on loopback is open to him (see docs/security.md); here it is closed, as it is for those who have
other users on their machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.host import SERVICE_LIBRARY
from testbed.lab import Lab
from tests.rest.test_library_files import compiled, leaves
from tests.rest.test_sockets import NOBODY, ask, start

pytestmark = pytest.mark.root

ID = 65534


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


def as_nobody(script: str) -> str:
    """Everything a shell of his says. Failing is what its commands should do."""
    done = subprocess.run([*NOBODY, "sh", "-c", script], capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


def test_nothing_is_read_changed_run_or_blocked(lab: Lab, tmp_path: Path) -> None:
    path = Path(f"/run/{lab.prefix}.sock")
    dump = Path(f"/run/{lab.prefix}.cubes")
    options = (
        *("--no-tcp", "--service", f"k8slbrp={SERVICE_LIBRARY}"),
        *("--cubes-dump-enable", "--cubes-dump-file", str(dump)),
    )
    process = start(lab, path, tmp_path / "log", *options)
    assert b" 201 " in ask(path, "POST", "k8slbrp/lb1")
    before = ask(path, "GET", "k8slbrp/lb1").partition(b"\r\n\r\n")[2]
    # The pins, the socket, the sessions, the process, a start of the next host.
    said = as_nobody(
        f"""
        ls {lab.state_dir}; cat {lab.state_dir}/layout; rm -rf {lab.state_dir}; touch {lab.state_dir}/x
        mkdir /sys/fs/bpf/{lab.prefix}-evil; rm -f {path} && echo REMOVED
        curl -sS --unix-socket {path} http://localhost/polycube/v1/cubes
        kill {process.pid} && echo KILLED
        bpftool map show pinned {lab.state_dir}/cubes
        ls /proc/{process.pid}/fd
        """
    )
    assert "REMOVED" not in said and "KILLED" not in said and "lb1" not in said, said
    assert not Path(f"/sys/fs/bpf/{lab.prefix}-evil").exists()
    assert ask(path, "GET", "k8slbrp/lb1").partition(b"\r\n\r\n")[2] == before
    lab.stop(process)
    process = start(lab, path, tmp_path / "log2", *options)
    assert b'"lb1"' in ask(path, "GET", "cubes")


def test_code_of_his_is_never_run(lab: Lab, tmp_path: Path) -> None:
    """Not even when root asks for it, and by no way around."""
    path = Path(f"/run/{lab.prefix}.sock")
    start(lab, path, tmp_path / "log", "--no-tcp")
    mark = tmp_path / "mark"
    his = Path(f"/tmp/{lab.prefix}-his")
    his.mkdir()
    try:
        library = compiled(his / "libpcnhost.so", leaves(mark))
        for place in (his, library):
            os.chown(place, ID, ID)
        for uri in (library, f"/proc/self/root{library}", f"/usr/lib/../..{library}", his / "none.so"):
            body = json.dumps({"type": "lib", "uri": str(uri), "name": "his"})
            argv = [
                "curl",
                "-sS",
                "--unix-socket",
                str(path),
                "-d",
                body,
                "http://localhost/polycube/v1/services",
            ]
            said = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout
            assert "root" in said, said
        assert not mark.exists()
    finally:
        subprocess.run(["rm", "-rf", str(his)], check=True)


def test_his_files_do_not_block_a_start(lab: Lab, tmp_path: Path) -> None:
    """A socket or a lock that he puts in the way, where he can."""
    shared = Path(f"/run/{lab.prefix}-shared")
    shared.mkdir()
    shared.chmod(0o1777)
    as_nobody(f"{sys.executable} -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"{shared}/s\")'")
    argv = [sys.executable, "-m", "pcnhost", "--no-tcp", "--unix-socket", f"{shared}/s"]
    argv += ["--pidfile", f"/run/{lab.prefix}.pid", "--state-dir", str(lab.state_dir)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "a socket of another user" in done.stderr
    shared.joinpath("s").unlink()
    shared.rmdir()
