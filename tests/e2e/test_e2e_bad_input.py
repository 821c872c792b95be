"""What killed, hung or confused the historical service: now a clear error, and nothing changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from testbed.api import Api

pytestmark = pytest.mark.root

SERVICE = "service/10.96.0.1/80/TCP"


@contextmanager
def _cube(api: Api, name: str) -> Iterator[str]:
    url = f"{api.url}/k8slbrp/{name}"
    api.post(f"k8slbrp/{name}", {"port_mode": "MULTI"})
    api.post(f"k8slbrp/{name}/ports/be", {"type": "BACKEND"})
    api.post(f"k8slbrp/{name}/ports/fe", {"type": "FRONTEND", "ip": "10.0.0.1"})
    api.post(f"k8slbrp/{name}/{SERVICE}", {"backend": [{"ip": "10.1.0.1", "port": 80}]})
    yield url
    api.delete(f"k8slbrp/{name}")


@pytest.fixture
def cube(api: Api) -> Iterator[str]:
    """The URL of a cube with two ports and a service with a backend."""
    with _cube(api, "bad") as url:
        yield url


@pytest.fixture(scope="module")
def unchanged(api: Api) -> Iterator[str]:
    """One such cube for all that may not change it."""
    with _cube(api, "unchanged") as url:
        yield url


BAD: list[tuple[str, str, Any, str]] = [
    ("POST", f"{SERVICE}/backend/10.1.0.2", {"port": 80, "weight": 65536}, "weight"),
    ("POST", f"{SERVICE}/backend/10.1.0.2", {"port": 70000}, "port"),
    ("PATCH", f"{SERVICE}/backend/10.1.0.1/port", 70000, "port"),
    ("PATCH", f"{SERVICE}/backend/10.1.0.1/weight", 65536, "weight"),
    ("POST", "service/10.96.0.2/70000/TCP", {}, "vport"),
    ("POST", "service", [{"vip": "10.96.0.2", "vport": 70000, "proto": "TCP"}], "vport"),
    ("POST", "service", [{"vip": "10.96.0.2", "proto": "TCP"}], "vport"),
    ("POST", "service", [{"vport": 80, "proto": "TCP"}], "vip"),
    ("POST", "service/10.96.0.2/80/ICMP", {}, "vport"),
    ("POST", "ports/be2", {"type": "BACKEND"}, "BACKEND"),
    ("POST", "ports/fe2", {"type": "FRONTEND"}, "ip"),
    ("POST", "ports/fe2", {"type": "FRONTEND", "ip": "10.0.0.1"}, "10.0.0.1"),
    ("PATCH", "ports/be/ip", "10.0.0.9", "ip"),
    ("PATCH", "port_mode", "SINGLE", "port_mode"),
    (
        "POST",
        f"{SERVICE}/backend",
        [{"ip": "10.1.0.2", "port": 80}, {"ip": "10.1.0.1", "port": 80}],
        "10.1.0.1",
    ),
    ("POST", f"{SERVICE}/backend", [{"ip": "10.1.0.2", "port": 80}, {"port": 80}], "ip"),
    ("POST", "src-ip-rewrite", {"ip-range": "10.2.0.0/24", "new_ip_range": "10.3.0.0/16"}, "new_ip_range"),
]


@pytest.mark.parametrize(("method", "path", "body", "named"), BAD)
def test_bad_input_gets_a_clear_error_and_changes_nothing(
    unchanged: str, method: str, path: str, body: Any, named: str
) -> None:
    before = requests.get(unchanged, timeout=10).json()
    answer = requests.request(method, f"{unchanged}/{path}", json=body, timeout=10)
    assert 400 <= answer.status_code < 500
    assert named in answer.text
    assert requests.get(unchanged, timeout=10).json() == before


def test_a_backend_of_weight_0_alone(cube: str) -> None:
    answer = requests.patch(f"{cube}/{SERVICE}/backend/10.1.0.1/weight", json=0, timeout=10)
    assert answer.status_code == 200
    assert requests.get(f"{cube}/{SERVICE}/backend/10.1.0.1/weight", timeout=10).json() == 0


def test_a_thousand_backends(cube: str) -> None:
    entries = [{"ip": f"10.2.{n // 250}.{n % 250 + 1}", "port": 80} for n in range(1000)]
    assert requests.post(f"{cube}/{SERVICE}/backend", json=entries, timeout=60).status_code == 201
    stored = requests.get(f"{cube}/{SERVICE}", timeout=10).json()["backend"]
    assert len(stored) == 1001


def test_a_hundred_services_and_no_trace_of_them(cube: str) -> None:
    entries = [{"vip": f"10.97.0.{n + 1}", "vport": 80, "proto": "ALL"} for n in range(100)]
    assert requests.post(f"{cube}/service", json=entries, timeout=60).status_code == 201
    assert len(requests.get(f"{cube}/service", timeout=10).json()) == 302  # with ours, and the links
    for entry in entries:
        path = f"{cube}/service/{entry['vip']}/80/ALL"
        assert requests.delete(path, timeout=10).status_code == 204
    assert len(requests.get(f"{cube}/service", timeout=10).json()) == 2
