"""The example at work: built as its README says, loaded into a host, with packets between two namespaces."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from testbed.api import Api, ApiError
from testbed.host import PROJECT, load_service, start_host
from testbed.lab import Lab, ip, run
from tests.rest.test_transcripts import Shell
from tests.rest.transcript import steps

pytestmark = pytest.mark.root

HERE = Path(__file__).parent
BUILD = PROJECT / "build" / "ratelimiter"
ADDRESSES = {"left": "10.30.0.1", "right": "10.30.0.2"}
FRAME = 1000  # bytes of each packet sent, headers included

SEND = f"""
import socket, sys, time
address, count, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
    began, sent = time.monotonic(), 0
    while sent < count and time.monotonic() - began < seconds:
        try:
            sent += bool(sender.sendto(bytes({FRAME} - 14 - 20 - 8), (address, 7000)))
        except ConnectionRefusedError:
            pass
print(sent, began, time.monotonic())
"""


@dataclass
class Limited:
    """A cube of the service between two namespaces, "left" and "right", each behind the port of its name."""

    api: Api
    cube: str
    namespaces: dict[str, str]

    def port(self, name: str) -> dict[str, Any]:
        port: dict[str, Any] = self.api.get(f"{self.cube}/ports/{name}")
        return port

    def limit(self, name: str, **settings: int) -> None:
        self.api.patch(f"{self.cube}/ports/{name}", settings)

    def sender(self, side: str, count: int, seconds: float = 30, cpu: int = 0) -> list[str]:
        other = ADDRESSES["right" if side == "left" else "left"]
        cpus = sorted(os.sched_getaffinity(0))
        argv = [sys.executable, "-c", SEND, other, str(count), str(seconds)]
        namespace = self.namespaces[side]
        return ["ip", "netns", "exec", namespace, "taskset", "-c", str(cpus[cpu % len(cpus)]), *argv]

    def send(self, side: str, count: int) -> float:
        """Send packets to the other side; returns how long that took."""
        _, began, ended = map(float, run(self.sender(side, count)).split())
        return ended - began

    def received(self, side: str) -> int:
        links = json.loads(run(["ip", "-s", "-j", "link", "show", "eth0"], self.namespaces[side]))
        return int(links[0]["stats64"]["rx"]["packets"])


@pytest.fixture(scope="module")
def library() -> Path:
    """The service, built by the commands of README.md."""
    text = (HERE / "README.md").read_text()
    commands = [line.removeprefix("    ") for line in text.splitlines() if line.startswith("    cmake ")]
    assert len(commands) == 2
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment["VIRTUAL_ENV"] = sys.prefix
    for command in commands:
        done = subprocess.run(
            command, shell=True, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return BUILD / "libpcn-ratelimiter.so"


@pytest.fixture(scope="module")
def api(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with Lab() as lab:
        api, _ = start_host(lab, log=tmp_path_factory.mktemp("pcnhost") / "log")
        load_service(api, library, "ratelimiter")
        yield api


@pytest.fixture(params=["TC", "XDP_SKB"])
def limited(api: Api, request: pytest.FixtureRequest) -> Iterator[Limited]:
    with Lab() as lab:
        limited = Limited(api, "ratelimiter/rl", {})
        api.post(limited.cube, {"type": request.param})
        macs = {}
        for side, address in ADDRESSES.items():
            namespace = limited.namespaces[side] = lab.namespace(side)
            netdev = lab.link(side[0], namespace)
            ip("-n", namespace, "addr", "add", f"{address}/24", "dev", "eth0")
            link = json.loads(run(["ip", "-j", "link", "show", "eth0"], namespace))
            macs[side] = link[0]["address"]
            api.post(f"{limited.cube}/ports/{side}", {"peer": netdev})
        for side, other in (("left", "right"), ("right", "left")):  # no ARP among the packets that count
            neighbour = [ADDRESSES[other], "lladdr", macs[other], "dev", "eth0", "nud", "permanent"]
            ip("-n", limited.namespaces[side], "neigh", "add", *neighbour)
        yield limited
        api.delete(limited.cube)


def test_without_a_rate_everything_passes(limited: Limited) -> None:
    run(["ping", "-c", "3", "-i", "0.05", "-W", "5", ADDRESSES["right"]], limited.namespaces["left"])
    before = limited.received("right")
    limited.send("left", 200)
    assert limited.received("right") - before == 200
    left = limited.port("left")
    assert (left["rate"], left["passed"], left["dropped"]) == (0, 203, 0)


def test_a_burst_passes_and_what_exceeds_it_is_dropped(limited: Limited) -> None:
    limited.limit("left", rate=8, burst=10 * FRAME)  # a packet per second
    before = limited.received("right")
    seconds = limited.send("left", 50)
    passed = limited.received("right") - before
    assert 11 <= passed <= 11 + seconds + 1
    left, right = limited.port("left"), limited.port("right")
    assert (left["passed"], left["dropped"]) == (passed, 50 - passed)
    assert right["dropped"] == 0, "each direction has a limit of its own"


def test_a_new_rate_counts_at_once(limited: Limited) -> None:
    limited.limit("left", rate=8, burst=1 << 24)
    limited.send("left", 50)  # would keep the port busy for 50 s
    limited.limit("left", rate=8, burst=1500)
    before = limited.received("right")
    limited.send("left", 1)
    assert limited.received("right") - before == 1


@pytest.mark.serial
def test_two_cpus_together_keep_to_the_rate(limited: Limited) -> None:
    rate, burst = 80_000, 200_000  # 10 packets per ms
    limited.limit("left", rate=rate, burst=burst)
    commands = [limited.sender("left", 10**9, seconds=1.5, cpu=cpu) for cpu in range(2)]
    senders = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    outputs = [map(float, sender.communicate(timeout=60)[0].split()) for sender in senders]
    counts, begins, ends = zip(*outputs, strict=True)
    sent, seconds = sum(counts), max(ends) - min(begins)  # one may begin later than the other
    port = limited.port("left")
    assert port["passed"] + port["dropped"] == sent
    allowed = rate * 125 * seconds + burst
    assert port["passed"] * FRAME <= 1.05 * allowed + len(commands) * FRAME
    assert port["passed"] * FRAME >= min(sent * FRAME, 0.5 * allowed)


@pytest.mark.parametrize(
    ("method", "path", "body", "complaint"),
    [
        ("PATCH", "ports/left", {"burst": 100}, "burst: 100 is out of range"),
        ("PATCH", "ports/left", {"rate": 5, "peer": "none"}, "none"),
        ("POST", "ports/third", {}, "ports: 3 ports are too many, a rate limiter stands between two"),
        ("POST", "ports/left", {}, "Port left already exists"),
        ("DELETE", "ports/third", None, "Port third does not exist"),
    ],
)
def test_bad_requests_change_nothing(
    limited: Limited, method: str, path: str, body: dict[str, Any] | None, complaint: str
) -> None:
    before = limited.api.get(limited.cube)
    with pytest.raises(ApiError, match=complaint) as refusal:
        limited.api.request(method, f"{limited.cube}/{path}", body)
    assert 400 <= refusal.value.status < 500
    assert limited.api.get(limited.cube) == before


def test_commands_of_the_readme(library: Path, tmp_path: Path) -> None:
    with Lab() as lab:
        shell = Shell(lab.namespace("t"), tmp_path)
        try:
            for step in steps(HERE / "README.md"):
                output = shell.run(step.command)
                assert step.matches(output), f"{step.command}\nprints\n{output}\nand not\n{step.printed}"
        finally:
            shell.close()
