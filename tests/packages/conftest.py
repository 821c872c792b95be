"""The packages of this tree, made once."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from testbed.host import PROJECT

WHEELS = PROJECT / "build" / "wheels"


@dataclass(frozen=True)
class Packages:
    wheel: Path
    sdist: Path
    deb: Path


def make_packages(out: Path, **environment: str) -> Packages:
    assert (WHEELS / ".complete").exists(), "make build/wheels/.complete brings what installing needs"
    command = ["env", *(f"{name}={value}" for name, value in environment.items())]
    done = subprocess.run(
        [*command, PROJECT / "scripts" / "package.sh", out], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = {path.suffix: path for path in out.iterdir()}
    assert found.keys() == {".whl", ".gz", ".deb"}
    return Packages(found[".whl"], found[".gz"], found[".deb"])


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    return make_packages(tmp_path_factory.mktemp("packages"))


def newer(deb: Path, directory: Path) -> Path:
    """The same package as version 9.9.9."""
    tree = directory / "tree"
    subprocess.run(["dpkg-deb", "-R", deb, tree], check=True)
    control = tree / "DEBIAN" / "control"
    lines = control.read_text().splitlines()
    control.write_text(
        "".join(f"{'Version: 9.9.9' if line.startswith('Version:') else line}\n" for line in lines)
    )
    (init,) = tree.rglob("site-packages/pcnhost/__init__.py")
    init.write_text(init.read_text() + '\n__version__ = "9.9.9"\n')
    made = directory / "newer.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Znone", "-b", tree, made], check=True, capture_output=True
    )
    return made
