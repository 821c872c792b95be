"""How fast the control plane is, over REST, and how much memory cubes take."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import host as bench_host
from bench import kernel, services, stats
from bench.host import Host
from pcnhost.engine import state
from testbed.host import SERVICE_LIBRARY, resident_kb, start_host
from testbed.lab import Lab

BACKENDS = 10
CUBE = "lb"
_MIB = 1 << 20


@dataclass(frozen=True)
class Scale:
    """Services made one by one, in lists, and at most; endpoint changes; ports; starts of a host."""

    single: int
    services: int
    most: int
    changes: int
    ports: int
    starts: int
    big: int  # backends of one big service


FULL = Scale(single=1_000, services=10_000, most=20_000, changes=300, ports=20, starts=3, big=100)
QUICK = Scale(single=20, services=200, most=400, changes=10, ports=2, starts=1, big=20)


def measure(quick: bool) -> dict[str, Any]:
    """Times in milliseconds, rates per second, memory in MiB."""
    scale = QUICK if quick else FULL
    # Here the compiler is measured as well, so that it has to run.
    with Lab() as lab, bench_host.running(lab, "--compile-cache", "") as running:
        report: dict[str, Any] = {
            "backends per service": BACKENDS,
            "services": scale.services,
            **_program(lab, running, scale),
        }
    return report | {"starts": _starts(scale)}


def _program(lab: Lab, running: Host, scale: Scale) -> dict[str, Any]:
    api, cube = running.api, f"k8slbrp/{CUBE}"
    report: dict[str, Any] = {}
    created = ms(api.post, cube, {"port_mode": "MULTI"})
    report["create a cube, ms"] = stats.summary([created])
    uses = {"idle": memory(running)}

    one_by_one = (services.service(number, BACKENDS) for number in range(scale.single))
    times = [ms(api.post, _path(body), {"backend": body["backend"]}) for body in one_by_one]
    report["services one by one, per s"] = stats.summary([1e3 / time for time in times])

    rates = []
    for batch in services.batches(scale.single, scale.services - scale.single, BACKENDS):
        rates.append(len(batch) / ms(api.post, f"{cube}/service", batch) * 1e3)
    report["services in lists, per s"] = stats.summary(rates)
    uses[f"{scale.services} services"] = memory(running)

    report["one endpoint change, ms"] = _endpoint_changes(running, scale)
    report["read all services, ms"] = stats.summary([ms(api.get, f"{cube}/service") for _ in range(3)])
    report["a service of many backends"] = _big_service(running, scale)
    report["attach a pod, ms"] = _attach(lab, running, scale)

    services.create(api, CUBE, scale.services, scale.most - scale.services, BACKENDS)
    uses[f"{scale.most} services"] = memory(running)
    report["memory, MiB"] = uses
    removed = ms(api.delete, f"{cube}/service")
    report["services removed all at once, per s"] = stats.summary([scale.most / removed * 1e3])
    return report


def _path(body: services.Body) -> str:
    return f"k8slbrp/{CUBE}/service/{body['vip']}/{body['vport']}/{body['proto']}"


def ms(call: Callable[..., object], *arguments: object) -> float:
    start = time.perf_counter()
    call(*arguments)
    return (time.perf_counter() - start) * 1e3


def _endpoint_changes(running: Host, scale: Scale) -> dict[str, Any]:
    """A backend leaves a service and comes back, each time another service."""
    chosen = random.Random(1).choices(range(scale.services), k=scale.changes)
    leaving: list[float] = []
    coming: list[float] = []
    weighing: list[float] = []
    for number in chosen:
        entry = services.backend(number, BACKENDS - 1)
        path = f"{_path(services.service(number, 0))}/backend/{entry['ip']}"
        weighing.append(ms(running.api.patch, path, {"weight": 2}))
        leaving.append(ms(running.api.delete, path))
        coming.append(ms(running.api.post, path, entry))
    samples = {"add": coming, "remove": leaving, "reweight": weighing}
    return {
        name: stats.summary(taken) | {"p99": stats.percentile(taken, 99)} for name, taken in samples.items()
    }


def _big_service(running: Host, scale: Scale) -> dict[str, Any]:
    """Up to `big` backends, one by one and in a list."""
    number = scale.most + 1
    path = _path(services.service(number, 0))
    entries = [
        {"ip": f"10.200.{index // 250}.{index % 250 + 1}", "port": services.BACKEND_PORT}
        for index in range(scale.big)
    ]
    running.api.post(path, {})
    times = [ms(running.api.post, f"{path}/backend/{entry['ip']}", entry) for entry in entries]
    running.api.delete(f"{path}/backend")
    in_list = ms(running.api.post, f"{path}/backend", entries)
    running.api.delete(path)
    return {
        "backends": scale.big,
        "one by one, per s": stats.summary([1e3 / time for time in times]),
        "in a list, per s": stats.summary([scale.big / in_list * 1e3]),
    }


def _attach(lab: Lab, running: Host, scale: Scale) -> dict[str, Any]:
    """A port with its peer: one request, as polykube sends it for a new pod; and the pod's end."""
    namespace = lab.namespace("pods")
    coming: list[float] = []
    leaving: list[float] = []
    for number in range(1, scale.ports + 1):
        peer = lab.link(f"p{number}", namespace, f"p{number}")
        body = {"type": "FRONTEND", "ip": f"10.10.1.{number}", "peer": peer}
        path = f"k8slbrp/{CUBE}/ports/pod{number}"
        coming.append(ms(running.api.post, path, body))
    for number in range(1, scale.ports + 1):
        leaving.append(ms(running.api.delete, f"k8slbrp/{CUBE}/ports/pod{number}"))
    return {"attach": stats.summary(coming), "detach": stats.summary(leaving)}


def memory(running: Host) -> dict[str, Any]:
    """Kernel memory by map, and the resident memory of the host and of its compiler, a process of its own."""
    maps = {path.name: _map_mib(path) for path in sorted(running.map_path(CUBE, "").iterdir())}
    host = running.process.pid
    children = " ".join(path.read_text() for path in Path(f"/proc/{host}/task").glob("*/children"))
    return {
        "maps": round(sum(maps.values()), 2),
        "by map": {name: mib for name, mib in maps.items() if mib >= 0.1},
        "process": _resident_mib(host),
        "compiler": round(sum(_resident_mib(int(pid)) for pid in children.split()), 1),
    }


def _resident_mib(pid: int) -> float:
    return round(resident_kb(pid) * 1024 / _MIB, 1)


def _map_mib(path: Path) -> float:
    fd = kernel.open_map(path)
    try:
        return round(kernel.memory(fd) / _MIB, 2)
    finally:
        os.close(fd)


def _starts(scale: Scale) -> dict[str, Any]:
    """Until a host answers: cold, as after a boot, and again with what it left in the kernel; from the same dump."""
    taken: dict[str, list[float]] = {"empty, ms": [], "cold, ms": [], "warm, ms": []}
    for _ in range(scale.starts):
        with Lab() as lab, bench_host.running(lab) as host:
            lab.stop(host.process)
            for name, samples in taken.items():
                if name == "cold, ms":
                    state.remove(host.state_dir)
                samples.append(_start(lab, host, scale, fill=name == "empty, ms"))
    return {name: stats.summary(samples) for name, samples in taken.items()}


def _start(lab: Lab, host: Host, scale: Scale, fill: bool) -> float:
    """Milliseconds until a host with the dump of the one before answers; with `fill`, then makes the services."""
    options = ["--loglevel", "warn", "--service", f"k8slbrp={SERVICE_LIBRARY}"]
    options += ["--cubes-dump-enable", "--cubes-dump-file", str(host.scratch / "cubes.yaml")]
    began = time.perf_counter()
    api, process = start_host(lab, None, *options, log=host.scratch / "log")
    milliseconds = (time.perf_counter() - began) * 1e3
    if fill:
        api.post(f"k8slbrp/{CUBE}", {"port_mode": "MULTI"})
        services.create(api, CUBE, 0, scale.services, BACKENDS)
    entries = api.get(f"k8slbrp/{CUBE}/service")
    found = sum(isinstance(entry, dict) for entry in entries)  # the last one lists links
    if found != scale.services:
        raise RuntimeError(f"{found} of {scale.services} services are there")
    lab.stop(process)
    return milliseconds
