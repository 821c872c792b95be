"""Tables that are full: a clear answer, nothing changed, and room again as soon as something has gone."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from k8slbrp.maps import entries, pins, served, service_entries
from testbed.api import Api, ApiError
from testbed.host import SERVICE_LIBRARY, start_host
from testbed.lab import Lab
from tests.rest.conftest import CUBE, OwnHost

pytestmark = pytest.mark.root

BATCH = 1000
MAX_SERVICES, MAX_CHUNKS = 65_536, 128_768
MAX_BACKENDS_OF_SERVICE = 32_768

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


HEAVY = {"ip": "10.1.0.1", "port": 80, "weight": 65535}  # needs the finest shares: 64 chunks
CHUNKS_OF_HEAVY = 64


def test_chunks(api: Api, own_host: OwnHost) -> None:
    """In a full cube, what needs no room goes on being possible: less, other, and nothing new."""
    uneven = [*backends(1, weight=1), HEAVY]
    fit = MAX_CHUNKS // CHUNKS_OF_HEAVY
    add(api, [service(number, uneven) for number in range(fit)])
    assert service_entries(own_host.state_dir, CUBE)["chunks"] == fit * CHUNKS_OF_HEAVY == MAX_CHUNKS
    needs_none, one_more = service(fit, backends(1, weight=1)), service(fit + 1, uneven)
    refused(api, own_host, [needs_none, one_more], "full.* 128768 chunks")
    add(api, [needs_none])
    first = f"k8slbrp/{CUBE}/service/{service(0, [])['vip']}/80/TCP/backend"
    api.patch(f"{first}/{HEAVY['ip']}", {"port": 81})
    api.put(first, [HEAVY, *backends(1, weight=2)])
    refused(
        api,
        own_host,
        backends(40, weight=1)[1:],
        "full.* chunks",
        f"service/{service(1, [])['vip']}/80/TCP/backend",
    )
    api.delete(f"{first}/{HEAVY['ip']}")
    add(api, [one_more])
    assert service_entries(own_host.state_dir, CUBE)["chunks"] == MAX_CHUNKS


COUNTERS = 8192  # of a cube with 131,072 sessions


def test_a_refusal_takes_no_counters(api: Api, own_host: OwnHost) -> None:
    """Those who come after it have theirs, as if it had never been asked for."""
    some = [*backends(4, weight=1), HEAVY]
    many = [service(number, some) for number in range(MAX_CHUNKS // CHUNKS_OF_HEAVY + 1)]
    assert len(many) * len(some) > COUNTERS
    owners = pins(own_host.state_dir, CUBE) / "counter_owners"
    refused(api, own_host, many, "full.* chunks")
    assert dict(entries(owners)) == {}
    add(api, many[:1])
    assert len(dict(entries(owners))) == len(some)
    for backend in some:
        path = f"k8slbrp/{CUBE}/service/{many[0]['vip']}/80/TCP/backend/{backend['ip']}/stats"
        assert api.get(path)["new-sessions"] == 0


def test_backends_of_one_service(api: Api, own_host: OwnHost) -> None:
    """As many as can be found by their address; it does not matter whether they have a weight."""
    add(api, [service(0, [])])
    path = f"service/{service(0, [])['vip']}/80/TCP/backend"
    *fit, one_more = backends(MAX_BACKENDS_OF_SERVICE + 1, weight=1)
    for first in range(0, len(fit), 8 * BATCH):
        api.post(f"k8slbrp/{CUBE}/{path}", fit[first : first + 8 * BATCH])
    refused(api, own_host, [one_more | {"weight": 0}], "at most 32768 backends", path)
    found = served(own_host.state_dir, CUBE)[str(service(0, [])["vip"]), 80, "tcp"]
    assert found.usable == {(str(backend["ip"]), 8080) for backend in fit}
    api.delete(f"k8slbrp/{CUBE}/{path}/{fit[0]['ip']}")
    api.post(f"k8slbrp/{CUBE}/{path}", [one_more])


def test_a_full_cube_stands_after_a_restart(tmp_path: Path) -> None:
    """Not one entry is written anew, so that no choice changes and no room is needed."""
    uneven = [*backends(1, weight=1), HEAVY]
    fit = MAX_CHUNKS // CHUNKS_OF_HEAVY
    options = ["--cubes-dump-enable", "--cubes-dump-file", str(tmp_path / "cubes")]
    options += ["--service", f"k8slbrp={SERVICE_LIBRARY}"]
    with Lab() as lab:
        api, host = start_host(lab, None, *options, log=tmp_path / "log")
        api.post(f"k8slbrp/{CUBE}", {"port_mode": "MULTI"})
        add(api, [service(number, uneven) for number in range(fit)])
        maps = pins(lab.state_dir, CUBE)
        before = {name: dict(entries(maps / name)) for name in ("services", "vips", "chunks")}
        assert len(before["chunks"]) == MAX_CHUNKS
        lab.stop(host)
        api, host = start_host(lab, None, *options, log=tmp_path / "log")
        assert {name: dict(entries(maps / name)) for name in ("services", "vips", "chunks")} == before
        remove(api, service(0, []))
        add(api, [service(fit, uneven)])
        api.delete(f"k8slbrp/{CUBE}")
