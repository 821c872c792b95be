"""What polykube's pattern of requests costs the host: events among many services, its start, pods that come.

Host time is from the sending of a request to the end of its answer, whole-cube reads included; what the operator
itself takes for decoding and comparing is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bench import host as bench_host
from bench import stats
from testbed.api import Api
from testbed.lab import Lab
from testbed.polykube import CUBES, Cni, Operator, Requests, Service, ServicePort

BACKENDS = 10
INTERNAL = CUBES["k8slbrp"][0]
_BATCH = 500  # services with their backends in one request
_NODE_IP, _POD_CIDR = "192.168.100.1", "10.10.1.0/24"


@dataclass(frozen=True)
class Scale:
    services: int
    events: int  # of each kind
    start: int  # services that an operator finds when it starts
    pods: int
    attaches: int  # at few and at many pods


FULL = Scale(services=10_000, events=20, start=5_000, pods=120, attaches=100)
QUICK = Scale(services=100, events=3, start=20, pods=4, attaches=5)


def measure(quick: bool) -> dict[str, Any]:
    scale = QUICK if quick else FULL
    report: dict[str, Any] = {"services": scale.services, "backends per service": BACKENDS}
    with Lab() as lab, _operator(lab) as (api, to, operator):
        _fill(api, scale.services)
        report["one event, ms"] = _events(to, operator, scale)
    with Lab() as lab, _operator(lab) as (_, to, operator):
        report["start"] = {"services": scale.start, "s": round(_start(to, operator, scale.start), 2)}
    with Lab() as lab, _operator(lab) as (_, to, _):
        report["attach a pod, ms"] = _attach(lab, to, scale)
    return report


@contextmanager
def _operator(lab: Lab) -> Iterator[tuple[Api, Requests, Operator]]:
    """An operator that has started, with the host it speaks to."""
    with bench_host.running(lab) as running:
        to = Requests(url=running.api.url)
        operator = Operator(to, _NODE_IP, _POD_CIDR)
        operator.start()
        yield running.api, to, operator


def _service(number: int) -> Service:
    vip = f"10.{96 + number // 62500}.{number // 250 % 250}.{number % 250 + 1}"
    return Service(f"default/s{number}", vip, (ServicePort(80),))


def _endpoint(service: int, number: int) -> tuple[str, int]:
    index = service * 16 + number
    return f"10.{10 + index // 62500}.{index // 250 % 250}.{index % 250 + 1}", 8080


def _fill(api: Api, count: int) -> None:
    for first in range(0, count, _BATCH):
        entries = []
        for number in range(first, min(first + _BATCH, count)):
            service = _service(number)
            ends = [_endpoint(number, n) for n in range(BACKENDS)]
            backends = [{"name": service.name, "ip": a, "port": port} for a, port in ends]
            entry = {"name": service.name, "vip": service.cluster_ip, "vport": 80, "proto": "TCP"}
            entries.append({**entry, "backend": backends})
        api.post(f"k8slbrp/{INTERNAL}/service", entries)


def _events(to: Requests, operator: Operator, scale: Scale) -> dict[str, Any]:
    """Each event of a service of its own, beyond those that are there."""
    taken: dict[str, list[float]] = {}

    def event(name: str, action: Callable[[], None]) -> None:
        taken.setdefault(name, []).append(_host_ms(to, action))

    for number in range(scale.services, scale.services + scale.events):
        service = _service(number)
        ends = [_endpoint(number, n) for n in range(BACKENDS + 1)]
        event("Service, new", lambda s=service: operator.sync_service(s))  # type: ignore[misc]
        event("Service, nothing to do", lambda s=service: operator.sync_service(s))  # type: ignore[misc]
        for name, ready in (("Endpoints, all new", ends[:-1]), ("Endpoints, one for another", ends[1:])):
            event(name, lambda s=service, r=ready: operator.sync_endpoints(s, {(80, "TCP"): r}))  # type: ignore[misc]
        event("Service, deleted", lambda s=service: operator.delete_service(s.name))  # type: ignore[misc]
    return {name: stats.summary(samples) for name, samples in taken.items()}


def _start(to: Requests, operator: Operator, count: int) -> float:
    """Seconds of host time for all services and then all endpoints, one by one."""
    to.seconds = 0.0
    for number in range(count):
        operator.sync_service(_service(number))
    for number in range(count):
        ready = [_endpoint(number, n) for n in range(BACKENDS)]
        operator.sync_endpoints(_service(number), {(80, "TCP"): ready})
    return to.seconds


def _attach(lab: Lab, to: Requests, scale: Scale) -> dict[str, Any]:
    """The last pod comes and goes, while there are few others and while there are many."""
    cni = Cni(to)
    namespace = lab.namespace("pods")
    netdevs = [lab.link(f"p{n}", namespace, f"p{n}") for n in range(scale.pods)]
    report: dict[str, Any] = {}
    for present in (1, scale.pods):
        for number in range(0 if present == 1 else 1, present - 1):
            cni.add(_pod(number), netdevs[number])
        last = present - 1
        samples = []
        for _ in range(scale.attaches):
            samples.append(_host_ms(to, lambda n=last: cni.add(_pod(n), netdevs[n])))  # type: ignore[misc]
            cni.delete(_pod(last))
        report[f"{present} pods"] = stats.summary(samples) | {"p99": stats.percentile(samples, 99)}
        cni.add(_pod(last), netdevs[last])
    return report


def _pod(number: int) -> str:
    return f"10.10.1.{number + 4}"


def _host_ms(to: Requests, action: Callable[[], None]) -> float:
    to.seconds = 0.0
    action()
    return to.seconds * 1e3
