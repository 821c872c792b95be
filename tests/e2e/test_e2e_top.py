"""`pcnctl top` in a terminal of 80x24 without colours, as over ssh, and as JSON; with real traffic."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pyte
import pytest

from testbed.topology import ConnectedCube
from testbed.traffic import Holder, new_sessions

from .views import ctl

pytestmark = pytest.mark.root

VIP = "10.96.0.10"
WAIT_S = 30


class Terminal:
    """A terminal with a program in it."""

    def __init__(self, argv: list[str], environ: dict[str, str]) -> None:
        self._screen = pyte.Screen(80, 24)
        self._stream = pyte.ByteStream(self._screen)
        self._master, slave = pty.openpty()
        size = {"COLUMNS": "80", "LINES": "24"}
        self.process = subprocess.Popen(
            argv, stdin=slave, stdout=slave, stderr=slave, env=environ | size, start_new_session=True
        )
        os.close(slave)

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def wait_for(self, condition: Callable[[list[str]], bool]) -> list[str]:
        """The lines of the screen as soon as they are as wanted."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            if select.select([self._master], [], [], 0.2)[0]:
                try:
                    self._stream.feed(os.read(self._master, 65536))
                except OSError:  # the program has ended
                    break
            if condition(self._screen.display):
                return list(self._screen.display)
        raise AssertionError("\n".join(self._screen.display))

    def colours(self) -> set[str]:
        return {cell.fg for line in self._screen.buffer.values() for cell in line.values()}

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)


@pytest.fixture(scope="module")
def cube(multi: ConnectedCube) -> Iterator[ConnectedCube]:
    multi.service(VIP, 80, "TCP", [1, 1])
    multi.service("10.96.0.11", 53, "UDP", [1])
    holder = Holder(multi.lab, multi.network.clients[0], VIP, 80, 5)
    yield multi
    holder.close()


@pytest.fixture
def terminal(cube: ConnectedCube) -> Iterator[Terminal]:
    environ = os.environ | {
        "POLYCUBECTL_URL": f"{cube.api.url}/",
        "TERM": "vt100",
        "NO_COLOR": "1",
        "LANG": "C.UTF-8",
    }
    terminal = Terminal([sys.executable, "-m", "pcnhost.ctl", "top", "--interval", "0.5"], environ)
    yield terminal
    terminal.close()


def has(*texts: str) -> Callable[[list[str]], bool]:
    return lambda lines: all(any(text in line for line in lines) for text in texts)


def test_keys_and_screens(cube: ConnectedCube, terminal: Terminal) -> None:
    lines = terminal.wait_for(has("SERVICE", f"{VIP}:80/TCP", "q quit"))
    assert lines[0].startswith("multi  k8slbrp") and lines[23].startswith("q quit")
    assert terminal.colours() == {"default"}
    new_sessions(cube.network.clients[1], "udp", "10.96.0.11", 53, 20)
    terminal.wait_for(lambda lines: lines[7].startswith(">10.96.0.11:53/UDP") or "active" in lines[1])
    terminal.press("s")
    lines = terminal.wait_for(has("sort: active"))
    terminal.wait_for(
        lambda lines: lines[8].startswith(f" {VIP}:80/TCP") or lines[7].startswith(f">{VIP}:80/TCP")
    )
    terminal.press("/.10:\r")
    terminal.wait_for(lambda lines: lines[7].startswith(f">{VIP}") and not lines[8].strip())
    terminal.press("\r")
    lines = terminal.wait_for(has(f"BACKENDS of {VIP}:80/TCP"))
    terminal.press("\x1b")
    terminal.wait_for(has("SERVICE"))
    terminal.press("t")
    terminal.wait_for(has("clients", "131072"))
    terminal.press("d")
    terminal.wait_for(has("no-session", "since the start"))
    terminal.press("q")
    assert terminal.process.wait(10) == 0


def test_once(cube: ConnectedCube) -> None:
    shown = ctl(cube.api, "top", "--once", "--interval", "1.5", "--sort", "active", COLUMNS="80").splitlines()
    assert max(map(len, shown)) <= 80
    assert shown[0].startswith("multi  k8slbrp  sort: active")
    row = next(line for line in shown if f"{VIP}:80/TCP" in line)
    assert int(row.split()[2]) == 5


def test_json(cube: ConnectedCube) -> None:
    time.sleep(2)  # figures of sessions are a second old
    new_sessions(cube.network.clients[1], "http", VIP, 80, 3)
    shown = json.loads(ctl(cube.api, "top", "multi", "--json", "--interval", "1.5", "--filter", ":80"))
    (service,) = shown["services"]
    assert service["address"] == f"{VIP}:80/TCP"
    assert service["active-sessions"] >= 5 == len(service["rates"])
    assert {backend["address"] for backend in service["backends"]} == {"10.20.0.1:8080", "10.20.0.2:8080"}
    assert {table["name"] for table in shown["tables"]} >= {"clients", "openings", "flows"}
    assert "no-session" in shown["drops"]


def test_what_makes_no_sense(cube: ConnectedCube) -> None:
    assert "top needs a terminal" in ctl(cube.api, "top", status=3)
    assert "there is no cube x" in ctl(cube.api, "top", "x", "--once", status=3)
    assert "--interval" in ctl(cube.api, "top", "--interval", "0", "--once", status=3)
