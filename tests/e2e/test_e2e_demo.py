"""`make demo DEMO=--keep`: what it says how to explore it works, line by line, and nothing stays behind."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from testbed.host import free_port
from testbed.lab import run

pytestmark = pytest.mark.root

READY, LAST = "Everything stays up", "the end of it"


def test_the_demo_can_be_explored_as_it_says() -> None:
    before = run(["ip", "netns", "list"])
    command = [sys.executable, "-m", "testbed.demo", "--keep", "--port", str(free_port())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        try:
            assert demo.stdout
            said: list[str] = []
            for line in demo.stdout:
                said.append(line.strip())
                if line.strip().endswith(LAST):
                    break
            start = next(number for number, line in enumerate(said) if READY in line)
            _explore(said[start + 1 :])
        finally:
            demo.send_signal(signal.SIGTERM)
            demo.wait(60)
    assert run(["ip", "netns", "list"]) == before


def _explore(lines: list[str]) -> None:
    settings, *commands = lines
    assert settings.startswith("export ")
    assert len(commands) >= 8
    for command in commands:
        # A terminal shows `top` until q; without one it has a picture to give.
        once = command.replace("  # rates", " --once --interval 1  # rates")
        done = subprocess.run(
            ["bash", "-c", f"{settings}\n{once}"], capture_output=True, text=True, timeout=120, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), command
        assert done.stdout or "set weight" in command or command.endswith(LAST), command
