"""A start that fails says in one line what to do, ends with 1, and changes nothing."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pcnhost.ctl.check import look
from pcnhost.ctl.client import Client
from pcnhost.ctl.settings import Settings
from testbed.api import Api, ApiError
from testbed.host import PROJECT, SERVICE_LIBRARY, free_port, start_host
from testbed.lab import Lab, ip
from tests.engine.support import programs_on

pytestmark = pytest.mark.root


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


def command(lab: Lab, *options: str) -> list[str]:
    host = [sys.executable, "-m", "pcnhost", "--port", str(free_port()), "--state-dir", str(lab.state_dir)]
    return [*host, "--pidfile", f"/run/{lab.prefix}-2.pid", *options]


def fails(argv: list[str]) -> str:
    """The one line that it says."""
    done = subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("pcnhost: ")
    return line.removeprefix("pcnhost: ")


def test_another_host(lab: Lab, tmp_path: Path) -> None:
    start_host(lab, None, "--pidfile", f"/run/{lab.prefix}.pid", log=tmp_path / "log")
    assert fails(command(lab)) == f"another host is at work on {lab.state_dir}"
    assert (Path(f"/run/{lab.prefix}.pid").stat().st_mode & 0o777) == 0o600
    assert fails(command(lab, "--pidfile", f"/run/{lab.prefix}.pid")).startswith("another host is running")


def test_state_directory(lab: Lab, tmp_path: Path) -> None:
    text = fails(command(lab, "--state-dir", str(tmp_path / "x")))
    assert text == f"the state directory {tmp_path}/x is not in a BPF file system, such as /sys/fs/bpf"
    assert not (tmp_path / "x").exists()
    assert "is a mount point: name a directory in it" in fails(command(lab, "--state-dir", "/sys/fs/bpf"))


def test_no_kernel_headers(lab: Lab) -> None:
    hide = 'mount -t tmpfs none /lib/modules && exec "$0" "$@"'
    release = os.uname().release
    text = fails(["unshare", "--mount", "sh", "-c", hide, *command(lab)])
    assert text == f"the headers of kernel {release} are missing: apt install linux-headers-{release}"
    assert not lab.state_dir.exists()


def test_port_in_use_in_the_background(lab: Lab, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = fails([*command(lab, "--daemon", "--logfile", str(tmp_path / "log")), "--port", str(port)])
    assert text.startswith(f"cannot listen on 127.0.0.1:{port}: Address already in use")
    assert f"cannot start: {text}" in (tmp_path / "log").read_text()
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o640


def test_background_begins_when_clients_are_answered(lab: Lab, tmp_path: Path) -> None:
    pidfile, port = tmp_path / "pid", free_port()
    argv = [*command(lab, "--daemon", "--logfile", str(tmp_path / "log")), "--port", str(port)]
    done = subprocess.run(
        [*argv, "--pidfile", str(pidfile)], cwd=PROJECT, capture_output=True, timeout=120, check=False
    )
    pid = int(pidfile.read_text())
    try:
        assert (done.returncode, done.stderr) == (0, b"")
        with socket.create_connection(("127.0.0.1", port), 10) as client:
            client.sendall(b"GET /polycube/v1/version HTTP/1.0\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200")
    finally:
        os.kill(pid, signal.SIGTERM)
        while Path(f"/proc/{pid}").exists():
            time.sleep(0.05)
    assert not pidfile.exists()


def test_pidfile_that_others_can_lock(lab: Lab, tmp_path: Path) -> None:
    """One left by an earlier version is not in the way, whoever locks it."""
    pidfile = tmp_path / "pid"
    pidfile.touch()
    pidfile.chmod(0o644)
    locker = lab.start(["flock", str(pidfile), "sh", "-c", "echo ready; sleep 60"], ready="ready")
    text = fails(command(lab, "--pidfile", str(pidfile), "--service", "k8slbrp=/no/such.so"))
    assert text.startswith("cannot load service k8slbrp: ")
    lab.stop(locker)


@pytest.fixture
def left(lab: Lab, tmp_path: Path) -> Iterator[list[str]]:
    """Options of a host that has ended and left a cube, whose port leads to a netdev."""
    options = ["--cubes-dump-enable", "--cubes-dump-file", str(tmp_path / "cubes.json")]
    veth = lab.link("v", lab.namespace("v"))
    api, process = start_host(
        lab, None, *options, "--service", f"k8slbrp={SERVICE_LIBRARY}", log=tmp_path / "log"
    )
    api.post("k8slbrp/lb1")
    api.post("k8slbrp/lb1/ports/p", {"type": "BACKEND", "peer": veth})
    lab.stop(process)
    yield options
    api, process = start_host(
        lab, None, *options, "--service", f"k8slbrp={SERVICE_LIBRARY}", log=tmp_path / "log"
    )
    assert api.get("k8slbrp/lb1/ports/p/status") == "UP"
    api.delete("k8slbrp/lb1")
    lab.stop(process)


@pytest.fixture
def untouched(lab: Lab, left: list[str], tmp_path: Path) -> Iterator[list[str]]:
    """The options of `left`; in the end everything is as it was."""
    before = everything(lab, tmp_path)
    assert "lb1" in before
    assert programs_on(f"{lab.prefix}v")
    yield left
    assert everything(lab, tmp_path) == before


def everything(lab: Lab, tmp_path: Path) -> str:
    pins = sorted(map(str, lab.state_dir.rglob("*")))
    return "\n".join([*sorted(programs_on(f"{lab.prefix}v")), *pins, (tmp_path / "cubes.json").read_text()])


def deletes_what_forwards(lab: Lab, api: Api) -> None:
    """The cube, which is not restored, forwards until it is deleted; then nothing of it is left."""
    assert programs_on(f"{lab.prefix}v")
    api.delete("k8slbrp/lb1")
    assert api.get("status")["cubes-not-restored"] == []
    assert not programs_on(f"{lab.prefix}v")
    assert not (lab.state_dir / "cubes" / "lb1").exists()


def test_service_that_cannot_be_loaded(lab: Lab, untouched: list[str], tmp_path: Path) -> None:
    broken = tmp_path / "broken.so"
    broken.write_text("no library")
    assert fails(command(lab, *untouched, "--service", f"k8slbrp={broken}")).startswith(
        "cannot load service k8slbrp: "
    )


def test_damaged_file(lab: Lab, untouched: list[str], tmp_path: Path) -> None:
    file = tmp_path / "cubes.json"
    whole = file.read_text()
    file.write_text(whole[:-40])
    text = fails(command(lab, *untouched, "--service", f"k8slbrp={SERVICE_LIBRARY}"))
    assert text.startswith(f"{file} cannot be used: malformed JSON at line ")
    assert file.read_text() == whole[:-40]
    file.write_text(whole)


def test_read_only_place(lab: Lab, untouched: list[str], tmp_path: Path) -> None:
    remount = f'mount --bind {tmp_path} {tmp_path} && mount -o remount,ro,bind {tmp_path} && exec "$0" "$@"'
    argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c", remount, *command(lab, *untouched)]
    assert fails(argv).startswith(f"cannot write {tmp_path}/cubes.json.journal: ")


def test_cubes_of_a_service_that_comes_later(lab: Lab, left: list[str], tmp_path: Path) -> None:
    """They go on, and come back with it."""
    api, process = start_host(lab, None, *left, log=tmp_path / "log")
    assert api.get("cubes") == {}
    assert api.get("status")["cubes-not-restored"] == [
        {"name": "lb1", "service-name": "k8slbrp", "reason": "there is no service k8slbrp"}
    ]
    assert (lab.state_dir / "cubes" / "lb1").exists()
    api.post("services", {"type": "lib", "uri": str(SERVICE_LIBRARY), "name": "k8slbrp"})
    assert api.get("k8slbrp/lb1/ports/p/status") == "UP"
    assert api.get("status")["cubes-not-restored"] == []
    lab.stop(process)
    assert json.loads((tmp_path / "cubes.json").read_text())[0]["name"] == "lb1"


def test_cube_of_a_service_that_does_not_come(lab: Lab, left: list[str], tmp_path: Path) -> None:
    """It can be deleted; one that is nowhere but in the file is not said to go on."""
    file = tmp_path / "cubes.json"
    whole = file.read_text()
    file.write_text(json.dumps([*json.loads(whole), {"service-name": "other", "name": "old"}]))
    api, process = start_host(lab, None, *left, log=tmp_path / "log")
    log = (tmp_path / "log").read_text()
    assert "cube lb1 is not restored, it goes on as it was: there is no service k8slbrp" in log
    assert "cube old is not restored: there is no service other" in log
    with pytest.raises(ApiError, match="No cube found named other"):
        api.delete("other/lb1")
    api.delete("other/old")
    deletes_what_forwards(lab, api)
    lab.stop(process)
    assert json.loads(file.read_text()) == []
    file.write_text(whole)


def test_peer_that_is_late(lab: Lab, left: list[str], tmp_path: Path) -> None:
    """It stays wanted over restarts, and is connected when it appears."""
    options = [*left, "--service", f"k8slbrp={SERVICE_LIBRARY}"]
    veth = f"{lab.prefix}v"
    ip("link", "del", veth)
    for restarts in range(2):
        api, process = start_host(lab, None, *options, log=tmp_path / "log")
        assert api.get("status")["ports-down"] == [
            {"port": "lb1:p", "peer": veth, "reason": f"Interface  {veth} does not exist or is down"}
        ]
        assert api.get("k8slbrp/lb1/ports/p/status") == "DOWN"
        if not restarts:
            lab.stop(process)
            assert json.loads((tmp_path / "cubes.json").read_text())[0]["ports"][0]["peer"] == veth
    ip("link", "add", veth, "type", "veth", "peer", "name", f"{veth}x")
    ip("link", "set", veth, "up")
    end = time.monotonic() + 10
    while api.get("k8slbrp/lb1/ports/p/status") != "UP" and time.monotonic() < end:
        time.sleep(0.05)
    assert api.get("k8slbrp/lb1/ports/p/status") == "UP"
    lab.stop(process)


def test_a_locale_without_letters(lab: Lab, left: list[str], tmp_path: Path) -> None:
    """In which Python would read and write ASCII."""
    options = [*left, "--service", f"k8slbrp={SERVICE_LIBRARY}"]
    ascii_only = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    for starts in range(2):
        api, process = start_host(lab, None, *options, log=tmp_path / "log", environment=ascii_only)
        if not starts:
            api.post("k8slbrp/lb1/service/10.96.0.1/80/TCP", {"name": "é漢🙂"})
            api.post("k8slbrp/%C3%A9", {})
        assert api.get("k8slbrp/lb1/service/10.96.0.1/80/TCP/name") == "é漢🙂"
        lab.stop(process)
        assert process.returncode == 0
    kept = json.loads((tmp_path / "cubes.json").read_text(encoding="utf-8"))
    assert {cube["name"] for cube in kept} == {"lb1", "é"}
    assert "Error" not in (tmp_path / "log").read_text(encoding="utf-8", errors="replace")


def test_cube_that_its_service_refuses(lab: Lab, left: list[str], tmp_path: Path) -> None:
    """It goes on forwarding, is shown, and can be deleted."""
    file = tmp_path / "cubes.json"
    whole = file.read_text()
    file.write_text(whole.replace('"BACKEND"', '"SIDEWAYS"').replace('"backend"', '"sideways"'))
    options = [*left, "--service", f"k8slbrp={SERVICE_LIBRARY}"]
    api, process = start_host(lab, None, *options, log=tmp_path / "log")
    (missing,) = api.get("status")["cubes-not-restored"]
    assert (missing["name"], "sideways" in missing["reason"].lower()) == ("lb1", True)
    deletes_what_forwards(lab, api)
    lab.stop(process)
    assert json.loads(file.read_text()) == []
    for kept in tmp_path.glob("cubes.json*"):
        kept.unlink()
    file.write_text(whole)


_SLOW_COMPILER = """
import pathlib
from pcnhost import retries
from pcnhost.engine import compile

retries.FIRST_PAUSE_S = 0.2
ask = compile._Compiler.ask

def slow(self, text, cflags):
    if "SESSION_ENTRIES" in text and pathlib.Path(__file__).with_name("slow").exists():
        raise compile.CompileError(f"{compile.NO_ANSWER} within 60 s")
    return ask(self, text, cflags)

compile._Compiler.ask = slow
"""


def test_compiler_that_is_too_slow(lab: Lab, left: list[str], tmp_path: Path) -> None:
    """The cube goes on forwarding, is shown, and comes back when the compiler answers in time."""
    (tmp_path / "sitecustomize.py").write_text(_SLOW_COMPILER)
    (tmp_path / "slow").touch()
    options = [*left, "--service", f"k8slbrp={SERVICE_LIBRARY}", "--compile-cache", ""]
    environment = {"PYTHONPATH": str(tmp_path)}
    api, process = start_host(lab, None, *options, log=tmp_path / "log", environment=environment)
    time.sleep(1)
    (missing,) = api.get("status")["cubes-not-restored"]
    assert "the compiler did not answer within 60 s" in missing["reason"]
    assert "it is tried again" in missing["reason"]
    assert programs_on(f"{lab.prefix}v")
    (tmp_path / "slow").unlink()
    end = time.monotonic() + 30
    while api.get("status")["cubes-not-restored"] and time.monotonic() < end:
        time.sleep(0.1)
    assert api.get("status")["cubes-not-restored"] == []
    assert api.get("k8slbrp/lb1/ports/p/status") == "UP"
    lab.stop(process)


def test_numeric_keys_as_strings(lab: Lab, left: list[str], tmp_path: Path) -> None:
    """So polycubed keeps what came in the path of a request."""
    options = [*left, "--service", f"k8slbrp={SERVICE_LIBRARY}"]
    api, process = start_host(lab, None, *options, log=tmp_path / "log")
    service = {
        "backend": [{"ip": "10.1.0.1", "port": 80}],
        "source-range": [{"address": "10.0.0.0", "prefix-length": 8}],
    }
    api.post("k8slbrp/lb1/service/10.9.0.1/80/TCP", service)
    before = api.get("k8slbrp/lb1/service")[0]
    lab.stop(process)
    file = tmp_path / "cubes.json"
    text = file.read_text()
    changed = text.replace('"vport": 80', '"vport": "80"').replace(
        '"prefix-length": 8', '"prefix-length": "8"'
    )
    assert len(changed) == len(text) + 4
    file.write_text(changed)
    api, process = start_host(lab, None, *options, log=tmp_path / "log")
    assert api.get("status")["cubes-not-restored"] == []
    assert api.get("k8slbrp/lb1/service")[0] == before
    client = Client(Settings(f"{api.url}/"))
    assert look(client, "lb1", lab.state_dir) == []
    lab.stop(process)
