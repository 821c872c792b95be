"""What it costs to keep a change does not depend on how much there is."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from testbed.api import Api
from testbed.host import SERVICE_LIBRARY, start_host
from testbed.lab import Lab

pytestmark = pytest.mark.root

CHANGES = 20


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


def bytes_a_change(api: Api, pid: int) -> float:
    before = written(pid)
    for number in range(CHANGES):
        path = f"k8slbrp/lb1/service/10.200.0.{number}/80/TCP"
        api.post(path, {"backend": [{"ip": "10.1.1.1", "port": 80}]})
        api.patch(f"{path}/backend/10.1.1.1/weight", 7)
        api.delete(path)
    return (written(pid) - before) / (3 * CHANGES)


def written(pid: int) -> int:
    """By system calls, whether or not it is on the disk."""
    counters = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(counters["wchar"])


def test_cost_follows_the_change(lab: Lab, tmp_path: Path) -> None:
    options = ["--cubes-dump-enable", "--cubes-dump-file", str(tmp_path / "cubes.json")]
    api, process = start_host(
        lab, None, *options, "--service", f"k8slbrp={SERVICE_LIBRARY}", log=tmp_path / "log"
    )
    api.post("k8slbrp/lb1")
    few = bytes_a_change(api, process.pid)
    first = IPv4Address("10.96.0.0")
    for batch in range(0, 5000, 1000):
        services = [{"vip": str(first + n), "vport": 80, "proto": "TCP"} for n in range(batch, batch + 1000)]
        api.post("k8slbrp/lb1/service", services)
    many = bytes_a_change(api, process.pid)
    print(f"{few:.0f} bytes a change with no other service, {many:.0f} with 5,000")
    assert many < 2 * few
    api.delete("k8slbrp/lb1")
    lab.stop(process)
