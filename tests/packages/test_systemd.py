"""The package under the real systemd: its unit starts, hangs, crashes, is upgraded and ends, and keeps its cube."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from pcnhost import rights
from tests.engine.support import eventually

from .booted import BootedMachine
from .conftest import Packages, newer

pytestmark = [pytest.mark.root, pytest.mark.long]

WATCHDOG = b"[Service]\nWatchdogSec=5\n"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[BootedMachine]:
    with BootedMachine(tmp_path) as machine:
        yield machine


def unit(machine: BootedMachine, name: str) -> str:
    return machine.run("systemctl", "show", "--value", "--property", name, "pcnhost.service").strip()


def is_another(machine: BootedMachine, process: str) -> bool:
    shown = machine.run("systemctl", "show", "--property=ActiveState,MainPID", "pcnhost.service")
    return "ActiveState=active\n" in shown and f"MainPID={process}\n" not in shown


def is_as_before(machine: BootedMachine) -> bool:
    return "UP" in machine.run("curl", "-s", "http://127.0.0.1:9000/polycube/v1/k8slbrp/lb1/ports/p/status")


def test_the_unit_from_its_start_to_its_end(
    machine: BootedMachine, packages: Packages, tmp_path_factory: pytest.TempPathFactory
) -> None:
    machine.write("/tmp/first.deb", packages.deb.read_bytes())
    machine.run("dpkg", "-i", "/tmp/first.deb")
    machine.boot()
    assert unit(machine, "ActiveState") == "inactive"
    machine.run("mkdir", "/run/systemd/system/pcnhost.service.d")
    machine.write("/run/systemd/system/pcnhost.service.d/watchdog.conf", WATCHDOG)
    machine.run("systemctl", "daemon-reload")

    # Started is when it answers.
    try:
        machine.run("systemctl", "start", "pcnhost.service")
    except AssertionError as e:
        log = machine.sh("cat /var/log/pcnhost/pcnhost.log; systemctl status pcnhost || true")
        raise AssertionError(f"{e}\n{log}") from None
    assert "libpcn-k8slbrp.so" in machine.run("pcnctl", "services")
    machine.sh("ip link add veth1 type veth peer name veth2")
    machine.sh("ip link set veth1 up")
    machine.sh("pcnctl k8slbrp add lb1 port_mode=MULTI")
    machine.sh("pcnctl lb1 ports add p type=BACKEND peer=veth1")
    assert is_as_before(machine)
    status = machine.run("cat", f"/proc/{unit(machine, 'MainPID')}/status")
    found = {
        name: int(value, 16) for name, value in re.findall(r"(Cap\w+|NoNewPrivs|Seccomp):\s*(\w+)", status)
    }
    assert found["CapEff"] == sum(1 << bit for bit in rights.NEEDED.values())
    assert (found["NoNewPrivs"], found["Seccomp"]) == (1, 2)

    # It hangs, it crashes, it is replaced: another process each time, and the cube is there.
    machine.write("/tmp/newer.deb", newer(packages.deb, tmp_path_factory.mktemp("newer")).read_bytes())
    for harm in ("kill -STOP {}", "kill -KILL {}", "dpkg -i /tmp/newer.deb"):
        before = unit(machine, "MainPID")
        machine.sh(harm.format(before))
        assert eventually(partial(is_another, machine, before), 60), harm
        assert is_as_before(machine), harm
    assert "9.9.9" in machine.run("curl", "-s", "http://127.0.0.1:9000/polycube/v1/version")

    machine.run("systemctl", "stop", "pcnhost.service")
    assert (unit(machine, "Result"), unit(machine, "ActiveState")) == ("success", "inactive")
    assert '"lb1"' in machine.run("cat", "/var/lib/pcnhost/cubes.json")
    machine.run("dpkg", "-P", "pcn-k8slbrp")
    assert "pcnhost" not in machine.run("ls", "/sys/fs/bpf")
