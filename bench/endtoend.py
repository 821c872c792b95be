"""What clients and servers notice: throughput, latency, new connections, datagrams."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from bench import cputime, stats
from bench import host as bench_host
from bench.balancers import BALANCERS, IPERF_PORT, SERVER_PORT, Way
from bench.host import Host
from testbed.host import PROJECT
from testbed.lab import Lab, run

_LOAD = PROJECT / "build" / "bench" / "load"
PARALLEL = 32
UDP_SESSIONS = 20_000
_seeds = itertools.count()


# Short samples in many turns: what disturbs one way disturbs its neighbour alike.
SECONDS = "0.4"


@dataclass(frozen=True)
class Scale:
    """Rounds of samples, and the numbers of services. Throughput takes a second a sample, so it gets fewer."""

    rounds: int
    long_rounds: int
    services: tuple[int, ...]
    profile_seconds: str


FULL = Scale(rounds=15, long_rounds=7, services=(10, 10_000), profile_seconds="4")
QUICK = Scale(rounds=1, long_rounds=1, services=(10,), profile_seconds=SECONDS)

Figures = dict[str, float]


def measure(quick: bool) -> dict[str, Any]:
    """Figures by number of services, metric and way; ratios are to the plain redirect in the same round."""
    scale = QUICK if quick else FULL
    build_load()
    report: dict[str, Any] = {
        "units": {name: metric.unit for name, metric in METRICS.items()},
        "parallel connections": PARALLEL,
        "CPU time of a new connection, us": {},
    }
    for number_of_services in scale.services:
        with Lab() as lab, bench_host.running(lab) as running:
            setup = f"{number_of_services} services"
            ways = _ways(lab, running, number_of_services)
            report[setup] = _measure(ways, scale)
            report["CPU time of a new connection, us"][setup] = {
                name: cputime.of_each(partial(_connect_on_one_cpu, way, scale.profile_seconds))
                for name, way in ways.items()
            }
    return report


def build_load() -> None:
    _LOAD.parent.mkdir(parents=True, exist_ok=True)
    source = Path(__file__).parent / "programs" / "load.c"
    subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-o", str(_LOAD), str(source)], check=True)


def _ways(lab: Lab, running: Host, number_of_services: int) -> dict[str, Way]:
    ways = {}
    for name, balancer in BALANCERS.items():
        ways[name] = balancer(lab, running, name, number_of_services)
        _start_servers(lab, ways[name])
    for way in ways.values():
        _wait_until_reachable(way)
    return ways


def _measure(ways: dict[str, Way], scale: Scale) -> dict[str, Any]:
    report: dict[str, Any] = {}
    for probe in PROBES:
        measurements = {
            name: partial(probe.run, way) for name, way in ways.items() if way.udp or not probe.udp
        }
        rounds = scale.long_rounds if probe.long else scale.rounds
        taken = stats.in_turns(measurements, rounds, warm_up=min(1, rounds - 1))
        for metric in probe.metrics:
            samples = {name: [sample[metric] for sample in of_way] for name, of_way in taken.items()}
            report[metric] = {
                name: {
                    "value": stats.summary(values),
                    "ratio": stats.summary(stats.ratios(values, samples["redirect"])),
                    "over nftables": stats.summary(stats.ratios(values, samples["nftables"])),
                }
                for name, values in samples.items()
            }
    return report


def _start_servers(lab: Lab, way: Way) -> None:
    lab.start(_pinned(-1, str(_LOAD), "server", str(SERVER_PORT)), way.server, ready="ready")
    lab.start(_pinned(-1, "iperf3", "-s", "-p", str(IPERF_PORT)), way.server, stderr=subprocess.DEVNULL)


def _wait_until_reachable(way: Way) -> None:
    """haproxy takes a while to listen to thousands of addresses."""
    last = way.addresses - 1
    for attempt in range(100):
        try:
            for number in (0, last):
                _load(way, "connect", _nth(way.first, number), "1", str(way.port), "0.05", "1")
            _iperf(way)
            return
        except RuntimeError:
            if attempt == 99:
                raise


def _nth(address: str, number: int) -> str:
    return str(IPv4Address(address) + number)


def _pinned(cpu: int, *argv: str) -> list[str]:
    """Clients get the first CPU, servers the last: moving around would blur the figures."""
    return ["taskset", "-c", str(sorted(os.sched_getaffinity(0))[cpu]), *argv]


def _load(way: Way, *arguments: str, cpu: int = 0) -> Figures:
    answer: Figures = json.loads(run(_pinned(cpu, str(_LOAD), *arguments), way.client))
    if not answer.get("connections", 1):
        raise RuntimeError(f"nobody answers at {arguments[1]}")
    return answer


def _iperf(way: Way) -> Figures:
    first = _nth(way.first, 0)
    argv = _pinned(0, "iperf3", "-c", first, "-p", str(IPERF_PORT), "-t", "1", "-J")
    report = json.loads(run(argv, way.client))
    return {"throughput": report["end"]["sum_received"]["bits_per_second"] / 1e9}


def _latency(way: Way) -> Figures:
    figures = _load(way, "latency", way.first, str(way.port), SECONDS)
    return {"latency_p50": figures["p50_us"], "latency_p99": figures["p99_us"]}


def _connect(way: Way, seconds: str, cpu: int = 0) -> Figures:
    arguments = (str(way.addresses), str(way.port), seconds, str(PARALLEL))
    return _load(way, "connect", way.first, *arguments, cpu=cpu)


def _connections(way: Way) -> Figures:
    figures = _connect(way, SECONDS)
    return {"connections": figures["per_second"], "failed": figures["failed"]}


def _connect_on_one_cpu(way: Way, seconds: str) -> float:
    """How many connections there were. On the servers' CPU: it is never idle, so that the areas add up to the time
    that passes."""
    return _connect(way, seconds, cpu=-1)["connections"]


def _udp_sessions(way: Way) -> Figures:
    """A number of them and not a time: more would fill the tables."""
    figures = _load(way, "sessions", way.first, str(way.port), str(UDP_SESSIONS), str(next(_seeds)))
    return {"udp_sessions": figures["per_second"]}


def _datagrams(way: Way) -> Figures:
    return {"datagrams": _load(way, "flood", way.first, str(way.port), SECONDS)["per_second"]}


@dataclass(frozen=True)
class Metric:
    """How a figure is called and whether more of it is better."""

    title: str
    unit: str
    more_is_better: bool


METRICS = {
    "throughput": Metric("TCP throughput, one connection", "Gbit/s", True),
    "latency_p50": Metric("request and response, median", "us", False),
    "latency_p99": Metric("request and response, 99th percentile", "us", False),
    "connections": Metric("new connections", "per second", True),
    "udp_sessions": Metric("new UDP sessions", "per second", True),
    "datagrams": Metric("UDP datagrams of one session", "per second", True),
}


@dataclass(frozen=True)
class Probe:
    """One way of using the service, and which metrics it yields."""

    run: Callable[[Way], Figures]
    metrics: tuple[str, ...]
    udp: bool = False
    long: bool = False


PROBES = (
    Probe(_iperf, ("throughput",), long=True),
    Probe(_latency, ("latency_p50", "latency_p99")),
    Probe(_connections, ("connections",)),
    Probe(_udp_sessions, ("udp_sessions",), udp=True),
    Probe(_datagrams, ("datagrams",), udp=True),
)
