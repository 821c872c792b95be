"""Wheel and source distribution: an empty virtual environment runs the programs, versions agree, bytes are the same."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import time
from dataclasses import astuple
from pathlib import Path

import pytest

import pcnhost
from testbed.host import PROJECT

from .conftest import WHEELS, Packages, make_packages


@pytest.fixture(scope="module")
def venv(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with nothing of Debian, nothing of this tree, and the wheel."""
    venv = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    install = ["pip", "install", "-q", "--no-index", "--find-links", WHEELS, packages.wheel]
    subprocess.run([venv / "bin" / install[0], *install[1:]], check=True)
    return venv


def run(venv: Path, program: str, *arguments: str) -> str:
    """What a program prints; outside the tree, so that nothing comes from there."""
    environment = {"PATH": os.defpath}
    command = [venv / "bin" / program, *arguments]
    done = subprocess.run(command, cwd=venv, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("program", ["pcnhost", "pcnctl", "k8slbrp-codegen"])
def test_programs_run_in_an_empty_environment(venv: Path, program: str) -> None:
    assert run(venv, program, "--help").startswith("usage: ")


def test_generator_and_sdk_are_complete(venv: Path, tmp_path: Path) -> None:
    """What the example needs besides its own files comes with the wheel."""
    example = PROJECT / "examples" / "ratelimiter"
    options = ["--yang", str(example / "ratelimiter.yang"), "--datapath", str(example / "datapath.c")]
    run(venv, "k8slbrp-codegen", *options, "--out", str(tmp_path))
    assert "class CubeApi" in (tmp_path / "api.h").read_text()
    assert "usage: " in run(venv, "pcnctl", "check", "--help")
    found = "from pcnhost.ctl.check import service_check; print(service_check('k8slbrp').__module__)"
    assert run(venv, "python", "-c", found) == "k8slbrp.check\n"  # which reads the datapath's header
    installed = Path(run(venv, "python", "-c", "import pcnhost; print(pcnhost.__path__[0])").strip())
    assert installed.is_relative_to(venv)
    for folder in ("sdk", "yang", "engine"):
        tree = PROJECT / "pcnhost" / folder
        wanted = {path.relative_to(tree) for path in tree.rglob("*") if path.suffix not in (".pyc", "")}
        here = installed / folder
        assert wanted <= {path.relative_to(here) for path in here.rglob("*")}


def test_source_distribution_has_what_the_build_needs(packages: Packages) -> None:
    with tarfile.open(packages.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"CMakeLists.txt", "Makefile", "LICENSE", "datamodel/k8slbrp.yang", "src/K8slbrp.cpp"}
    wanted |= {
        "src/datapath/abi.h",
        "pcnhost/sdk/CMakeLists.txt",
        "packaging/CMakeLists.txt",
        "scripts/test.sh",
    }
    assert wanted <= names
    assert not [name for name in names if name.startswith((".venv", "build/", "dist/", ".git/"))]


def test_versions_are_the_same_everywhere(packages: Packages, venv: Path) -> None:
    version = pcnhost.__version__
    model = (PROJECT / "datamodel" / "k8slbrp.yang").read_text()
    assert re.findall(r'service-version "(.*)"', model) == [version]
    newest = (PROJECT / "CHANGELOG.md").read_text().split("\n## ")[1]
    assert re.match(rf"Unreleased\n\nThis will be {version}, |{version} \(\d{{4}}-\d\d-\d\d\)\n", newest)
    assert run(venv, "pcnhost", "--version").split() == ["pcnhost", version]
    assert packages.wheel.name.startswith(f"pcn_k8slbrp-{version}-")
    assert packages.sdist.name == f"pcn_k8slbrp-{version}.tar.gz"
    assert packages.deb.name.startswith(f"pcn-k8slbrp_{version}_")


def test_a_second_run_makes_the_same_bytes(packages: Packages, tmp_path: Path) -> None:
    """Later, in another time zone and language. The compiler's part is `make reproducible`."""
    time.sleep(2)
    again = make_packages(tmp_path, TZ="Asia/Tokyo", LC_ALL="C.UTF-8")
    for first, second in zip(astuple(packages), astuple(again), strict=True):
        assert first.name == second.name
        assert first.read_bytes() == second.read_bytes(), first.name
