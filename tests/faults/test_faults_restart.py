"""Failures while a host that starts again takes its cube over."""

from __future__ import annotations

import http.client
import subprocess
from pathlib import Path

import pytest

from testbed.host import SERVICE_LIBRARY, start_host
from testbed.lab import Lab
from tests.faults.injector import ERRORS, REMOVALS, Fault, Injector
from tests.faults.requests import Request
from tests.faults.test_faults import Host
from tests.faults.test_faults_rare import AGAIN, SERVICE

pytestmark = [pytest.mark.root, pytest.mark.timeout(1200)]


def test_what_a_start_cannot_remove_takes_no_backend_along(tmp_path: Path) -> None:
    """The configuration has a service less than the maps, and one more."""
    kept, log = tmp_path / "cubes", tmp_path / "log"
    options = ["--cubes-dump-enable", "--cubes-dump-file", str(kept)]
    options += ["--service", f"k8slbrp={SERVICE_LIBRARY}"]
    injector = Injector(tmp_path / "plan")
    with Lab() as lab:

        def start() -> tuple[Host, subprocess.Popen[str]]:
            api, process = start_host(lab, None, *options, log=log, environment=injector.environment)
            connection = http.client.HTTPConnection(api.url.split("/")[2], timeout=60)
            return Host(connection, injector, lab.state_dir, []), process

        host, process = start()
        backends = [{"ip": "10.20.9.9", "port": 8080}]
        other = {"vip": "10.96.0.9", "vport": 80, "proto": "TCP", "backend": backends}
        assert host.send(Request("POST", "", {"service": [SERVICE, other]}))[0] == 201
        lab.stop(process)
        text = kept.read_text()
        assert '"10.96.0.1"' in text
        kept.write_text(text.replace('"10.96.0.1"', '"10.96.0.2"'))
        with injector.armed(Fault(REMOVALS, 1, ERRORS[REMOVALS][0], map="chunks")):
            host, process = start()
        assert injector.fired
        assert "cannot remove a chunk" in log.read_text()
        assert host.send(AGAIN)[0] < 300
        assert host.differences(host.tree()) == []
        for vip in ("10.96.0.2", "10.96.0.9"):  # and nobody is forgotten, or stays, later on
            path = f"service/{vip}/80/TCP"
            assert host.send(Request("DELETE", path))[0] < 300
            assert host.differences(host.tree()) == []
        assert host.send(Request("DELETE", ""))[0] < 300
