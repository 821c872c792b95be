"""`pcnctl sessions` finds and ends sessions of real connections."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from testbed.topology import ConnectedCube
from testbed.traffic import Holder

from .views import ctl

pytestmark = pytest.mark.root

VIP = "10.96.0.10"


@pytest.fixture(scope="module")
def cube(multi: ConnectedCube) -> Iterator[ConnectedCube]:
    multi.service(VIP, 80, "TCP", [1, 1])
    holder = Holder(multi.lab, multi.network.clients[0], VIP, 80, 5)
    yield multi
    holder.close()


def test_find(cube: ConnectedCube) -> None:
    shown = ctl(
        cube.api, "sessions", "multi", "--client", "10.10.1.1", "--proto", "tcp", COLUMNS="80"
    ).splitlines()
    assert shown[0].split() == ["PROTO", "CLIENT", "SERVICE", "BACKEND", "STATE", "IDLE", "EXPIRES"]
    assert len(shown) == 6 and max(map(len, shown)) <= 80
    assert all(line.split()[2] == f"{VIP}:80" for line in shown[1:])
    assert ctl(cube.api, "sessions", "multi", "--backend", "10.20.0.9") == "no such session\n"
    assert "… there are more than 2 (--limit)" in ctl(cube.api, "sessions", "multi", "--limit", "2")
    found = json.loads(ctl(cube.api, "sessions", "multi", "--service", f"{VIP}:80", "--json"))
    assert {one["state"] for one in found} == {"established"}


def test_end(cube: ConnectedCube) -> None:
    found = json.loads(ctl(cube.api, "sessions", "multi", "--json"))
    backend, port = found[0]["backend"], found[0]["backend-port"]
    count = sum(one["backend"] == backend for one in found)
    assert (
        ctl(cube.api, "sessions", "multi", "--backend", f"{backend}:{port}", "--end")
        == f"{count} session{'s' * (count != 1)} ended\n"
    )
    assert len(json.loads(ctl(cube.api, "sessions", "multi", "--json"))) == len(found) - count
    assert "--end needs something to choose by" in ctl(cube.api, "sessions", "multi", "--end", status=3)


def test_nonsense(cube: ConnectedCube) -> None:
    assert "there is no cube lb9" in ctl(cube.api, "sessions", "lb9", status=3)
    assert "x is no port" in ctl(cube.api, "sessions", "multi", "--client", "1.2.3.4:x", status=3)
    assert 'client: "x" is not possible' in ctl(cube.api, "sessions", "multi", "--client", "x", status=2)
    wrong = ctl(cube.api, "sessions", "multi", "--state", "closd", status=3)
    assert "closd is no state, allowed: opening, answered, established, client_closed" in wrong
    assert ctl(cube.api, "sessions", "multi", "--state", "client-closed") == "no such session\n"
    assert "--limit: 0 is out of range" in ctl(cube.api, "sessions", "multi", "--limit", "0", status=3)
