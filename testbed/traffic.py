"""Sessions from the clients of a topology, new ones and held ones."""

from __future__ import annotations

import json
import re
import signal
import sys
import threading
from dataclasses import dataclass

from testbed.lab import Lab, run


def new_sessions(namespace: str, protocol: str, vip: str, port: int, count: int) -> dict[str, int]:
    """Open `count` sessions ("http" or "udp") one by one; returns who answered how many, "" for nobody."""
    command = [sys.executable, "-m", "testbed.client", protocol, vip, str(port), str(count)]
    answers: dict[str, int] = json.loads(run(command, namespace, timeout=300))
    return answers


@dataclass(frozen=True)
class HolderState:
    """`servers` counts the connections that live on by the server they have always had."""

    alive: int
    broken: int
    servers: dict[str, int]


class Holder:
    """Keeps connections open from inside a namespace."""

    def __init__(self, lab: Lab, namespace: str, vip: str, port: int, count: int) -> None:
        command = [sys.executable, "-m", "testbed.holder", vip, str(port), str(count)]
        self._lab = lab
        self._process = lab.start(command, namespace, ready="ready")

    def check(self) -> HolderState:
        """Use every connection once."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        stdin.write("check\n")
        stdin.flush()
        return HolderState(**json.loads(stdout.readline()))

    def close(self) -> None:
        self._lab.stop(self._process)


class Pings:
    """Echo requests, 200 in a second, from inside a namespace: nobody sends again what is lost."""

    def __init__(self, lab: Lab, namespace: str, address: str) -> None:
        self._process = lab.start(["ping", "-i", "0.005", address], namespace)

    def end(self) -> tuple[int, int]:
        """How many were sent, and how many of them, but for one that may be on its way, got no answer."""
        self._process.send_signal(signal.SIGINT)
        said, _ = self._process.communicate(timeout=30)
        sent, received = (int(count) for count in re.findall(r"(\d+) (?:packets transmitted|received)", said))
        return sent, max(0, sent - received - 1)


class Newcomers(threading.Thread):
    """Opens new connections all the time; `lost` is how many nobody has answered."""

    def __init__(self, namespace: str, address: str, port: int) -> None:
        super().__init__()
        self._where = (namespace, "http", address, port)
        self._ended = False
        self.opened = self.lost = 0

    def run(self) -> None:
        while not self._ended:
            answers = new_sessions(*self._where, 20)
            self.opened += sum(answers.values())
            self.lost += answers.get("", 0)

    def end(self) -> None:
        self._ended = True
        self.join()
