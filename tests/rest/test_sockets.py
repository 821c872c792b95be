"""Where the host listens, and who gets to speak there."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pcnhost.ctl.client import Client
from pcnhost.ctl.settings import Settings
from testbed.host import SERVICE_LIBRARY, free_port
from testbed.lab import Lab
from tests.rest.rawhttp import everything, head, statuses

pytestmark = pytest.mark.root

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


def command(lab: Lab, *options: str) -> list[str]:
    own = ("--pidfile", f"/run/{lab.prefix}.pid", "--state-dir", str(lab.state_dir))
    return [sys.executable, "-m", "pcnhost", *own, *options]


def start(lab: Lab, path: Path, log: Path, *options: str) -> subprocess.Popen[str]:
    """A host on a unix socket."""
    argv = command(lab, "--unix-socket", str(path), "--service-dir", str(SERVICE_LIBRARY.parent), *options)
    with log.open("a") as file:
        process = lab.start(argv, stderr=file)
    for _ in range(1200):
        if process.poll() is not None:
            raise RuntimeError(log.read_text())
        if path.exists() and "serving on" in log.read_text():
            return process
        try:
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
    raise RuntimeError("the host does not serve")


def ask(path: Path, method: str, target: str) -> bytes:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        sock.sendall(head(method, target, "Connection: close", host="any"))
        return everything(sock)


def curl(path: Path, *user: str, unix: bool = True) -> subprocess.CompletedProcess[str]:
    argv = [*user, "curl", "-sS", "--unix-socket", str(path), "http://localhost/polycube/v1/version"]
    return subprocess.run(argv, capture_output=True, text=True, timeout=90)


def test_unix_socket_is_for_root(lab: Lab, tmp_path: Path) -> None:
    path = Path(f"/run/{lab.prefix}.sock")
    process = start(lab, path, tmp_path / "log", "--no-tcp")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert statuses(ask(path, "GET", "version")) == [200]
    assert '"polycubed"' in curl(path).stdout
    refused = curl(path, *NOBODY)
    assert (refused.returncode, refused.stdout) == (7, "")
    listening = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
    assert f"pid={process.pid}," not in listening
    lab.stop(process)
    assert not path.exists()


def test_unix_socket_of_a_group(lab: Lab, tmp_path: Path) -> None:
    path = Path(f"/run/{lab.prefix}.sock")
    start(lab, path, tmp_path / "log", "--no-tcp", "--unix-group", "nogroup")
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert '"polycubed"' in curl(path, *NOBODY).stdout
    assert curl(path, "setpriv", "--reuid=65534", "--regid=65533", "--clear-groups").returncode == 7


def test_socket_of_a_killed_host_gives_way(lab: Lab, tmp_path: Path) -> None:
    path = Path(f"/run/{lab.prefix}.sock")
    process = start(lab, path, tmp_path / "log", "--no-tcp")
    process.kill()
    process.wait()
    assert path.exists()
    start(lab, path, tmp_path / "log2", "--no-tcp")
    assert statuses(ask(path, "GET", "version")) == [200]


def refusal(lab: Lab, *options: str) -> str:
    done = subprocess.run(command(lab, *options), capture_output=True, text=True, timeout=150)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_socket_that_is_not_ours(lab: Lab) -> None:
    path = Path(f"/run/{lab.prefix}.sock")
    path.write_text("precious")
    assert "is no socket" in refusal(lab, "--no-tcp", "--unix-socket", str(path))
    assert path.read_text() == "precious"
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        assert "another process listens there" in refusal(lab, "--no-tcp", "--unix-socket", str(path))
    path.unlink()
    open_to_all = Path(f"/run/{lab.prefix}-open")
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    assert "can be written by others" in refusal(lab, "--no-tcp", "--unix-socket", f"{open_to_all}/s")
    assert "no such group" in refusal(lab, "--no-tcp", "--unix-socket", str(path), "--unix-group", "nosuch")
    assert not path.exists()
    open_to_all.rmdir()


@pytest.mark.parametrize("addr", ["0.0.0.0", "::"])
def test_the_network_needs_tls_or_an_explicit_wish(lab: Lab, tmp_path: Path, addr: str) -> None:
    port = str(free_port())
    assert "would be root of this machine" in refusal(lab, "--addr", addr, "--port", port)
    path = Path(f"/run/{lab.prefix}.sock")
    start(lab, path, tmp_path / "log", "--addr", addr, "--port", port, "--insecure-remote")
    assert "IS ROOT OF THIS MACHINE" in (tmp_path / "log").read_text()


def test_pcnctl_speaks_over_the_unix_socket(lab: Lab, tmp_path: Path) -> None:
    path = Path(f"/run/{lab.prefix}.sock")
    start(lab, path, tmp_path / "log", "--no-tcp")
    environ = {**os.environ, "POLYCUBECTL_URL": f"unix:{path}"}
    argv = [sys.executable, "-m", "pcnhost.ctl", "version"]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=90)
    assert done.stdout.startswith("\npolycubed:") or "version" in done.stdout
    assert done.returncode == 0, done.stderr
    assert Client(Settings(url=f"unix:{path}")).send("GET", ("cubes",)).json() == {}
