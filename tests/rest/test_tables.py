"""The size of a service's table, on which it depends how evenly and how steadily new sessions are spread."""

from __future__ import annotations

import pytest

from testbed.api import Api
from tests.rest.conftest import CUBE, OwnHost
from tests.rest.maps import SLOTS_PER_CHUNK, service_entries, slots

pytestmark = pytest.mark.root

SERVICE = f"k8slbrp/{CUBE}/service/10.9.0.1/80/TCP"
KEY = ("10.9.0.1", 80, "tcp")


def backends(count: int, first: int = 1, weight: int = 1) -> list[dict[str, object]]:
    return [
        {"ip": f"10.1.0.{number}", "port": 8080, "weight": weight} for number in range(first, first + count)
    ]


def size(own_host: OwnHost) -> int:
    found = slots(own_host.state_dir, CUBE)[KEY]
    assert service_entries(own_host.state_dir, CUBE)["slots"] == -(-found // SLOTS_PER_CHUNK)
    return found


def test_few_backends_need_no_table(api: Api, own_host: OwnHost) -> None:
    api.post(SERVICE, {"backend": backends(14)})
    assert size(own_host) == 0
    api.post(f"{SERVICE}/backend", backends(1, first=15))
    assert size(own_host) == 10007


def test_few_backends_are_those_whose_weights_are_few(api: Api, own_host: OwnHost) -> None:
    api.post(SERVICE, {"backend": [*backends(1, 1, 10), *backends(1, 2, 20), *backends(1, 3, 110)]})
    assert size(own_host) == 0
    api.patch(f"{SERVICE}/backend/10.1.0.3", {"weight": 111})
    assert size(own_host) == 10007


def test_a_table_keeps_its_size_until_one_backend_is_left(api: Api, own_host: OwnHost) -> None:
    api.post(SERVICE, {"backend": backends(16)})
    for number in range(1, 15):
        assert size(own_host) == 10007
        api.delete(f"{SERVICE}/backend/10.1.0.{number}")
    api.delete(f"{SERVICE}/backend/10.1.0.15")
    assert size(own_host) == 0
    api.post(f"{SERVICE}/backend", backends(3))
    assert size(own_host) == 0


def test_a_list_that_is_replaced_keeps_the_size(api: Api, own_host: OwnHost) -> None:
    api.post(SERVICE, {"backend": backends(16)})
    api.put(f"{SERVICE}/backend", backends(3, first=20))
    assert size(own_host) == 10007
    api.delete(SERVICE)
    api.post(SERVICE, {"backend": backends(3, first=20)})
    assert size(own_host) == 0


def test_a_light_backend_needs_a_large_table(api: Api, own_host: OwnHost) -> None:
    api.post(SERVICE, {"backend": [*backends(1), *backends(1, 2, weight=15)]})
    assert size(own_host) == 10007
    api.patch(f"{SERVICE}/backend/10.1.0.2", {"weight": 500})
    assert size(own_host) == 65537
    api.patch(f"{SERVICE}/backend/10.1.0.1", {"weight": 0})
    assert size(own_host) == 0
