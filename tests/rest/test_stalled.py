"""While the compiler does not answer: reads do, the queue is short, clients that leave leave nothing behind,
and the host ends."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests

from testbed.api import Api
from testbed.host import SERVICE_LIBRARY, start_host
from testbed.lab import Lab
from tests.engine.support import programs_on
from tests.rest.rawhttp import connection, everything, head, statuses

pytestmark = pytest.mark.root

OPTIONS = ("--service", f"k8slbrp={SERVICE_LIBRARY}", "--compile-cache", "")


@contextmanager
def stopped_compiler(host: int) -> Iterator[None]:
    """The compilers of the host stand still, and run on at the end."""
    compilers = [
        pid for pid in _descendants(host) if b"compiler.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    assert compilers, "the host has no compiler yet"
    for pid in compilers:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in compilers:
            if Path(f"/proc/{pid}").exists():
                os.kill(pid, signal.SIGCONT)


def _descendants(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found += [child, *_descendants(child)]
    return found


def create(stack: ExitStack, api: Api, name: str) -> socket.socket:
    sock = stack.enter_context(connection(api.url.split("/")[2], 60))
    sock.sendall(head("POST", f"k8slbrp/{name}", "Content-Length: 2", "Connection: close") + b"{}")
    return sock


def test_reads_are_answered_while_writes_wait(tmp_path: Path) -> None:
    with Lab() as lab:
        api, process = start_host(lab, None, *OPTIONS, "--threads", "4", log=tmp_path / "log")
        api.post("k8slbrp/first")
        with stopped_compiler(process.pid), ExitStack() as stack:
            writers = [create(stack, api, f"c{n}") for n in range(300)]
            durations = []
            for _ in range(20):
                start = time.monotonic()
                assert api.get("cubes")["k8slbrp"][0]["name"] == "first"
                durations.append(time.monotonic() - start)
            assert max(durations) < 2
            refused = 0
            for sock in writers[290:]:
                sock.settimeout(10)
                answer = everything(sock)
                refused += statuses(answer) == [503] and b"retry-after: 1" in answer
            assert refused == 10
        # All of them have gone, and their turn never comes.
        time.sleep(1)
        authority = api.url.split("/")[2]
        with connection(authority, 90) as sock:  # its turn comes after the cubes that had begun
            sock.sendall(head("DELETE", "k8slbrp/none", "Connection: close"))
            assert statuses(everything(sock)) == [409]
        deadline = time.monotonic() + 30
        while len(cubes := api.get("cubes")["k8slbrp"]) > 8 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert len(cubes) <= 8, "only those that had begun"


@pytest.mark.parametrize(("signals", "dump"), [(1, False), (2, True)], ids=["plain", "persistent"])
def test_the_end_does_not_wait_for_the_compiler(tmp_path: Path, signals: int, dump: bool) -> None:
    options = ("--cubes-dump-enable", "--cubes-dump-file", str(tmp_path / "cubes")) if dump else ()
    with Lab() as lab:
        api, process = start_host(lab, None, *OPTIONS, *options, log=tmp_path / "log")
        veth = lab.link("v", lab.namespace("v"))
        api.post("k8slbrp/first", {"ports": [{"name": "p", "type": "backend", "peer": veth}]})
        assert _has_program(veth)
        with stopped_compiler(process.pid), ExitStack() as stack:
            create(stack, api, "second")
            time.sleep(0.5)
            start = time.monotonic()
            for _ in range(signals):
                process.send_signal(signal.SIGTERM)
                time.sleep(0.2)
            process.wait(40)
        assert time.monotonic() - start < (10 if signals == 2 else 20)
        assert _has_program(veth) == dump
        assert lab.state_dir.exists() == dump


def _has_program(netdev: str) -> bool:
    return "ingress" in programs_on(netdev)


def test_an_idle_host_ends_at_once(tmp_path: Path) -> None:
    with Lab() as lab:
        api, process = start_host(lab, None, *OPTIONS, log=tmp_path / "log")
        session = requests.Session()
        session.get(f"{api.url}/version", timeout=10)  # and stays connected
        with connection(api.url.split("/")[2]) as sock:
            sock.sendall(b"GET")
            start = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        assert time.monotonic() - start < 8
