"""Tables that are full: a clear answer, nothing changed, and room again as soon as something has gone."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

import pytest

from testbed.api import Api, ApiError
from tests.rest.conftest import CUBE, OwnHost
from tests.rest.maps import service_entries

pytestmark = pytest.mark.root

BATCH = 1000
MAX_SERVICES, MAX_BACKENDS, MAX_CHUNKS = 65_536, 262_144, 524_288
LARGEST_TABLE = 65_537
CHUNKS_OF_LARGEST_TABLE = 1025  # with 64 slots in each

Body = dict[str, Any]


def service(number: int, backends: list[Body]) -> Body:
    return {
        "vip": str(IPv4Address("10.96.0.0") + number),
        "vport": 80,
        "proto": "TCP",
        "backend": backends,
    }


def backends(count: int, weight: int) -> list[Body]:
    first = IPv4Address("10.128.0.0")
    return [{"ip": str(first + number), "port": 8080, "weight": weight} for number in range(count)]


def add(api: Api, services: list[Body]) -> None:
    for first in range(0, len(services), BATCH):
        api.post(f"k8slbrp/{CUBE}/service", services[first : first + BATCH])


def refused(
    api: Api, own_host: OwnHost, body: list[Body] | Body, message: str, path: str = "service"
) -> None:
    before = service_entries(own_host.state_dir, CUBE)
    services = api.get(f"k8slbrp/{CUBE}/service")
    with pytest.raises(ApiError, match=message) as refusal:
        api.post(f"k8slbrp/{CUBE}/{path}", body)
    assert refusal.value.status == 400
    assert service_entries(own_host.state_dir, CUBE) == before
    assert api.get(f"k8slbrp/{CUBE}/service") == services


def remove(api: Api, body: Body) -> None:
    api.delete(f"k8slbrp/{CUBE}/service/{body['vip']}/80/TCP")


def test_services(api: Api, own_host: OwnHost) -> None:
    *services, last, one_more = [service(number, []) for number in range(MAX_SERVICES + 1)]
    add(api, services)
    refused(api, own_host, [last, one_more], "full.* 65536 services")
    add(api, [last])
    refused(api, own_host, [one_more], "full.* 65536 services")
    remove(api, last)
    add(api, [one_more])
    assert service_entries(own_host.state_dir, CUBE)["services"] == MAX_SERVICES


def test_backends(api: Api, own_host: OwnHost) -> None:
    """Without weight, so that they need nothing else."""
    full, rest = divmod(MAX_BACKENDS, BATCH)
    for number in range(full):
        add(api, [service(number, backends(BATCH, weight=0))])
    last = service(full, backends(rest, weight=0))
    add(api, [last])
    one_more = service(full + 1, backends(1, weight=0))
    path = f"service/{last['vip']}/80/TCP/backend"
    refused(api, own_host, [one_more], "full.* 262144 backends")
    refused(api, own_host, {"port": 80}, "full.* 262144 backends", f"{path}/10.200.0.1")
    api.delete(f"k8slbrp/{CUBE}/{path}/10.128.0.0")
    add(api, [one_more])
    assert service_entries(own_host.state_dir, CUBE)["backends"] == MAX_BACKENDS


def test_slots(api: Api, own_host: OwnHost) -> None:
    uneven = [*backends(1, weight=1), {"ip": "10.1.0.1", "port": 80, "weight": 500}]
    fit = MAX_CHUNKS // CHUNKS_OF_LARGEST_TABLE
    for number in range(fit):
        add(api, [service(number, uneven)])
    needs_none, one_more = service(fit, backends(2, weight=1)), service(fit + 1, uneven)
    refused(api, own_host, [needs_none, one_more], "full.* slots are in use")
    add(api, [needs_none])
    remove(api, service(0, []))
    add(api, [one_more])
    assert service_entries(own_host.state_dir, CUBE)["slots"] == fit * CHUNKS_OF_LARGEST_TABLE


def test_backends_of_one_service(api: Api, own_host: OwnHost) -> None:
    """Each has a slot; without weight it needs none."""
    add(api, [service(0, [])])
    path = f"service/{service(0, [])['vip']}/80/TCP/backend"
    *fit, one_more = backends(LARGEST_TABLE + 1, weight=1)
    for first in range(0, len(fit), BATCH):
        api.post(f"k8slbrp/{CUBE}/{path}", fit[first : first + BATCH])
    refused(api, own_host, [one_more], "at most 65537 backends", path)
    api.post(f"k8slbrp/{CUBE}/{path}", [one_more | {"weight": 0}])
    with pytest.raises(ApiError, match="at most 65537 backends"):
        api.patch(f"k8slbrp/{CUBE}/{path}/{one_more['ip']}", {"weight": 1})
    found = service_entries(own_host.state_dir, CUBE)
    assert (found["slots"], found["backends"]) == (CHUNKS_OF_LARGEST_TABLE, LARGEST_TABLE + 1)
