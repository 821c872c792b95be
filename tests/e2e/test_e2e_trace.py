"""`pcnctl trace` tells what real packets of a flow meet, both ways, and leaves no trace of itself."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from pcnhost.engine import bpf
from testbed import topology
from testbed.api import Api, ApiError
from testbed.lab import Lab
from testbed.topology import ConnectedCube
from testbed.traffic import Holder, new_sessions

from .views import ctl

pytestmark = pytest.mark.root

VIP = "10.96.0.10"


@pytest.fixture(scope="module", params=["TC", "XDP_SKB"])
def cube(request: pytest.FixtureRequest, api: Api, lab: Lab) -> Iterator[ConnectedCube]:
    with Lab() as own:
        network = topology.build(own, clients=2, servers=2)
        if request.param != "TC":
            topology.prepare_for_xdp(network)
        topology.create_multi(api, "lb1", network, type=request.param)
        cube = ConnectedCube("lb1", lab, api, network)
        cube.service(VIP, 80, "TCP", [1, 1])
        yield cube
        api.delete("k8slbrp/lb1")


class Tracing(threading.Thread):
    """A trace at work; `told` is its answer."""

    def __init__(self, cube: ConnectedCube, **flow: Any) -> None:
        super().__init__()
        self._url, self._flow = cube.api.url.split("/")[2], flow
        self.told: list[dict[str, Any]] = []
        self._entries = entries(cube)
        self.start()
        end = time.monotonic() + 30
        while entries(cube) == self._entries and self.is_alive():  # until the switch is in its place
            assert time.monotonic() < end
            time.sleep(0.02)

    def run(self) -> None:
        self.told = Api(self._url).post("trace/lb1", self._flow)["packets"]

    def result(self) -> list[dict[str, Any]]:
        self.join(90)
        return self.told


def entries(cube: ConnectedCube) -> list[bytes | None]:
    """Which programs packets enter by."""
    found = []
    for panel in ("nodes", "xdp_nodes"):
        fd = bpf.open_pin(cube.lab.state_dir / panel)
        assert fd is not None
        found += [bpf.lookup(fd, bpf.u32(slot), 4) for slot in range(8)]
        os.close(fd)
    return found


def test_a_connection(cube: ConnectedCube) -> None:
    before = entries(cube)
    tracing = Tracing(cube, protocol="tcp", source="10.10.1.1", destination=VIP, packets=6, seconds=20)
    assert new_sessions(cube.network.clients[1], "http", VIP, 80, 5).get("", 0) == 0  # not of this flow
    answered = new_sessions(cube.network.clients[0], "http", VIP, 80, 3)
    assert sum(answered.values()) == 3 and "" not in answered
    told = tracing.result()
    assert len(told) == 6
    first, second, third, fourth = told[:4]
    assert first["packet"].endswith(f"-> {VIP}:80 SYN") and first["port"] == "client1"
    names = [decision["decision"] for decision in first["decisions"]]
    assert names == ["NO_SESSION", "SLOT", "NEW_SESSION", "TRANSLATED"]
    backend = first["decisions"][1]["values"]["backend"]
    assert first["out"] == "to_router" and f"{backend}:8080" in first["leaving"]
    assert second["packet"].startswith(f"TCP {backend}:8080 -> 10.10.1.1:") and second["port"] == "to_router"
    assert second["leaving"].startswith(f"TCP {VIP}:80 -> 10.10.1.1:") and second["out"] == "client1"
    tables = [packet["decisions"][0]["values"]["table"] for packet in (third, fourth)]
    assert tables == ["openings", "clients"]  # when the client goes on
    assert all(VIP in packet["packet"] + packet["leaving"] for packet in told)
    assert entries(cube) == before


def test_connections_live_through_it(cube: ConnectedCube) -> None:
    holder = Holder(cube.lab, cube.network.clients[0], VIP, 80, 5)
    for _ in range(2):
        tracing = Tracing(cube, protocol="tcp", source="10.10.1.1", packets=3, seconds=20)
        assert holder.check().alive == 5
        assert len(tracing.result()) == 3
        assert holder.check().alive == 5
    holder.close()


def test_nothing_comes(cube: ConnectedCube) -> None:
    line = ("trace", "lb1", "--udp", "10.10.1.1:9", "10.96.0.99:9", "--seconds", "1")
    assert ctl(cube.api, *line) == "tracing for up to 1 s\n0 packets in 1 s\n"
    assert json.loads(ctl(cube.api, *line, "--json")) == []


def test_a_reload_meanwhile(cube: ConnectedCube) -> None:
    before = entries(cube)
    tracing = Tracing(cube, protocol="tcp", source="10.10.1.1", packets=100, seconds=3)
    cube.api.patch("k8slbrp/lb1/loglevel", "DEBUG")
    assert sum(new_sessions(cube.network.clients[0], "http", VIP, 80, 1).values()) == 1
    assert len(tracing.result()) > 3
    assert [bool(entry) for entry in entries(cube)] == [bool(entry) for entry in before]
    assert "" not in new_sessions(cube.network.clients[0], "http", VIP, 80, 3)


def test_what_is_dropped(cube: ConnectedCube) -> None:
    """Of all that passes meanwhile, and with the flow that is refused."""
    before = entries(cube)
    service = f"k8slbrp/lb1/service/{VIP}/81/TCP"
    cube.service(VIP, 81, "TCP", [1, 1])
    cube.api.post(f"{service}/source-range/192.168.0.0/16", {})
    tracing = Tracing(cube, dropped=True, packets=2, seconds=20)
    assert cube.api.get("trace/lb1") == {"cube": "lb1", "tracing": True}
    assert "" not in new_sessions(cube.network.clients[1], "http", VIP, 80, 10)
    assert new_sessions(cube.network.clients[0], "http", VIP, 81, 2) == {"": 2}
    told = tracing.result()
    assert [packet["verdict"] for packet in told] == ["dropped", "dropped"]
    assert all(f"-> {VIP}:81 SYN" in packet["packet"] and packet["port"] == "client1" for packet in told)
    assert [decision["decision"] for decision in told[0]["decisions"]] == [
        "NO_SESSION",
        "SOURCE_REFUSED",
        "DROPPED",
    ]
    assert entries(cube) == before
    assert cube.api.get("trace/lb1") == {"cube": "lb1", "tracing": False}
    shown = ctl(cube.api, "trace", "lb1", "--dropped", "--seconds", "1")
    assert shown == "tracing for up to 1 s\n0 packets in 1 s\n"
    cube.api.delete(service)


def test_one_at_a_time(cube: ConnectedCube) -> None:
    tracing = Tracing(cube, protocol="udp", source="10.10.1.1", seconds=3)
    with pytest.raises(ApiError, match="400: another trace of cube lb1 is at work"):
        cube.api.post("trace/lb1", {"protocol": "udp", "source": "10.10.1.1"})
    assert tracing.result() == []


def test_as_text(cube: ConnectedCube) -> None:
    texts: list[str] = []
    words = ("trace", "lb1", "--tcp", "10.10.1.1", f"{VIP}:80", "-n", "1", "--seconds", "20")
    before = entries(cube)
    thread = threading.Thread(target=lambda: texts.append(ctl(cube.api, *words, COLUMNS="80")))
    thread.start()
    while entries(cube) == before and thread.is_alive():
        time.sleep(0.02)
    new_sessions(cube.network.clients[0], "http", VIP, 80, 1)
    thread.join()
    first, *lines = texts[0].splitlines()
    assert first == "tracing for up to 20 s"
    assert lines[0].endswith(f"-> {VIP}:80 SYN enters by port client1") and max(map(len, lines)) <= 80
    assert lines[1] == "    no session has this flow" and lines[-1].startswith(("  It leaves", "    "))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "protocol is missing"),
        ({"protocol": "tcp"}, "source is missing"),
        ({"protocol": "tcp", "source": "1.2.3.4", "sport": 70000}, "sport: 70000 is not possible"),
        (
            {"protocol": "tcp", "source": "1.2.3.4", "packets": 0},
            "packets: 0 is not possible, allowed: 1..100",
        ),
        (
            {"protocol": "tcp", "source": "1.2.3.4", "seconds": 61},
            "seconds: 61 is not possible, allowed: 1..60",
        ),
        ({"protocol": "tcp", "source": ["x"]}, "source: a string or a number is expected"),
        ({"colour": "red"}, "colour is no member"),
        ({"dropped": "yes"}, "dropped: true or false is expected"),
        ({"dropped": True, "sport": 80}, "sport: not possible with dropped, which is about all packets"),
    ],
)
def test_nonsense(cube: ConnectedCube, body: dict[str, Any], said: str) -> None:
    with pytest.raises(ApiError, match=f"400: {said}"):
        cube.api.post("trace/lb1", body)
