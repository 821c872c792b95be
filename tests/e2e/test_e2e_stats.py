"""What the cube says about its traffic and its sessions, with real connections."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from testbed.api import Api, ApiError
from testbed.topology import ConnectedCube
from testbed.traffic import Holder, new_sessions

from .restartable import restartable

pytestmark = pytest.mark.root

VIP = "10.96.7.1"


def active(stats: dict[str, Any]) -> int:
    count: int = stats["active-sessions"]
    return count


def test_state_is_read_by_its_own_path_only(multi: ConnectedCube) -> None:
    path = multi.service(VIP, 80, "TCP", [1])
    cube = f"k8slbrp/{multi.name}"
    try:
        whole = multi.api.get(cube)
        assert not {"stats", "sessions"} & set(whole)
        service = next(s for s in whole["service"] if s["vip"] == VIP)
        assert "stats" not in service and "stats" not in service["backend"][0]
        assert {"drops", "punts", "sessions", "table"} <= set(multi.api.get(f"{cube}/stats"))
        assert multi.api.get(f"{cube}/stats/drops/malformed") == 0
        tables = {t["name"]: t for t in multi.api.get(f"{cube}/stats/table") if isinstance(t, dict)}
        assert tables["clients"]["limit"] == 131072
        assert multi.api.get(f"{cube}/stats/table/services/entries") == 1
    finally:
        multi.api.delete(path)


TRAFFIC = ("packets-in", "bytes-in", "packets-out", "bytes-out", "new-sessions")


def traffic(api: Api, path: str) -> dict[str, int]:
    stats = api.get(f"{path}/stats")
    return {name: stats[name] for name in TRAFFIC}


def counted(api: Api, cube: str) -> int:
    """All packets that the cube says it has seen."""
    stats = api.get(f"{cube}/stats")
    return sum(
        count for side in ("frontend", "backend") for name, count in stats[side].items() if "packets" in name
    )


def test_traffic(any_cube: ConnectedCube) -> None:
    path = any_cube.service(VIP, 80, "TCP", [1, 1])
    cube = f"k8slbrp/{any_cube.name}"
    api, backends = any_cube.api, any_cube.network.server_ips[:2]
    answers = new_sessions(any_cube.network.clients[0], "http", VIP, 80, 30)
    whole = traffic(api, path)
    parts = [traffic(api, f"{path}/backend/{ip}") for ip in backends]
    assert whole["new-sessions"] == 30
    assert [part["new-sessions"] for part in parts] == [answers["server1"], answers["server2"]]
    for name in TRAFFIC:
        assert whole[name] == sum(part[name] for part in parts) > 0
    assert whole["packets-in"] >= 4 * 30 and whole["bytes-in"] >= 54 * whole["packets-in"]
    (listed,) = (s for s in api.get(f"{cube}/stats/service") if isinstance(s, dict))
    assert {name: listed[name] for name in TRAFFIC} == whole

    # A backend that goes leaves what it has counted to the service; one that comes back goes on.
    api.delete(f"{path}/backend/{backends[0]}")
    assert traffic(api, path) == whole
    api.post(f"{path}/backend/{backends[0]}", {"port": 8080, "weight": 0})
    assert traffic(api, f"{path}/backend/{backends[0]}") == parts[0]
    # A service that is made anew begins anew; the cube's totals go on.
    before = api.get(f"{cube}/stats/frontend")["translated-packets"]
    api.delete(path)
    assert api.get(f"{cube}/stats/frontend")["translated-packets"] >= before
    any_cube.service(VIP, 80, "TCP", [1])
    assert set(traffic(api, path).values()) == {0}
    api.delete(path)


def test_counters_survive_a_reload_and_a_restart(tmp_path: Path) -> None:
    with restartable(tmp_path, clients=1, servers=2) as cube:
        servers = cube.network.server_ips
        path = cube.service(VIP, 80, "TCP", [1, 1])
        holder = Holder(cube.lab, cube.network.clients[0], VIP, 80, 20)
        cube.api.delete(f"{path}/backend/{servers[0]}")
        before, seen = traffic(cube.api, path), counted(cube.api, "k8slbrp/lb1")
        cube.api.patch("k8slbrp/lb1/loglevel", "DEBUG")
        assert traffic(cube.api, path) == before

        cube.stop()
        assert holder.check().broken == 0  # counted while no host runs
        cube.start()
        after = traffic(cube.api, path)
        assert after["new-sessions"] == before["new-sessions"] == 20
        assert after["packets-in"] >= before["packets-in"] + 20
        assert after["packets-out"] >= before["packets-out"] + 20
        assert counted(cube.api, "k8slbrp/lb1") >= seen + 40
        assert traffic(cube.api, f"{path}/backend/{servers[1]}")["new-sessions"] in range(1, 20)
        holder.close()


@pytest.mark.long
def test_counters_are_used_again(tmp_path: Path) -> None:
    """More backends come and go than there are counters: none of the figures changes its owner."""
    quarantine = 36  # seconds; twice as long no session may have had a number
    with restartable(tmp_path, clients=1, servers=2, **{"max-sessions": 1024}) as cube:
        stats = "k8slbrp/lb1/stats"
        path = cube.service(VIP, 80, "TCP", [1, 1])
        new_sessions(cube.network.clients[0], "http", VIP, 80, 40)
        whole = traffic(cube.api, path)
        total = cube.api.get(f"{stats}/frontend/translated-packets")
        cube.api.delete(f"{path}/backend/{cube.network.server_ips[0]}")
        assert cube.api.post("k8slbrp/lb1/sessions/end", {"vip": VIP})["ended"] == 40
        others = "k8slbrp/lb1/service/10.96.9.9/80/TCP"
        cube.api.post(others)
        entries = []
        for number in range(8):
            if number > 4:
                time.sleep(quarantine)
            backends = [{"ip": f"10.77.{number}.{n}", "port": 80} for n in range(1, 201)]
            cube.api.put(f"{others}/backend", backends)
            entries.append(cube.api.get(f"{stats}/table/traffic/entries"))
        assert max(entries) <= 1024 and entries[-1] < max(entries)
        assert traffic(cube.api, path) == whole
        assert set(traffic(cube.api, f"{others}/backend/10.77.7.9").values()) == {0}
        cube.stop()
        cube.start()
        assert traffic(cube.api, path) == whole
        for service in (others, path):
            cube.api.delete(service)
            assert cube.api.get(f"{stats}/frontend/translated-packets") == total


def test_active_sessions(multi: ConnectedCube) -> None:
    path = multi.service(VIP, 80, "TCP", [1, 1])
    cube = f"k8slbrp/{multi.name}"
    try:
        before = multi.api.get(f"{cube}/stats/sessions/tcp/established")
        holder = Holder(multi.lab, multi.network.clients[0], VIP, 80, 20)
        time.sleep(1.1)
        servers = holder.check().servers
        assert active(multi.api.get(f"{path}/stats")) == 20
        for number, ip in enumerate(multi.network.server_ips[:2], 1):
            stats = multi.api.get(f"{path}/backend/{ip}/stats")
            assert active(stats) == servers[f"server{number}"]
        assert multi.api.get(f"{cube}/stats/sessions/tcp/established") - before == 20
        shown = multi.api.get(f"{cube}/stats/service/{VIP}/80/tcp")
        assert active(shown) == 20 and len(shown["backend"]) == 2
        holder.close()
    finally:
        multi.api.delete(path)


def test_nothing_ends_without_a_choice(multi: ConnectedCube) -> None:
    path = multi.service(VIP, 80, "TCP", [1])
    holder = Holder(multi.lab, multi.network.clients[0], VIP, 80, 3)
    for choice in ({}, {"reset": True}):
        with pytest.raises(ApiError, match=r"end: nothing is chosen.*idle-min=0") as refusal:
            multi.api.post(f"k8slbrp/{multi.name}/sessions/end", choice)
        assert refusal.value.status == 400
    found = multi.api.post(f"k8slbrp/{multi.name}/sessions/find", {"vip": VIP})["session"]
    assert len(found) >= 3
    assert multi.api.post(f"k8slbrp/{multi.name}/sessions/end", {"idle-min": 0})["ended"] >= len(found)
    holder.close()
    multi.api.delete(path)


def test_find_and_end(multi: ConnectedCube) -> None:
    path = multi.service(VIP, 80, "TCP", [1, 1])
    sessions = f"k8slbrp/{multi.name}/sessions"
    try:
        holder = Holder(multi.lab, multi.network.clients[0], VIP, 80, 25)
        selection = {"vip": VIP, "state": "ESTABLISHED"}
        pages, after = [], {}
        while True:
            page = multi.api.post(f"{sessions}/find", {**selection, "limit": 10, **after})
            pages.append(page["session"])
            if "next" not in page:
                break
            after = {"after": page["next"]}
        assert [len(page) for page in pages] == [10, 10, 5]
        found = [session for page in pages for session in page]
        assert len({session["client-port"] for session in found}) == 25
        one = found[0]
        assert one["client"] == multi.network.client_ips[0]
        assert one["backend"] in multi.network.server_ips and one["backend-port"] == 8080
        assert one["idle"] <= 2 and 86390 <= one["expires"] <= 86402
        assert multi.api.post(f"{sessions}/find", {**selection, "idle-min": 100})["session"] == []

        first, second = multi.network.server_ips[:2]
        of_first = [session for session in found if session["backend"] == first]
        assert multi.api.post(f"{sessions}/end", {**selection, "backend": first}) == {"ended": len(of_first)}
        tables = {t["name"]: t for t in multi.api.get(f"k8slbrp/{multi.name}/stats/table") if "name" in t}
        assert tables["clients"]["evicted"] == 0  # what has been ended, the kernel has not evicted
        left = multi.api.post(f"{sessions}/find", selection)["session"]
        assert {session["backend"] for session in left} == {second}
        assert len(left) == 25 - len(of_first)
        holder.close()
        assert sum(new_sessions(multi.network.clients[0], "http", VIP, 80, 3).values()) == 3
    finally:
        multi.api.delete(path)
