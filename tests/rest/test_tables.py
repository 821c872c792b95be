"""What a service's backends and weights make of the maps: shares, memory, and nothing of what was before."""

from __future__ import annotations

from collections import Counter

import pytest

from k8slbrp.maps import Served, served, service_entries
from pcnhost.ctl.check import look
from pcnhost.ctl.client import Client
from pcnhost.ctl.settings import Settings
from testbed.api import Api
from tests.rest.conftest import CUBE, OwnHost

pytestmark = pytest.mark.root

SERVICE = f"k8slbrp/{CUBE}/service/10.9.0.1/80/TCP"
KEY = ("10.9.0.1", 80, "tcp")


def backends(count: int, first: int = 1, weight: int = 1) -> list[dict[str, object]]:
    return [
        {"ip": f"10.1.{number >> 8}.{number & 255}", "port": 8080, "weight": weight}
        for number in range(first, first + count)
    ]


def found(own_host: OwnHost) -> Served:
    service = served(own_host.state_dir, CUBE)[KEY]
    assert service_entries(own_host.state_dir, CUBE)["chunks"] == service.chunks
    return service


def assert_shares(service: Served, wanted: list[dict[str, object]]) -> None:
    """Each within 1% of what its weight says."""
    owned = Counter(ip for ip, _ in service.slots)
    total = sum(int(str(backend["weight"])) for backend in wanted)
    for backend in wanted:
        share = int(str(backend["weight"])) / total
        assert owned[str(backend["ip"])] / len(service.slots) == pytest.approx(share, rel=0.01)


def test_shares_follow_the_weights(api: Api, own_host: OwnHost) -> None:
    for count in (1, 2, 14, 15, 50, 100, 300):
        for heavy in (1, 3, 13):
            wanted = [*backends(1, weight=heavy), *backends(count - 1, first=2)]
            api.put(SERVICE, {"backend": wanted})
            service = found(own_host)
            assert_shares(service, wanted)
            assert service.usable == {(str(backend["ip"]), 8080) for backend in wanted}


def test_one_backend_needs_no_chunks(api: Api, own_host: OwnHost) -> None:
    api.post(SERVICE, {"backend": [*backends(13, weight=0), *backends(1, first=20)]})
    service = found(own_host)
    assert (service.chunks, service.slots, len(service.drained)) == (0, [("10.1.0.20", 8080)], 13)


@pytest.mark.parametrize(("count", "heavy", "chunks"), [(2, 1, 0), (13, 1, 0), (14, 1, 2), (16, 1, 3)])
def test_few_backends_with_few_slots_need_no_chunks(
    api: Api, own_host: OwnHost, count: int, heavy: int, chunks: int
) -> None:
    wanted = [*backends(1, weight=heavy), *backends(count - 1, first=2)]
    api.post(SERVICE, {"backend": wanted})
    service = found(own_host)
    assert service.chunks == chunks
    assert_shares(service, wanted)


def test_without_weight_a_backend_only_keeps_its_sessions(api: Api, own_host: OwnHost) -> None:
    api.post(SERVICE, {"backend": backends(200, weight=0)})
    assert (found(own_host).slots, len(found(own_host).drained)) == ([], 200)
    api.patch(f"{SERVICE}/backend/10.1.0.7", {"weight": 9})
    service = found(own_host)
    assert (set(service.slots), len(service.drained)) == ({("10.1.0.7", 8080)}, 199)


def test_fifty_backends_as_polykube_weighs_them_take_16_kib(api: Api, own_host: OwnHost) -> None:
    for local in range(1, 50, 6):
        wanted = [*backends(local, weight=3), *backends(50 - local, first=100)]
        api.put(SERVICE, {"backend": wanted})
        service = found(own_host)
        assert_shares(service, wanted)
        assert service.chunks * 568 + 816 + 72 <= 16 * 1024  # as the kernel accounts for entries


def test_history_leaves_no_trace(api: Api, own_host: OwnHost) -> None:
    """A service that has grown and shrunk chooses like one that has always been so."""
    for count in (3, 14, 16):
        api.post(SERVICE, {"backend": backends(count)})
        fresh = found(own_host)
        api.post(f"{SERVICE}/backend", backends(40, first=100))
        api.patch(f"{SERVICE}/backend/10.1.0.1", {"weight": 500})
        api.patch(f"{SERVICE}/backend/10.1.0.1", {"weight": 1})
        for number in range(100, 140):
            api.delete(f"{SERVICE}/backend/10.1.0.{number}")
        assert found(own_host) == fresh
        api.delete(SERVICE)


def test_backends_that_move_from_service_to_service(api: Api, own_host: OwnHost) -> None:
    """In one request, so that one service loses what another one gets, and one goes that shares with one that comes."""
    client = Client(Settings(f"{api.url}/"))

    def services(*counts: tuple[int, int, int]) -> list[dict[str, object]]:
        return [
            {"vip": f"10.9.0.{vip}", "vport": 80, "proto": "TCP", "backend": backends(count, first)}
            for vip, first, count in counts
        ]

    for wanted in (
        services((1, 1, 4), (2, 11, 4)),
        services((1, 11, 4), (2, 1, 4)),
        services((3, 1, 4), (4, 11, 4)),
        services((1, 13, 4), (4, 1, 2)),
    ):
        api.put(f"k8slbrp/{CUBE}/service", wanted)
        assert look(client, CUBE, own_host.state_dir) == []
