"""Services as REST bodies, many at a time."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address
from itertools import islice
from typing import Any

from bench.packets import VPORT, vip
from testbed.api import Api

Body = dict[str, Any]

BACKEND_PORT = 8080
BATCH = 1000  # services in one request, of which polycubed and pcnhost read up to 1 MiB


def backend(service: int, number: int) -> Body:
    """Backend `number` (below 64) of a service; no two services share one."""
    return {"ip": str(IPv4Address("10.128.0.0") + (service * 64 + number)), "port": BACKEND_PORT, "weight": 1}


def service(number: int, backends: int, proto: str = "TCP") -> Body:
    return {
        "vip": vip(number),
        "vport": 0 if proto == "ICMP" else VPORT,
        "proto": proto,
        "backend": [backend(number, i) for i in range(backends)],
    }


def batches(first: int, count: int, backends: int, size: int = BATCH) -> Iterator[list[Body]]:
    """TCP services `first`, `first` + 1, … in lists of `size`."""
    bodies = (service(number, backends) for number in range(first, first + count))
    while batch := list(islice(bodies, size)):
        yield batch


def create(api: Api, cube: str, first: int, count: int, backends: int) -> None:
    for batch in batches(first, count, backends):
        api.post(f"k8slbrp/{cube}/service", batch)
