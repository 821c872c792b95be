"""The host over real HTTP: headers, limits, redirects, requests side by side, and what outlives a restart."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from testbed.api import Api
from testbed.host import free_port, start_host
from testbed.lab import Lab
from tests.rest.daemon import Daemon

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif("POLYCUBE_URL" in os.environ, reason="about our own host only"),
]

YANG = "application/yang.data+json; charset=utf-8"


@pytest.fixture
def cube(daemon: Daemon) -> Iterator[str]:
    assert daemon.request("POST", "/polycube/v1/k8slbrp/h1/", '{"port_mode": "MULTI"}').status_code == 201
    yield "/polycube/v1/k8slbrp/h1"
    daemon.request("DELETE", "/polycube/v1/k8slbrp/h1/")


def test_content_types(daemon: Daemon, cube: str) -> None:
    """Clients decode what says it is JSON; texts of the host itself say nothing."""
    types = {
        path: daemon.request("GET", path).headers.get("Content-Type")
        for path in (
            "/polycube/v1",
            cube,
            f"{cube}/ports",
            f"{cube}/bogus",
            "/polycube/v1/cubes",
            "/elsewhere",
        )
    }
    assert list(types.values()) == [YANG, YANG, YANG, None, None, None]
    assert daemon.request("PATCH", cube, "{").headers["Content-Type"] == YANG
    assert daemon.request("POST", "/polycube/v1/services", "{}").headers["Content-Type"] == YANG
    deleted = daemon.request("DELETE", f"{cube}/src-ip-rewrite/")
    assert (deleted.status_code, deleted.content) == (204, b"")


def test_redirect_is_followed_with_method_and_body(daemon: Daemon, cube: str) -> None:
    where = f"{daemon.address}/polycube/v1/h1/ports/p1/"
    first = daemon.request("POST", "/polycube/v1/h1/ports/p1/", '{"type":"BACKEND"}')
    assert (first.status_code, first.headers["Location"]) == (308, f"{cube}/ports/p1")
    assert requests.post(where, data='{"type":"BACKEND"}', timeout=10).status_code == 201
    assert requests.get(where, timeout=10).json()["type"] == "backend"


def test_paths_outside_the_base(daemon: Daemon) -> None:
    for path in ("/", "/polycube", "/polycube/v2/cubes", "//", "/cubes"):
        answer = daemon.request("GET", path)
        assert (answer.status_code, answer.text) == (404, "Cannot find a matching route.")


def test_body_limit(daemon: Daemon, cube: str) -> None:
    body = json.dumps({"service": [], "filler": "x" * (1 << 20)})
    answer = daemon.request("PATCH", cube, body)
    assert (answer.status_code, answer.text) == (413, "Request exceeded maximum buffer size")
    assert daemon.request("PATCH", cube, "{}" + " " * ((1 << 20) - 2)).status_code == 200


def test_body_that_is_no_text(daemon: Daemon, cube: str) -> None:
    answer = requests.patch(f"{daemon.address}{cube}", data=b'{"loglevel":"\xff"}', timeout=10)
    assert (answer.status_code, answer.text) == (400, "body: byte 13 is not possible in UTF-8 text")


@pytest.mark.serial
def test_slow_request_does_not_block_others(daemon: Daemon) -> None:
    """A cube takes long to compile; meanwhile everybody else is answered at once."""
    durations = []
    creation = threading.Thread(
        target=lambda: Daemon(daemon.address).request("POST", "/polycube/v1/k8slbrp/slow/")
    )
    creation.start()
    time.sleep(0.05)
    while creation.is_alive():
        start = time.monotonic()
        assert daemon.request("GET", "/polycube/v1/cubes").status_code == 200
        durations.append(time.monotonic() - start)
    creation.join()
    daemon.request("DELETE", "/polycube/v1/k8slbrp/slow/")
    assert len(durations) > 10
    assert sorted(durations)[len(durations) // 2] < 0.1


def test_one_of_many_creations_of_the_same_cube_wins(daemon: Daemon) -> None:
    statuses: list[int] = []

    def create() -> None:
        statuses.append(Daemon(daemon.address).request("POST", "/polycube/v1/k8slbrp/same/").status_code)

    threads = [threading.Thread(target=create) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201, *[409] * 5]
    assert daemon.request("DELETE", "/polycube/v1/k8slbrp/same/").status_code == 200


def test_answers_do_not_wait_for_the_clients_acknowledgement(daemon: Daemon) -> None:
    durations = [daemon.request("GET", "/polycube/v1/version").elapsed.total_seconds() for _ in range(50)]
    assert sorted(durations)[len(durations) // 2] < 0.02


def test_metrics_tell_cubes_and_ports(daemon: Daemon, cube: str) -> None:
    daemon.request("POST", f"{cube}/ports/p1/", '{"type":"BACKEND"}')
    lines = daemon.request("GET", "/polycube/v1/metrics").text.splitlines()
    assert 'polycube_cube_ports{cubeName="h1",service="k8slbrp"} 1.0' in lines
    assert 'polycube_cube_ports_up{cubeName="h1",service="k8slbrp"} 0.0' in lines
    assert 'polycube_service_cubes{service="k8slbrp"} 1.0' in lines


def test_netdevs_are_those_that_are_up(daemon: Daemon) -> None:
    with Lab() as lab:
        name = lab.link("n", lab.namespace("n"))
        answer = daemon.request("GET", f"/polycube/v1/netdevs/{name}")
        assert (answer.status_code, answer.json()["name"]) == (200, name)
        subprocess.run(["ip", "link", "set", name, "down"], check=True)
        answer = daemon.request("GET", f"/polycube/v1/netdevs/{name}")
        assert (answer.status_code, answer.text) == (400, f"netdev {name} does not exist")


def test_cubes_are_created_all_or_none(daemon: Daemon) -> None:
    good = {"name": "many1", "service-name": "k8slbrp"}
    bad = {"name": "many2", "service-name": "k8slbrp", "port_mode": "NONE"}
    assert daemon.request("POST", "/polycube/v1/cubes", json.dumps([good, bad])).status_code == 400
    assert daemon.request("GET", "/polycube/v1/cubes").json() == {}
    assert daemon.request("POST", "/polycube/v1/cubes", json.dumps([good])).status_code == 201
    assert daemon.request("DELETE", "/polycube/v1/k8slbrp/many1").status_code == 200


BUSY = {
    "port_mode": "MULTI",
    "loglevel": "WARN",
    "ports": [{"name": "be", "type": "backend"}, {"name": "fe", "type": "FRONTEND", "ip": "10.0.0.1"}],
    "service": [
        {
            "name": "a",
            "vip": "10.9.0.1",
            "vport": 80,
            "proto": "TCP",
            "backend": [{"ip": "10.1.0.1", "port": 81}],
        },
        {"vip": "10.9.0.2", "vport": 53, "proto": "UDP"},
    ],
}


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A lab for hosts that leave their datapath behind when they end: it goes with the lab."""
    with Lab() as lab:
        yield lab


def test_cubes_outlive_a_restart(lab: Lab, service_uri: str, tmp_path: Path) -> None:
    dump = tmp_path / "cubes.yaml"
    options = (
        *("--service", f"k8slbrp={service_uri}", "--logfile", str(tmp_path / "log")),
        *("--cubes-dump-enable", "--cubes-dump-file", str(dump)),
    )
    veth = lab.link("v", lab.namespace("v"))
    api, process = start_host(lab, None, *options)
    api.post("k8slbrp/kept", BUSY)
    api.post("k8slbrp/gone")
    api.patch("k8slbrp/kept/ports/fe/peer", veth)
    api.post("k8slbrp/kept/service/10.9.0.3/0/ICMP")
    api.delete("k8slbrp/gone")
    before = _without_uuids(api.get("k8slbrp/kept"))
    assert _ended(lab, process) == 0
    assert [cube["name"] for cube in json.loads(dump.read_text())] == ["kept"]

    api, process = start_host(lab, None, *options)
    assert _without_uuids(api.get("k8slbrp/kept")) == before
    assert api.get("k8slbrp/kept/ports/fe/status") == "UP"
    assert _ended(lab, process) == 0

    api, process = start_host(lab, None, *options, "--cubes-dump-clean-init")
    assert api.get("cubes") == {}
    assert json.loads(dump.read_text()) == {}
    assert list((lab.state_dir / "cubes").iterdir()) == []
    assert _ended(lab, process) == 0


def test_killed_host_loses_nothing(lab: Lab, service_uri: str, tmp_path: Path) -> None:
    dump = tmp_path / "cubes.yaml"
    options = (
        *("--service", f"k8slbrp={service_uri}"),
        *("--cubes-dump-enable", "--cubes-dump-file", str(dump)),
    )
    api, process = start_host(lab, None, *options, log=tmp_path / "log")
    api.post("k8slbrp/kept", BUSY)
    api.delete("k8slbrp/kept/service/10.9.0.2/53/UDP")
    process.send_signal(signal.SIGKILL)
    process.wait()
    api, process = start_host(lab, None, *options, log=tmp_path / "log")
    assert [service["vip"] for service in _services(api)] == ["10.9.0.1"]
    assert not dump.exists()
    process.send_signal(signal.SIGUSR1)
    deadline = time.monotonic() + 10
    while not dump.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [service["vip"] for service in json.loads(dump.read_text())[0]["service"]] == ["10.9.0.1"]
    api.delete("k8slbrp/kept")
    assert _ended(lab, process) == 0


def _services(api: Api) -> list[dict[str, str]]:
    return sorted((s for s in api.get("k8slbrp/kept/service") if isinstance(s, dict)), key=lambda s: s["vip"])


def _without_uuids(cube: dict[str, object]) -> str:
    text = json.dumps({name: member for name, member in cube.items() if name != "_links"})
    return "".join(part for part in text.split('"') if part.count("-") != 4)


def _ended(lab: Lab, process: subprocess.Popen[str]) -> int:
    lab.stop(process)
    return process.returncode


def test_second_host_on_the_same_lock_refuses(tmp_path: Path) -> None:
    with Lab() as lab:
        start_host(lab, log=tmp_path / "log")
        command = [
            sys.executable,
            "-m",
            "pcnhost",
            "--port",
            str(free_port()),
            "--pidfile",
            f"/run/{lab.prefix}.pid",
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        assert done.returncode == 1
        assert done.stderr == f"pcnhost: another host is running (/run/{lab.prefix}.pid is locked)\n"


def test_port_in_use_is_told(daemon: Daemon, tmp_path: Path) -> None:
    port = daemon.address.rpartition(":")[2]
    command = [sys.executable, "-m", "pcnhost", "--port", port, "--pidfile", str(tmp_path / "pid")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert done.stderr.startswith(f"pcnhost: cannot listen on 127.0.0.1:{port}: ")
