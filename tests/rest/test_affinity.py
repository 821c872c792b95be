"""Session affinity and source ranges of services: what is shown, what is refused, what arrives in the maps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from k8slbrp.maps import served, source_ranges
from testbed.api import Api, ApiError
from tests.rest.conftest import CUBE, OwnHost
from tests.rest.test_refusals import refused

pytestmark = pytest.mark.root

SERVICE = f"k8slbrp/{CUBE}/service"
WEB = f"{SERVICE}/10.9.0.1/80/TCP"
KEY = ("10.9.0.1", 80, "tcp")
BACKENDS = [{"ip": "10.1.0.1", "port": 80}]
PRIVATE, OFFICE = {"address": "10.0.0.0", "prefix-length": 8}, {"address": "192.0.2.7", "prefix-length": 32}


@pytest.fixture(scope="module")
def cube(own_host: OwnHost) -> Iterator[Api]:
    api = Api(own_host.authority)
    api.post(f"k8slbrp/{CUBE}", {"port_mode": "MULTI"})
    yield api
    api.delete(f"k8slbrp/{CUBE}")


@pytest.fixture
def api(cube: Api) -> Iterator[Api]:
    """One cube for all tests here, without services before and after."""
    yield cube
    cube.delete(SERVICE)


def affinity(host: OwnHost) -> int:
    return served(host.state_dir, CUBE)[KEY].affinity


def ranges(host: OwnHost) -> set[str]:
    """Those in force for WEB; there must be no others in the map."""
    number = served(host.state_dir, CUBE)[KEY].sources
    found = source_ranges(host.state_dir, CUBE)
    assert set(found) == ({(KEY, number)} if number else set())
    return found.get((KEY, number), set())


def test_affinity_is_off_by_default(api: Api, own_host: OwnHost) -> None:
    api.post(WEB, {"backend": BACKENDS})
    assert not {"session-affinity", "affinity-timeout", "source-range"} & set(api.get(WEB))
    assert api.get(f"{WEB}/session-affinity") == "none"
    assert api.get(f"{WEB}/affinity-timeout") == 10_800
    assert affinity(own_host) == 0


def test_affinity_is_set_and_read(api: Api, own_host: OwnHost) -> None:
    api.post(WEB, {"backend": BACKENDS, "session-affinity": "client_ip"})
    assert api.get(WEB)["session-affinity"] == "client_ip"
    assert affinity(own_host) == 10_800
    api.patch(f"{WEB}/affinity-timeout", 5)
    assert (api.get(WEB)["affinity-timeout"], affinity(own_host)) == (5, 5)
    api.patch(WEB, {"session-affinity": "NONE", "name": "web"})
    assert (api.get(f"{WEB}/session-affinity"), affinity(own_host)) == ("none", 0)
    api.patch(f"{WEB}/session-affinity", "CLIENT_IP")
    assert affinity(own_host) == 5
    api.put(WEB, {"backend": BACKENDS})
    assert (api.get(f"{WEB}/affinity-timeout"), affinity(own_host)) == (10_800, 0)


def test_all_stands_for_three_services(api: Api, own_host: OwnHost) -> None:
    api.post(f"{SERVICE}/10.9.0.1/80/ALL", {"session-affinity": "CLIENT_IP", "source-range": [PRIVATE]})
    assert {entry.affinity for entry in served(own_host.state_dir, CUBE).values()} == {10_800}
    assert len(source_ranges(own_host.state_dir, CUBE)) == 3
    api.delete(f"{SERVICE}/10.9.0.1/80/ALL")
    assert source_ranges(own_host.state_dir, CUBE) == {}


@pytest.mark.parametrize("value", [0, -1, 86_401, 2**32, "soon", 1.5])
def test_a_timeout_that_makes_no_sense(api: Api, own_host: OwnHost, value: object) -> None:
    api.post(WEB, {"backend": BACKENDS, "session-affinity": "CLIENT_IP", "affinity-timeout": 7})
    for change in (
        lambda: api.patch(f"{WEB}/affinity-timeout", value),
        lambda: api.patch(WEB, {"name": "new", "affinity-timeout": value}),
        lambda: api.put(WEB, {"affinity-timeout": value}),
        lambda: api.post(f"{SERVICE}/10.9.0.2/80/TCP", {"affinity-timeout": value}),
    ):
        with refused(400, "affinity-timeout"):
            change()
    assert len(api.get(SERVICE)) == 2  # and the links
    assert (api.get(WEB)["name"], affinity(own_host)) == ("", 7)


def test_an_affinity_that_does_not_exist(api: Api) -> None:
    api.post(WEB, {})
    with refused(400, "NONE, CLIENT_IP"):
        api.patch(f"{WEB}/session-affinity", "COOKIE")


def test_source_ranges_come_and_go(api: Api, own_host: OwnHost) -> None:
    api.post(WEB, {"backend": BACKENDS})
    assert ranges(own_host) == set()
    api.post(f"{WEB}/source-range/10.0.0.0/8")
    api.post(f"{WEB}/source-range", [OFFICE])
    assert api.get(WEB)["source-range"] == [PRIVATE, OFFICE]
    assert ranges(own_host) == {"10.0.0.0/8", "192.0.2.7/32"}
    assert api.get(f"{WEB}/source-range/10.0.0.0/8")["prefix-length"] == 8
    api.put(f"{WEB}/source-range/0.0.0.0/0", {})
    api.delete(f"{WEB}/source-range/10.0.0.0/8")
    assert ranges(own_host) == {"0.0.0.0/0", "192.0.2.7/32"}
    api.put(f"{WEB}/source-range", [PRIVATE])
    assert ranges(own_host) == {"10.0.0.0/8"}
    api.post(f"{WEB}/backend/10.1.0.2", {"port": 80})
    assert ranges(own_host) == {"10.0.0.0/8"}
    api.delete(f"{WEB}/source-range")
    assert ranges(own_host) == set()


@pytest.mark.parametrize(
    ("range_", "text"),
    [
        ({"address": "10.1.2.3", "prefix-length": 8}, "address: 10.1.2.3 .* expected 10.0.0.0"),
        ({"address": "10.0.0", "prefix-length": 8}, "address"),
        ({"address": "fd00::", "prefix-length": 8}, "address"),
        ({"address": "10.0.0.0", "prefix-length": 33}, "prefix-length"),
        ({"address": "10.0.0.0", "prefix-length": -1}, "prefix-length"),
        ({"address": "10.0.0.0"}, "prefix-length"),
        ({"prefix-length": 8}, "address"),
        ({"address": "10.0.0.0", "prefix-length": "8.0.0"}, "prefix-length"),
    ],
)
def test_a_range_that_makes_no_sense(api: Api, own_host: OwnHost, range_: dict[str, Any], text: str) -> None:
    api.post(WEB, {"backend": BACKENDS, "source-range": [OFFICE]})
    changes: list[Callable[[], object]] = [
        lambda: api.post(f"{WEB}/source-range", [PRIVATE, range_]),
        lambda: api.put(f"{WEB}/source-range", [PRIVATE, range_]),
        lambda: api.put(WEB, {"name": "new", "source-range": [range_]}),
        lambda: api.post(f"{SERVICE}/10.9.0.2/80/TCP", {"source-range": [range_]}),
    ]
    if len(range_) == 2:
        changes.append(lambda: api.post(f"{WEB}/source-range/{range_['address']}/{range_['prefix-length']}"))
    for change in changes:
        with refused(400, text):
            change()
    assert api.get(WEB)["source-range"] == [OFFICE]
    assert ranges(own_host) == {"192.0.2.7/32"}


def test_what_exists_and_what_does_not(api: Api, own_host: OwnHost) -> None:
    api.post(WEB, {"source-range": [PRIVATE]})
    with refused(409, "Source range 10.0.0.0 8 already exists"):
        api.post(f"{WEB}/source-range/10.0.0.0/8")
    for change in (
        lambda: api.delete(f"{WEB}/source-range/192.0.2.7/32"),
        lambda: api.get(f"{WEB}/source-range/192.0.2.7/32"),
        lambda: api.patch(WEB, {"name": "new", "source-range": [OFFICE]}),
    ):
        with refused(409, "Source range 192.0.2.7 32 does not exist"):
            change()
    with pytest.raises(ApiError):
        api.post(f"{WEB}/source-range", [OFFICE, OFFICE])
    assert (api.get(WEB)["name"], ranges(own_host)) == ("", {"10.0.0.0/8"})


def _many(count: int) -> list[dict[str, Any]]:
    return [{"address": f"10.{n >> 8}.{n & 255}.0", "prefix-length": 24} for n in range(count)]


def test_a_service_has_so_many_ranges_at_most(api: Api, own_host: OwnHost) -> None:
    api.post(WEB, {"source-range": _many(4096)})
    assert len(ranges(own_host)) == 4096
    with refused(400, "source-range: a service has at most 4096"):
        api.post(f"{WEB}/source-range", [OFFICE])
    api.put(f"{WEB}/source-range", [OFFICE])
    assert ranges(own_host) == {"192.0.2.7/32"}


def test_a_cube_has_so_many_ranges_at_most(api: Api, own_host: OwnHost) -> None:
    """Any of its services can still be changed."""
    full = 131_072 // 4096 - 1
    for number in range(full):
        api.post(f"{SERVICE}/10.9.1.{number}/80/TCP", {"source-range": _many(4096)})
    with refused(400, "source-range: the cube is full, it holds at most 126976"):
        api.post(WEB, {"source-range": [PRIVATE]})
    api.put(f"{SERVICE}/10.9.1.0/80/TCP/source-range", [*_many(4095), OFFICE])
    total = sum(len(found) for found in source_ranges(own_host.state_dir, CUBE).values())
    assert total == full * 4096
