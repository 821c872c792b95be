"""A daemon to test: the one at POLYCUBE_URL, or a host started for the occasion."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

import requests

START_S = 30


class Daemon:
    """HTTP access to a daemon; redirects are not followed. `address` is like http://127.0.0.1:9000."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._session = requests.Session()

    def request(self, method: str, path: str, body: str | None = None, **headers: str) -> requests.Response:
        """`path` from the root on, sent as it is."""
        wanted = requests.Request(
            method, self.address, data=None if body is None else body.encode(), headers=headers
        )
        prepared = self._session.prepare_request(wanted)
        prepared.url = self.address + path
        return self._session.send(prepared, allow_redirects=False, timeout=60)

    def call(self, method: str, path: str, body: str | None = None) -> tuple[int, str]:
        """Like request(), below the base path; status and text."""
        answer = self.request(method, f"/polycube/v1/{path}", body)
        return answer.status_code, answer.text

    def delete_all_cubes(self) -> None:
        cubes = self.request("GET", "/polycube/v1/cubes").json()
        for service, members in cubes.items():
            for cube in members:
                self.call("DELETE", f"{service}/{cube['name']}/")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def started_host(*options: str, port: int | None = None, scheme: str = "http") -> Iterator[Daemon]:
    """A host of this source tree on a free port, with a state of its own."""
    port = port or free_port()
    folder = Path(mkdtemp(prefix="pcnhost-"))
    state = Path(f"/sys/fs/bpf/pcnhost-test-{os.getpid()}-{port}")
    command = [
        *(sys.executable, "-m", "pcnhost", "--port", str(port)),
        *("--state-dir", str(state), "--pidfile", str(folder / "pid"), "--logfile", str(folder / "log")),
        *options,
    ]
    process = subprocess.Popen(command, cwd=Path(__file__).resolve().parents[2])
    try:
        _wait_until_listening(process, port, folder / "log")
        yield Daemon(f"{scheme}://127.0.0.1:{port}")
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        finally:
            process.kill()
            shutil.rmtree(folder)
            shutil.rmtree(state, ignore_errors=True)


def _wait_until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the host ended with status {process.returncode}: {_text(log)}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"the host does not listen on port {port}: {_text(log)}")


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""
