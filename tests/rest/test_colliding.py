"""Backends whose addresses and ports have the same hash, which anybody can compute who may name addresses.

A backend of a large service stands in one of two buckets of 8 places, which its hash names. With more of one hash than
fit there, no number of buckets is enough.
"""

from __future__ import annotations

import resource
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from k8slbrp.maps import served
from testbed.api import Api, ApiError
from testbed.host import SERVICE_LIBRARY, start_host
from testbed.lab import Lab
from tests.rest.conftest import CUBE
from tests.rest.test_full import CHUNKS_OF_HEAVY, HEAVY, MAX_CHUNKS, Body, add, backends, service

pytestmark = pytest.mark.root

VIP = "10.96.0.1"
PLACES = 16  # of one hash
_ANSWER_S = 30
_MEMORY = 6 << 30  # a host that looks for a place without end shall not take the machine's memory

_WORD = (1 << 64) - 1
_FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9
_UNDO_FIRST, _UNDO_SECOND = pow(_FIRST, -1, 1 << 64), pow(_SECOND, -1, 1 << 64)


def _with_hash(wanted: int) -> Iterator[Body]:
    """Backends for which backend_hash() of datapath/abi.h, calculated backwards, is the wanted one."""
    for low in range(1 << 32):
        mixed = (wanted << 32 | low) * _UNDO_SECOND & _WORD
        packed = (mixed ^ mixed >> 32) * _UNDO_FIRST & _WORD
        address, port = struct.pack("=I", packed >> 16 & 0xFFFFFFFF), socket.ntohs(packed & 0xFFFF)
        if packed < 1 << 48 and address[0] in range(11, 127) and port:
            yield {"ip": socket.inet_ntoa(address), "port": port}


def colliding(*hashes: tuple[int, int]) -> list[Body]:
    """So many backends of each hash."""
    return [next(source) for wanted, count in hashes for source in [_with_hash(wanted)] for _ in range(count)]


@pytest.fixture
def api_and_lab(tmp_path: Path) -> Iterator[tuple[Api, Lab]]:
    """A host of the test's own, which it may lose."""
    with Lab() as lab:
        api, host = start_host(lab, None, "--service", f"k8slbrp={SERVICE_LIBRARY}", log=tmp_path / "log")
        api.post(f"k8slbrp/{CUBE}")
        resource.prlimit(host.pid, resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        yield api, lab
        assert host.poll() is None


HASH = 0x12345678


@pytest.mark.parametrize("count, other", [(17, HASH), (10, HASH ^ 0x8000)], ids=["one-hash", "one-bit"])
def test_backends_for_which_there_is_no_place(api_and_lab: tuple[Api, Lab], count: int, other: int) -> None:
    """They are refused at once, and the cube goes on."""
    api, lab = api_and_lab
    path = f"k8slbrp/{CUBE}/service/{VIP}/80/TCP"
    many = colliding((HASH, count)) if other == HASH else colliding((HASH, count), (other, count))
    with pytest.raises(ApiError, match="same hash") as refusal:
        api.request("POST", path, {"backend": many}, timeout=_ANSWER_S)
    assert refusal.value.status == 400
    assert not api.request("GET", f"k8slbrp/{CUBE}/service", timeout=_ANSWER_S)
    fitting = many[: PLACES - 2]
    api.request("POST", path, {"backend": fitting}, timeout=_ANSWER_S)
    with pytest.raises(ApiError, match="same hash"):
        api.request("POST", f"{path}/backend", many[PLACES - 2 :], timeout=_ANSWER_S)
    found = served(lab.state_dir, CUBE)[VIP, 80, "tcp"]
    assert found.usable == {(str(backend["ip"]), backend["port"]) for backend in fitting}


def test_backends_that_need_all_buckets(api_and_lab: tuple[Api, Lab]) -> None:
    """With as many buckets as 16 bits can tell apart, each of these has a place where packets look for it."""
    api, lab = api_and_lab
    needing = colliding((HASH, 9), (HASH ^ 0x1000, 9))
    api.post(f"k8slbrp/{CUBE}/service/{VIP}/80/TCP", {"backend": needing})
    found = served(lab.state_dir, CUBE)[VIP, 80, "tcp"]
    assert not found.faults
    assert found.usable == set(found.slots) == {(str(backend["ip"]), backend["port"]) for backend in needing}


def test_the_largest_service_changes_in_a_full_cube(api_and_lab: tuple[Api, Lab]) -> None:
    """All buckets and the finest shares: its old chunks stay until the new ones are in force."""
    api, lab = api_and_lab
    first, *others = colliding((HASH, 9), (HASH ^ 0x1000, 9))
    add(api, [service(0, [{**first, "weight": 65535}, *others])])
    chunks = served(lab.state_dir, CUBE)[service(0, [])["vip"], 80, "tcp"].chunks
    assert chunks == 2304
    heavy = [*backends(1, weight=1), HEAVY]
    add(api, [service(number + 1, heavy) for number in range((MAX_CHUNKS - chunks) // CHUNKS_OF_HEAVY)])
    api.patch(
        f"k8slbrp/{CUBE}/service/{service(0, [])['vip']}/80/TCP/backend/{first['ip']}", {"weight": 65534}
    )
