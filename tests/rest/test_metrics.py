"""The metrics page, read by promtool and by a real Prometheus; and the log's line of each change."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from pcnhost import __version__
from testbed.api import ApiError
from testbed.host import load_service, start_host
from testbed.lab import Lab
from testbed.prometheus import Prometheus, promtool

pytestmark = pytest.mark.root

PEER = "10.9.0.1"


class Host:
    def __init__(self, lab: Lab, directory: Path, *options: str) -> None:
        self.log = directory / "log"
        self.api, self.process = start_host(lab, None, "--logfile", str(self.log), *options)
        load_service(self.api)

    def page(self) -> str:
        answer = requests.get(f"{self.api.url}/metrics", timeout=60)
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        return answer.text

    def sample(self, name: str) -> float:
        """The value of a sample, written as in the page."""
        for line in self.page().splitlines():
            if line.startswith(f"{name} "):
                return float(line.rpartition(" ")[2])
        raise LookupError(name)

    def changes(self) -> list[dict[str, str]]:
        """The log's lines of changes, by field, with their level."""
        found = []
        for line in self.log.read_text().splitlines():
            match = re.fullmatch(r"\[.*\] \[pcnhost.changes\] \[(\w+)\] (.*)", line)
            if match:
                pairs = re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)', match[2])
                fields = {name: json.loads(text) if text.startswith('"') else text for name, text in pairs}
                found.append({"level": match[1], **fields})
        return found


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with Lab() as lab:
        yield Host(lab, tmp_path_factory.mktemp("metrics"), "--threads", "4")


@pytest.fixture
def cube(host: Host) -> Iterator[str]:
    host.api.post("k8slbrp/lb1", {"max-sessions": 1024})
    yield "k8slbrp/lb1"
    host.api.delete("k8slbrp/lb1")


def test_promtool_likes_the_page(host: Host, cube: str) -> None:
    host.api.post(
        f"{cube}/service/{PEER}/80/TCP", {"name": 'a "quoted" \\ name', "backend": [{"ip": PEER, "port": 1}]}
    )
    with pytest.raises(RuntimeError) as said:  # about two names of old, which are those of polycubed
        promtool("check", "metrics", text=host.page())
    text = "label names should be written in 'snake_case' not 'camelCase'"
    assert sorted(str(said.value).splitlines()) == [
        f"polycube_cube_ports {text}",
        f"polycube_cube_ports_up {text}",
    ]
    with pytest.raises(RuntimeError, match="total"):  # it would say so
        promtool("check", "metrics", text="# HELP a b\n# TYPE a_total gauge\na_total 1\n")


def test_the_host_itself(host: Host, cube: str) -> None:
    page = host.page()
    assert 'pcnhost_build_info{kernel="' in page and f'version="{__version__}"' in page
    assert 0 < host.sample("process_resident_memory_bytes") < 1 << 30
    assert "_created" not in page


def test_programming_and_compiling_are_measured(host: Host, cube: str) -> None:
    def count(kind: str) -> float:
        name, _, labels = kind.partition("{")
        return host.sample(f"pcnhost_{name}_count{{{labels}")

    done = count('programming_duration_seconds{method="POST",result="done"}')
    total = host.sample('pcnhost_programming_duration_seconds_sum{method="POST",result="done"}')

    def compilations() -> float:
        page = host.page()
        return sum(
            float(n) for n in re.findall(r"^pcnhost_compile_duration_seconds_count.* (\S+)$", page, re.M)
        )

    compiled = compilations()
    host.api.post(f"{cube}/service/{PEER}/81/TCP", {})
    assert count('programming_duration_seconds{method="POST",result="done"}') == done + 1
    took = host.sample('pcnhost_programming_duration_seconds_sum{method="POST",result="done"}') - total
    assert 0 < took < 1
    assert compilations() == compiled
    with pytest.raises(ApiError):
        host.api.patch(f"{cube}/service/{PEER}/81/TCP/name", 5)
    assert count('programming_duration_seconds{method="PATCH",result="refused"}') >= 1
    host.api.post("k8slbrp/lb2", {})
    assert compilations() == compiled + 1
    host.api.delete("k8slbrp/lb2")


def test_one_line_for_each_change(host: Host, cube: str) -> None:
    before = len(host.changes())
    body = {"name": "two\nlines"}
    host.api.post(f"{cube}/service/{PEER}/82/TCP", body)
    host.api.get(f"{cube}/service")
    with pytest.raises(ApiError):
        host.api.patch(f"{cube}/service/{PEER}/82/TCP/name", 5)
    done, refused = host.changes()[before:]
    client, duration = done.pop("client"), done.pop("duration")
    assert client.startswith("127.0.0.1:") and 0 < float(duration.rstrip("s")) < 5
    assert json.loads(done.pop("body")) == body
    path = f"{cube}/service/{PEER}/82/TCP"
    assert done == {"level": "INFO", "method": "POST", "path": path, "status": "201"}
    assert (refused["level"], refused["status"], refused["path"]) == ("WARNING", "400", f"{path}/name")
    assert "name" in refused["error"]


def test_the_log_level_of_the_cube_counts(host: Host, cube: str) -> None:
    host.api.patch(f"{cube}/loglevel", "WARN")
    before = len(host.changes())
    host.api.post(f"{cube}/service/{PEER}/83/TCP", {})
    with pytest.raises(ApiError):
        host.api.patch(f"{cube}/service/{PEER}/83/TCP/name", 5)
    assert [change["level"] for change in host.changes()[before:]] == ["WARNING"]


def test_a_real_prometheus(host: Host, cube: str, tmp_path: Path) -> None:
    with Lab() as lab:
        prometheus = Prometheus(lab, tmp_path, host.api.url.split("/")[2])
        prometheus.wait_for(lambda: prometheus.value('polycube_cube_ports{cubeName="lb1"}') == 0)
        host.api.post(f"{cube}/ports/p1", {"type": "BACKEND"})
        prometheus.wait_for(lambda: prometheus.value('polycube_cube_ports{cubeName="lb1"}') == 1)
        rate = "sum(rate(pcnhost_programming_duration_seconds_count[10s]))"
        prometheus.wait_for(lambda: (prometheus.value(rate) or 0) > 0)


def test_services_and_backends_within_bounds(tmp_path: Path) -> None:
    """Whole services that fit are told, how many do not, too."""
    with Lab() as lab:
        host = Host(lab, tmp_path, "--metrics-series", "45")
        backends = [{"ip": f"10.20.0.{n}", "port": 80, "weight": n} for n in range(2)]
        services = [
            {"vip": f"10.9.0.{n}", "vport": 80, "proto": "TCP", "backend": backends} for n in range(1, 4)
        ]
        services.append({"vip": "10.9.0.9", "vport": 0, "proto": "ICMP"})
        host.api.post("k8slbrp/lb1", {"service": services, "max-sessions": 1024})
        page = host.page()
        told = set(re.findall(r'^polycube_vip_usable_backends{.*vip="([^"]*)".*} (\S+)$', page, re.MULTILINE))
        assert told == {("10.9.0.1", "1.0"), ("10.9.0.2", "1.0")}
        assert page.count("polycube_backend_active_sessions{") == 4
        assert host.sample('polycube_cube_vips_omitted{cube="lb1"}') == 2
        assert host.sample('polycube_cube_vips_without_backend{cube="lb1"}') == 1
        assert host.sample('polycube_cube_table_entries{cube="lb1",table="services"}') == 4
        assert host.sample('polycube_cube_table_limit{cube="lb1",table="services"}') == 65536
        host.api.delete("k8slbrp/lb1")


def test_none_of_services(tmp_path: Path) -> None:
    with Lab() as lab:
        host = Host(lab, tmp_path, "--metrics-series", "0")
        service = {"vip": "10.9.0.1", "vport": 80, "proto": "TCP"}
        host.api.post("k8slbrp/lb1", {"service": [service], "max-sessions": 1024})
        assert "polycube_vip_" not in host.page()
        assert host.sample('polycube_cube_vips_omitted{cube="lb1"}') == 1
        host.api.delete("k8slbrp/lb1")


def test_a_bound_that_makes_no_sense() -> None:
    done = subprocess.run(
        [".venv/bin/python", "-m", "pcnhost", "--metrics-series", "-1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "metrics-series -1 is out of range" in done.stderr) == (1, True)
