"""The host as systemd runs it: with few rights, and reporting how it is. And the files in packaging/."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pcnhost import rights
from testbed.api import Api
from testbed.host import PROJECT, SERVICE_LIBRARY, free_port
from testbed.lab import Lab, run

pytestmark = pytest.mark.root

PACKAGING = PROJECT / "packaging"
FEW = "-all,+bpf,+net_admin,+perfmon"


def _report(channel: socket.socket) -> str:
    return channel.recv(1 << 12).decode()


def test_few_rights_and_reports(tmp_path: Path) -> None:
    """Cube, peer, traffic control and slow path with three capabilities; ready, alive, stopping."""
    with Lab() as lab, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.settimeout(100)
        port = free_port()
        log = tmp_path / "host.log"
        argv = ["setpriv", f"--bounding-set={FEW}", "--inh-caps=-all", sys.executable, "-m", "pcnhost"]
        argv += [
            "--port",
            str(port),
            "--pidfile",
            f"/run/{lab.prefix}.pid",
            "--state-dir",
            str(lab.state_dir),
        ]
        argv += ["--logfile", str(log), "--service", f"k8slbrp={SERVICE_LIBRARY}"]
        environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000"}
        host = lab.start(argv, cwd=PROJECT, env=environment)
        assert _report(channel) == "READY=1"
        status = Path(f"/proc/{host.pid}/status").read_text()
        assert int(re.search(r"CapEff:\s*(\w+)", status)[1], 16) == sum(
            1 << b for b in rights.NEEDED.values()
        )  # type: ignore[index]
        api = Api(f"127.0.0.1:{port}")
        run(["ip", "link", "add", "few0", "type", "veth", "peer", "name", "few1"])
        run(["ip", "link", "set", "few0", "up"])
        try:
            api.post("k8slbrp/few", {"port_mode": "MULTI"})
            api.post("k8slbrp/few/ports/p", {"type": "FRONTEND", "ip": "10.1.1.1", "peer": "few0"})
            assert api.get("k8slbrp/few/ports/p/status") == "UP"
            assert _report(channel) == "WATCHDOG=1"
            api.delete("k8slbrp/few")
            host.send_signal(signal.SIGTERM)
            while (report := _report(channel)) == "WATCHDOG=1":
                pass
            assert report == "STOPPING=1"
            assert host.wait(60) == 0
        finally:
            run(["ip", "link", "del", "few0"])
        assert "Error" not in log.read_text()


def test_without_rights_it_says_which() -> None:
    argv = ["setpriv", "--bounding-set=-all,+net_admin", sys.executable, "-m", "pcnhost"]
    done = subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        1,
        "pcnhost: root privileges are needed, or at least CAP_PERFMON, CAP_BPF\n",
    )


def test_the_unit_makes_sense(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd is not installed")
    executable = tmp_path / "pcnhost"
    executable.write_text("#!/bin/sh\n")
    executable.chmod(0o755)
    unit = tmp_path / "pcnhost.service"
    unit.write_text((PACKAGING / "pcnhost.service").read_text().replace("/usr/bin/pcnhost", str(executable)))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=45", unit]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_logrotate_understands_its_file(tmp_path: Path) -> None:
    if not shutil.which("logrotate"):
        pytest.skip("logrotate is not installed")
    command = ["logrotate", "--debug", "--state", tmp_path / "state", PACKAGING / "pcnhost.logrotate"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr
