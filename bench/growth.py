"""How the control plane grows: the clusters that kube-proxy is judged by, reading, one change beside many services."""

from __future__ import annotations

import http.client
import random
import time
from dataclasses import dataclass
from typing import Any

from bench import control, services, stats
from bench import host as bench_host
from bench.host import Host
from testbed.lab import Lab

CUBE = control.CUBE
_LIST_ENTRIES = 2_000  # services and backends in one request, of which hosts read up to 1 MiB


@dataclass(frozen=True)
class Scale:
    """(services, backends each) of the clusters and when reading; services, of one backend, when changing."""

    clusters: tuple[tuple[int, int], ...]
    reads: tuple[tuple[int, int], ...]
    changes: tuple[int, ...]
    samples: int


FULL = Scale(
    clusters=((44_125, 1), (5_006, 50)),
    reads=((1_000, 10), (10_000, 10), (40_000, 5)),  # a cube holds 262,144 backends
    changes=(10, 1_000, 60_000),
    samples=200,
)
QUICK = Scale(clusters=((20, 50),), reads=((20, 10), (50, 5)), changes=(10, 100), samples=10)


def measure(quick: bool) -> dict[str, Any]:
    """Seconds, milliseconds and MiB, as the names say."""
    scale = QUICK if quick else FULL
    return {
        "clusters": {f"{count:,} x {each}": _cluster(count, each) for count, each in scale.clusters},
        "read a whole cube": _reads(scale),
        "one change, ms": {
            "without persistence": _changes(scale, persistence=False),
            "with persistence": _changes(scale, persistence=True),
        },
    }


def _fill(running: Host, first: int, count: int, backends: int) -> None:
    at_a_time = max(1, _LIST_ENTRIES // (backends + 1))
    for batch in services.batches(first, count, backends, at_a_time):
        running.api.post(f"k8slbrp/{CUBE}/service", batch)


def _cluster(count: int, backends: int) -> dict[str, Any]:
    with Lab() as lab, bench_host.running(lab) as running:
        running.api.post(f"k8slbrp/{CUBE}", {})
        start = time.perf_counter()
        _fill(running, 0, count, backends)
        taken = time.perf_counter() - start
        return {"load, s": round(taken, 2), **control.memory(running)}


def _reads(scale: Scale) -> dict[str, Any]:
    """Until the last byte is at the client, which does not parse it; and what the host needs for that."""
    report = {}
    for count, backends in scale.reads:
        with Lab() as lab, bench_host.running(lab) as running:
            running.api.post(f"k8slbrp/{CUBE}", {})
            _fill(running, 0, count, backends)
            before = control.memory(running)["process"]
            taken = [control.ms(_read, running, f"k8slbrp/{CUBE}") for _ in range(10)]
            grown = round(control.memory(running)["process"] - before, 1)
            scraped = [control.ms(_read, running, "metrics") for _ in range(5)]
            report[f"{count:,} x {backends}"] = {
                "ms": stats.summary(taken),
                "grown, MiB": grown,
                "scrape, ms": stats.summary(scraped),
            }
    return report


def _read(running: Host, path: str) -> None:
    """A connection of its own each time, as of a client that comes back after a while."""
    authority = running.api.url.split("/")[2]
    connection = http.client.HTTPConnection(authority, timeout=60)
    connection.request("GET", f"/polycube/v1/{path}")
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status != http.client.OK:
        raise RuntimeError(f"{path} cannot be read: {answer.status}")


def _changes(scale: Scale, persistence: bool) -> dict[str, Any]:
    """A backend of one service or another gets another weight; by the number of services."""
    report = {}
    with Lab() as lab:
        dump = ("--cubes-dump-enable", "--cubes-dump-file", f"/run/{lab.prefix}.json") if persistence else ()
        with bench_host.running(lab, *dump) as running:
            running.api.post(f"k8slbrp/{CUBE}", {})
            there = 0
            for count in scale.changes:
                _fill(running, there, count - there, 1)
                there = count
                chosen = random.Random(1).choices(range(count), k=scale.samples)
                taken = [_change_ms(running, number, weight) for weight, number in enumerate(chosen, 1)]
                report[f"{count:,} services"] = stats.summary(taken)
    return report


def _change_ms(running: Host, number: int, weight: int) -> float:
    body = services.service(number, 1)
    path = f"k8slbrp/{CUBE}/service/{body['vip']}/{body['vport']}/TCP/backend/{body['backend'][0]['ip']}"
    return control.ms(running.api.patch, path, {"weight": weight})
