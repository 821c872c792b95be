"""The .deb from its installation to its removal, with connections through a cube all the time.

The machine has no systemd. Its programs are as the package brings them; in the place of systemctl is a script that does
what the package's own scripts ask it to."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from testbed import topology
from testbed.api import Api, ApiError
from testbed.lab import Lab
from testbed.topology import ConnectedCube
from testbed.traffic import Holder, Newcomers
from tests.engine.support import programs_on

from .conftest import Packages, newer
from .machine import Machine

pytestmark = [pytest.mark.root, pytest.mark.serial, pytest.mark.long]

VIP = "10.96.4.1"
STATE_DIR = Path("/sys/fs/bpf/pcnhost")
SYSTEMCTL = r"""#!/bin/sh
# daemon-reload | start UNIT | try-restart UNIT | disable --now UNIT; the unit is that of pcnhost.
echo "$*" >> /tmp/systemctl
pidfile=/run/pcnhost/pcnhost.pid
stop() {
  pid=$(cat $pidfile 2>/dev/null) && kill "$pid" && while [ -d "/proc/$pid" ]; do sleep 0.1; done
}
start() {
  mkdir -p /run/pcnhost /var/lib/pcnhost /var/log/pcnhost
  umask 0077
  # shellcheck disable=SC2046
  setsid $(sed -n 's/^ExecStart=//p' /lib/systemd/system/pcnhost.service) > /tmp/said 2>&1 < /dev/null &
}
case "$1" in
  start) start ;;
  try-restart) if stop; then start; fi ;;
  disable) stop ;;
esac
exit 0
"""


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with Machine(tmp_path) as machine:
        machine.run("sh", "-c", "mkdir -p /run/systemd/system && rm -f /usr/bin/systemctl")
        subprocess.run(
            machine.command("sh", "-c", "cat > /usr/bin/systemctl && chmod +x /usr/bin/systemctl"),
            input=SYSTEMCTL.encode(),
            check=True,
        )
        yield machine
        subprocess.run(machine.command("systemctl", "disable", "--now", "pcnhost.service"), check=False)


def answered(api: Api, machine: Machine) -> str:
    """Waits for the host; returns its version."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        try:
            return str(api.request("GET", "version", timeout=5))
        except (requests.RequestException, ApiError):
            time.sleep(0.1)
    raise AssertionError(machine.run("sh", "-c", "cat /tmp/said /var/log/pcnhost/pcnhost.log"))


def test_installed_upgraded_under_traffic_and_removed(
    machine: Machine, packages: Packages, tmp_path_factory: pytest.TempPathFactory
) -> None:
    before = machine.changed()
    machine.run("dpkg", "-i", machine.copy(packages.deb))
    assert not STATE_DIR.exists()  # an installation starts nothing
    machine.run("systemctl", "start", "pcnhost.service")
    api = Api("127.0.0.1:9000")
    answered(api, machine)
    with Lab() as lab:
        network = topology.build(lab, clients=2, servers=3)
        topology.create_multi(api, "lb1", network)
        ConnectedCube("lb1", lab, api, network).service(VIP, 80, "TCP", [1, 1, 1])
        assert machine.run("pcnctl", "check", "lb1") == "cube lb1 is as it is configured\n"
        holder = Holder(lab, network.clients[0], VIP, 80, 100)
        newcomers = Newcomers(network.clients[1], VIP, 80)
        newcomers.start()
        try:
            machine.run("dpkg", "-i", machine.copy(newer(packages.deb, tmp_path_factory.mktemp("newer"))))
            assert "9.9.9" in answered(api, machine)
            assert holder.check().broken == 0
            assert machine.run("pcnctl", "check", "lb1") == "cube lb1 is as it is configured\n"
        finally:
            newcomers.end()
        assert (newcomers.opened > 20, newcomers.lost) == (True, 0)
        netdevs = [port["peer"] for port in api.get("cubes/lb1")["ports"]]
        assert any(programs_on(netdev) for netdev in netdevs)

        machine.run("mount", "-t", "tmpfs", "none", "/lib/modules")  # no headers: removing needs no compiler
        machine.run("dpkg", "-r", "pcn-k8slbrp")
        with pytest.raises(requests.RequestException):
            api.request("GET", "version", timeout=5)
        assert not STATE_DIR.exists()
        assert not [netdev for netdev in netdevs if programs_on(netdev)]
    kept = machine.run("sh", "-c", "ls /etc/pcnhost /var/lib/pcnhost /var/log/pcnhost")
    assert {"pcnhost.conf", "cubes.json", "pcnhost.log"} <= set(kept.split())
    machine.run("dpkg", "-P", "pcn-k8slbrp")
    of_dpkg = ("/var/lib/dpkg/", "/var/log/", "/var/cache/", "/etc/ld.so.cache", "/usr/bin/systemctl")
    assert [path for path in machine.changed(*of_dpkg) if path not in before] == []
    asked = machine.run("cat", "/tmp/systemctl").split("\n")
    assert "try-restart pcnhost.service" in asked
    assert "disable --now pcnhost.service" in asked
