"""What the cube says about its traffic and its sessions, with real connections."""

from __future__ import annotations

import time
from typing import Any

import pytest

from testbed.topology import ConnectedCube
from testbed.traffic import Holder, new_sessions

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
        left = multi.api.post(f"{sessions}/find", selection)["session"]
        assert {session["backend"] for session in left} == {second}
        assert len(left) == 25 - len(of_first)
        holder.close()
        assert sum(new_sessions(multi.network.clients[0], "http", VIP, 80, 3).values()) == 3
    finally:
        multi.api.delete(path)
