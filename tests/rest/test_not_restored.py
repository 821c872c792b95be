"""A cube that is kept but that its service refuses goes on forwarding, whatever else is refused over it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from k8slbrp.maps import service_entries
from testbed.api import Api, ApiError
from testbed.host import SERVICE_LIBRARY, service_library, start_host
from testbed.lab import Lab
from tests.engine.support import programs_on

pytestmark = pytest.mark.root

SERVICE = {"vip": "10.96.0.1", "vport": 80, "proto": "TCP", "backend": [{"ip": "10.1.0.1", "port": 80}]}
SERVICES = {"service": [SERVICE]}


class Host:
    """With both names of the service. `veth` is the peer of port p of its cube lb1, which the service refuses."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.file = folder / "cubes.json"
        self.log = folder / "log"
        self.veth = lab.link("v", lab.namespace("v"))
        self.start()
        self.api.post("k8slbrp/lb1", SERVICES)
        self.api.post("k8slbrp/lb1/ports/p", {"type": "BACKEND", "peer": self.veth})
        self.stop()
        cubes = json.loads(self.file.read_text())
        cubes[0]["ports"][0]["type"] = "SIDEWAYS"
        self.file.write_text(json.dumps(cubes))
        self.start()
        assert self.not_restored() == ["lb1"]
        self.forwarding = self.forwards()
        assert self.forwarding[0] and self.forwarding[1]

    def start(self) -> None:
        keep = ["--cubes-dump-enable", "--cubes-dump-file", str(self.file)]
        services = ["--service", f"k8slbrp={SERVICE_LIBRARY}", "--service", f"lbrp={service_library('lbrp')}"]
        started = start_host(self.lab, None, *keep, *services, log=self.log)
        self.api: Api = started[0]
        self.process: subprocess.Popen[str] = started[1]

    def stop(self) -> None:
        self.lab.stop(self.process)

    def not_restored(self) -> list[str]:
        return [cube["name"] for cube in self.api.get("status")["cubes-not-restored"]]

    def forwards(self) -> tuple[set[str], Any]:
        """What packets meet on their way, as far as one sees it without sending one."""
        return programs_on(self.veth), service_entries(self.lab.state_dir, "lb1")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with Lab() as lab:
        yield Host(lab, tmp_path)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("k8slbrp/lb1", {"ports": [{"name": name, "type": "BACKEND"} for name in "ab"], **SERVICES}),
        ("k8slbrp/lb1", {"ports": [{"name": "p", "type": "BACKEND", "peer": "nowhere"}], **SERVICES}),
        # Of a cube without services nothing may get into its tables either.
        ("k8slbrp/lb1", {"ports": [{"name": "p", "type": "BACKEND", "peer": "nowhere"}]}),
        ("cubes", [{"name": "lb1", "service-name": "k8slbrp"}, {"name": "x", "service-name": "none"}]),
        ("cubes", [{"name": "lb1", "service-name": "k8slbrp"}, {"name": "a:b", "service-name": "lbrp"}]),
        (
            "cubes",
            [{"name": "lb1", "service-name": "k8slbrp", **SERVICES}, {"name": "x", "service-name": "none"}],
        ),
    ],
)
def test_a_refused_request_over_it_leaves_it(host: Host, path: str, body: object) -> None:
    with pytest.raises(ApiError):
        host.api.post(path, body)
    assert host.forwards() == host.forwarding
    assert host.not_restored() == ["lb1"]
    assert host.api.get("cubes") == {}
    host.api.delete("k8slbrp/lb1")
    assert host.api.get("status")["cubes-not-restored"] == []
    assert not programs_on(host.veth)
    assert not (host.lab.state_dir / "cubes" / "lb1").exists()


def test_one_that_is_posted_in_a_list_is_there(host: Host) -> None:
    host.api.post("cubes", [{"name": "lb1", "service-name": "k8slbrp"}])
    assert host.not_restored() == []
    assert not programs_on(host.veth)  # the new one has no port
    host.api.delete("k8slbrp/lb1")
    assert host.api.get("cubes") == {}
    host.stop()
    assert json.loads(host.file.read_text()) == []


def test_it_belongs_to_its_service(host: Host) -> None:
    with pytest.raises(ApiError, match="Cube lb1 does not exist"):
        host.api.delete("lbrp/lb1")
    assert host.forwards() == host.forwarding
    assert host.not_restored() == ["lb1"]
