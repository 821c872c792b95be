"""`pcnctl graph` shows what is there, in 80 columns and as SVG."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from testbed.lab import ip
from testbed.topology import ConnectedCube

from .views import ctl

pytestmark = pytest.mark.root
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def cube(multi: ConnectedCube) -> ConnectedCube:
    multi.service("10.96.0.10", 80, "TCP", [1, 3])
    multi.service("10.96.0.11", 0, "ICMP", [])
    many = [{"ip": f"10.30.{n // 250}.{n % 250}", "port": 80} for n in range(300)]
    services = [{"vip": f"10.97.0.{n}", "vport": 53, "proto": "UDP"} for n in range(1, 31)]
    services[0] |= {"name": "a-name-that-is-much-longer-than-names-usually-are-" * 2, "backend": many}
    multi.api.post(f"k8slbrp/{multi.name}/service", services)
    gone = multi.lab.link("gone", multi.network.router, "gone")
    absent = {"type": "FRONTEND", "ip": "10.10.1.99", "peer": gone}
    multi.api.post(f"k8slbrp/{multi.name}/ports/absent", absent)
    ip("link", "del", gone)
    multi.api.post(f"k8slbrp/{multi.name}/ports/idle", {"type": "FRONTEND", "ip": "10.10.1.98"})
    return multi


def test_text(cube: ConnectedCube) -> None:
    shown = ctl(cube.api, "graph", cube.name, COLUMNS="80")
    lines = shown.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0] == "multi  k8slbrp TC MULTI"
    assert f"client1  10.10.1.1       ── {cube.network.frontends[0]}" in shown
    assert f"absent   10.10.1.99      ╌✗ {cube.lab.prefix}gone  DOWN" in shown
    assert "idle     10.10.1.98      (no peer)" in shown
    at = next(number for number, line in enumerate(lines) if line.endswith("10.96.0.10:80/TCP"))
    assert [line.split("── ")[1] for line in lines[at + 1 : at + 3]] == [
        "10.20.0.1:8080   25%",
        "10.20.0.2:8080   75%",
    ]
    refused = next(number for number, line in enumerate(lines) if line.endswith("10.96.0.11/ICMP"))
    assert "requests are refused" in lines[refused + 1]
    assert "… 290 more (--backends)" in shown
    assert "… 12 more (--services)" in shown
    assert "… 12 more" not in ctl(cube.api, "graph", "--services", "32")


def test_without_utf8(cube: ConnectedCube) -> None:
    shown = ctl(cube.api, "graph", "--services", "32", PYTHONIOENCODING="ascii:replace")
    assert "+-- 10.96.0.10:80/TCP" in shown


def test_svg(cube: ConnectedCube, tmp_path: Path) -> None:
    file = tmp_path / "graph.svg"
    assert ctl(cube.api, "graph", "--svg", str(file)) == ""
    root = ElementTree.parse(file).getroot()
    texts = ["".join(node.itertext()) for node in root.iter(f"{SVG}text")]
    for text in (
        "10.96.0.10:80/TCP",
        "10.20.0.2:8080 75%",
        "client1 10.10.1.1",
        f"{cube.lab.prefix}gone",
        "(no peer)",
    ):
        assert text in texts
    width = float(root.attrib["width"])
    assert all(
        float(box.attrib["x"]) + float(box.attrib["width"]) <= width for box in root.iter(f"{SVG}rect")
    )


def test_what_is_not_there(cube: ConnectedCube) -> None:
    assert "there is no cube lb9; there are: multi" in ctl(cube.api, "graph", "lb9", status=3)
    assert "see pcnctl graph --help" in ctl(cube.api, "graph", "--colour", status=3)
    assert "--svg FILE" in ctl(cube.api, "graph", "--help")


def test_backends_that_get_no_new_sessions(cube: ConnectedCube) -> None:
    backends = [
        {"ip": "10.20.0.1", "port": 8080, "weight": 0},
        {"ip": "10.20.0.2", "port": 8080, "state": "DRAINING"},
        {"ip": "10.20.0.3", "port": 8080, "state": "STANDBY"},
    ]
    cube.api.post(f"k8slbrp/{cube.name}/service/10.96.0.12/80/TCP", {"backend": backends})
    lines = ctl(cube.api, "graph", "--services", "99", COLUMNS="80").splitlines()
    at = next(number for number, line in enumerate(lines) if line.endswith("10.96.0.12:80/TCP"))
    shown = [line.split("── ")[1] for line in lines[at + 1 : at + 4]]
    assert shown[0].startswith("10.20.0.1:8080    0%")
    assert shown[1].split() == ["10.20.0.2:8080", "0%", "DRAINING"]
    assert shown[2].split() == ["10.20.0.3:8080", "100%", "STANDBY"]


def test_completion(cube: ConnectedCube) -> None:
    assert ctl(cube.api, "--complete", "gr").split() == ["graph"]
    assert ctl(cube.api, "--complete", "explain", "mu").split() == ["multi"]
    assert ctl(cube.api, "--complete", "explain", "multi", "--").split() == []
