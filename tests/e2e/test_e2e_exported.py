"""The shell tests of an exported tree, in both modes of Polycube's runner: a daemon for each, one daemon for all."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from codegen import export
from testbed.api import Api
from testbed.host import PROJECT, service_library, start_host
from testbed.lab import Lab

pytestmark = [pytest.mark.root, pytest.mark.long, pytest.mark.timeout(1800)]

TESTS = ("test_refusals.sh", "test_sessions.sh", "test_traffic.sh")
FOLDERS = {"k8slbrp": "pcn-k8slbrp", "lbrp": "pcn-loadbalancer-rp"}


@pytest.fixture(params=FOLDERS)
def exported(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """A name of the service, and the tests of a Polycube tree that it has been exported into."""
    name: str = request.param
    polycube = tmp_path / "polycube"
    for file, text in {
        ".clang-format": "BasedOnStyle: Google\n",
        "src/services/CMakeLists.txt": (
            "add_service(bridge pcn-bridge)\nadd_service(lbrp pcn-loadbalancer-rp)\n"
        ),
        "Documentation/services/index.rst": (
            ".. toctree::\n\n    pcn-bridge/bridge\n    pcn-loadbalancer-rp/loadbalancer-rp\n"
        ),
        "Documentation/spelling_wordlist.txt": "Bridge\n",
    }.items():
        (polycube / file).parent.mkdir(parents=True, exist_ok=True)
        (polycube / file).write_text(text)
    assert export.main(["--polycube", str(polycube), "--project", str(PROJECT), "--name", name]) == 0
    return name, polycube / "src" / "services" / FOLDERS[name] / "test"


@pytest.fixture
def host(exported: tuple[str, Path], tmp_path: Path) -> Iterator[Api]:
    name, _ = exported
    with Lab() as lab:
        api, _ = start_host(lab, None, "--service", f"{name}={service_library(name)}", log=tmp_path / "log")
        yield api


def run(test: Path, api: Api, tools: Path) -> None:
    """With pcnctl as polycubectl."""
    tools.mkdir(exist_ok=True)
    (tools / "polycubectl").write_text(f'#!/bin/sh\nexec {sys.executable} -P -m pcnhost.ctl "$@"\n')
    (tools / "polycubectl").chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "PYTHONPATH": str(PROJECT),
        "POLYCUBECTL_URL": f"{api.url}/",
    }
    done = subprocess.run(
        [test],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,  # the machine may be busy
        check=False,
    )
    assert done.returncode == 0, f"{test.name}: {done.stdout}{done.stderr}"


@pytest.mark.parametrize("exported", ["k8slbrp"], indirect=True)
@pytest.mark.parametrize("test", TESTS)
def test_with_a_daemon_of_its_own(test: str, exported: tuple[str, Path], host: Api, tmp_path: Path) -> None:
    run(exported[1] / test, host, tmp_path / "tools")


def test_with_one_daemon_for_all(exported: tuple[str, Path], host: Api, tmp_path: Path) -> None:
    _, folder = exported
    assert sorted(path.name for path in folder.glob("test_*.sh")) == sorted(TESTS)
    for test in TESTS:
        run(folder / test, host, tmp_path / "tools")
        assert host.get("cubes") == {}
