"""The .deb, installed on a machine that is thrown away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Packages
from .machine import Machine

pytestmark = pytest.mark.root


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with Machine(tmp_path) as machine:
        yield machine


def test_what_comes_with_the_programs(machine: Machine, packages: Packages) -> None:
    machine.run("dpkg", "-i", machine.copy(packages.deb))
    for page in ("man8/pcnhost.8", "man1/pcnctl.1", "man1/k8slbrp-codegen.1"):
        text = machine.run("gzip", "-dc", f"/usr/share/man/{page}.gz")
        assert ".SH SYNOPSIS" in text
    completion = "source /usr/share/bash-completion/completions/pcnctl && complete -p pcnctl"
    assert "pcnctl" in machine.run("bash", "-c", completion)
    for name in ("k8slbrp", "lbrp"):
        library = f"libpcn-{name}.so"
        machine.run("grep", "-q", f"create_{name}_by_id_handler", f"/usr/lib/pcn-k8slbrp/{library}")
        assert library not in machine.run("ldconfig", "-p"), "polycubed would load it instead of its own"
    assert machine.run("pcnctl", "--help").startswith("usage: ")
    assert machine.run("k8slbrp-codegen", "--help").startswith("usage: ")
