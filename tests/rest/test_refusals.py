"""What makes no sense is refused, and a refusal leaves everything as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from k8slbrp.maps import service_entries
from testbed.api import Api, ApiError
from tests.rest.conftest import CUBE, OwnHost

pytestmark = pytest.mark.root

SERVICE = f"k8slbrp/{CUBE}/service"


@contextmanager
def refused(status: int, message: str) -> Iterator[None]:
    with pytest.raises(ApiError, match=message) as refusal:
        yield
    assert refusal.value.status == status


def test_backends_that_nobody_can_reach(api: Api, own_host: OwnHost) -> None:
    api.post(f"{SERVICE}/10.9.0.1/80/TCP", {"backend": [{"ip": "10.1.0.1", "port": 80}]})
    before = api.get(SERVICE)
    for ip in ("0.0.0.0", "127.0.0.1", "169.254.1.1", "224.0.0.1", "239.1.1.1", "255.255.255.255"):
        with refused(400, f"ip: {ip} cannot be the address of a backend"):
            api.post(f"{SERVICE}/10.9.0.1/80/TCP/backend/{ip}", {"port": 80})
        with refused(400, f"ip: {ip} cannot be the address of a backend"):
            api.put(f"{SERVICE}/10.9.0.2/80/TCP", {"backend": [{"ip": ip, "port": 80}]})
    for vip in ("127.0.0.1", "127.255.0.1", "0.0.0.0", "224.0.0.1"):
        with refused(400, f"vip: {vip} cannot be the address of a service"):
            api.post(f"{SERVICE}/{vip}/80/TCP", {})
    assert api.get(SERVICE) == before


@pytest.mark.parametrize("proto", ["TCP", "UDP", "ALL"])
def test_ports_that_nobody_can_reach(api: Api, own_host: OwnHost, proto: str) -> None:
    """Whichever request they come with. Pings have no ports."""
    good, bad = {"ip": "10.1.0.1", "port": 80}, {"ip": "10.1.0.2", "port": 0}
    path = f"{SERVICE}/10.9.0.1/80/{proto}"
    api.post(path, {"backend": [good]})
    before = api.get(SERVICE)
    other = {"vip": "10.9.0.2", "vport": 80, "proto": proto}
    with refused(400, f"port: 0 is not possible with proto {proto.lower()}, allowed 1..65535"):
        api.post(f"{path}/backend/10.1.0.2", {"port": 0})
    for method, where, body in (
        (api.post, f"{path}/backend", [bad]),
        (api.put, f"{path}/backend", [good, bad]),
        (api.put, f"{path}/backend/10.1.0.1", {"port": 0}),
        (api.patch, f"{path}/backend/10.1.0.1", {"port": 0}),
        (api.patch, f"{path}/backend/10.1.0.1/port", 0),
        (api.patch, path, {"backend": [{"ip": "10.1.0.1", "port": 0}]}),
        (api.put, path, {"backend": [bad]}),
        (api.post, SERVICE, [other | {"backend": [bad]}]),
        (api.put, SERVICE, [other | {"backend": [bad]}]),
    ):
        with refused(400, " port: 0 is not possible"):
            method(where, body)
    for method, where, body in (
        (api.post, f"{SERVICE}/10.9.0.2/0/{proto}", {}),
        (api.put, f"{SERVICE}/10.9.0.2/0/{proto}", {}),
        (api.post, SERVICE, [other | {"vport": 0}]),
    ):
        with refused(400, " vport: 0 is not possible"):
            method(where, body)
    assert api.get(SERVICE) == before
    api.post(f"{SERVICE}/10.9.0.3/0/ICMP", {"backend": [bad]})


def test_all_takes_no_service_of_another_all(api: Api, own_host: OwnHost) -> None:
    api.post(f"{SERVICE}/10.9.0.1/80/ALL", {"backend": [{"ip": "10.1.0.1", "port": 80}]})
    before = api.get(SERVICE)
    for method in (api.post, api.put):
        with refused(409, "already exists"):
            method(f"{SERVICE}/10.9.0.1/443/ALL", {})
    assert api.get(SERVICE) == before
    api.put(f"{SERVICE}/10.9.0.1/80/ALL", {"name": "other"})
    assert api.get(f"{SERVICE}/10.9.0.1/80/ALL")["name"] == "other"
    api.delete(f"{SERVICE}/10.9.0.1/80/ALL")
    assert service_entries(own_host.state_dir, CUBE) == {"services": 0, "vips": 0, "chunks": 0}


def test_changes_of_one_request_add_up(api: Api) -> None:
    """ALL and one of its services in one list: neither change is lost."""
    api.post(f"{SERVICE}/10.9.0.1/80/ALL", {"name": "old", "backend": [{"ip": "10.1.0.1", "port": 80}]})
    key = {"vip": "10.9.0.1", "vport": 80}
    heavier = [{"ip": "10.1.0.1", "weight": 9}]
    api.patch(SERVICE, [key | {"proto": "ALL", "name": "new"}, key | {"proto": "TCP", "backend": heavier}])
    found = api.get(f"{SERVICE}/10.9.0.1/80/TCP")
    assert (found["name"], found["backend"][0]["weight"]) == ("new", 9)
