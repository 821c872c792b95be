"""Failures while a host that starts again takes its cube over, and beside what an earlier one has left."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from k8slbrp import abi
from k8slbrp.maps import entries, pins
from pcnhost.engine import bpf
from testbed.host import SERVICE_LIBRARY, start_host
from testbed.lab import Lab
from tests.faults.injector import ERRORS, MAPS, REMOVALS, Fault, Injector
from tests.faults.requests import Request
from tests.faults.test_faults import CUBE, Host
from tests.faults.test_faults_rare import AGAIN, SERVICE, counters, missing

pytestmark = [pytest.mark.root, pytest.mark.timeout(1200)]

OTHER = {"vip": "10.96.0.9", "vport": 80, "proto": "TCP", "backend": [{"ip": "10.20.9.9", "port": 8080}]}


class Restarts:
    """A host that is started again and again. `kept` is the file with its cubes."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        self.kept, self.log = directory / "cubes", directory / "log"
        self.injector = Injector(directory / "plan")
        self._lab = lab
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> Host:
        options = ["--cubes-dump-enable", "--cubes-dump-file", str(self.kept)]
        options += ["--service", f"k8slbrp={SERVICE_LIBRARY}"]
        api, self._process = start_host(
            self._lab, None, *options, log=self.log, environment=self.injector.environment
        )
        connection = http.client.HTTPConnection(api.url.split("/")[2], timeout=60)
        return Host(connection, self.injector, self._lab.state_dir, [])

    def stop(self) -> None:
        assert self._process
        self._lab.stop(self._process)


@pytest.fixture
def restarts(tmp_path: Path) -> Iterator[Restarts]:
    with Lab() as lab:
        yield Restarts(lab, tmp_path)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("chunks", "cannot remove a chunk"),
        ("services", "cannot remove services that are not wanted any more"),
    ],
    ids=["chunks", "services"],
)
def test_what_a_start_cannot_remove_takes_no_backend_along(restarts: Restarts, name: str, said: str) -> None:
    """The configuration has a service less than the maps, and one more."""
    host = restarts.start()
    assert host.send(Request("POST", "", {"service": [SERVICE, OTHER]}))[0] == 201
    restarts.stop()
    text = restarts.kept.read_text()
    assert '"10.96.0.1"' in text
    restarts.kept.write_text(text.replace('"10.96.0.1"', '"10.96.0.2"'))
    with restarts.injector.armed(Fault(REMOVALS, 1, ERRORS[REMOVALS][0], map=name)):
        host = restarts.start()
    assert host.injector.fired
    assert said in restarts.log.read_text()
    assert host.send(AGAIN)[0] < 300
    assert host.differences(host.tree()) == []
    for vip in ("10.96.0.2", "10.96.0.9"):  # and nobody is forgotten, or stays, later on
        path = f"service/{vip}/80/TCP"
        assert host.send(Request("DELETE", path))[0] < 300
        assert host.differences(host.tree()) == []
    assert host.send(Request("DELETE", ""))[0] < 300


def key_of(vip: str, **more: int) -> bytes:
    return abi.pack("service_key", vip=vip, vport=80, proto=socket.IPPROTO_TCP, **more)


NOBODY = "10.96.7.7"
OF_NOBODY = {
    "chunks": (bpf.u32(1 << 20), bytes(abi.CONSTANTS["CHUNK_BYTES"])),
    "vips": (socket.inet_aton(NOBODY), bpf.u32(1)),
    "endpoints": (key_of(NOBODY), bpf.u32(1)),
    "source_ranges": (
        bpf.u32(abi.CONSTANTS["SERVICE_KEY_BITS"]) + key_of(NOBODY, pad=1) + bytes(4),
        bpf.u32(1),
    ),
    "counter_owners": (bpf.u32(900), key_of(NOBODY) + bytes(4)),
}


@pytest.mark.parametrize("name", OF_NOBODY)
def test_what_a_start_cannot_remove_keeps_no_cube_from_starting(restarts: Restarts, name: str) -> None:
    """An earlier host was killed when nothing led to an entry yet, or any more. Counters get another owner."""
    host = restarts.start()
    assert host.send(Request("POST", "", {"service": [SERVICE, OTHER]}))[0] == 201
    restarts.stop()
    write(host, name, *OF_NOBODY[name])
    kind = MAPS if name == "counter_owners" else REMOVALS
    with restarts.injector.armed(Fault(kind, 1, ERRORS[kind][0], map=name)):
        host = restarts.start()
    assert host.injector.fired
    assert missing(host.state_dir) == []
    assert host.send(AGAIN)[0] < 300
    assert host.differences(host.tree()) == []
    assert counters(host, CUBE, NOBODY) == {}
    assert host.send(Request("DELETE", ""))[0] < 300


def write(host: Host, name: str, key: bytes, value: bytes) -> None:
    fd = bpf.open_pin(pins(host.state_dir, CUBE) / name) or 0
    bpf.update(fd, key, value)
    os.close(fd)


def counted(packets: int) -> bytes:
    """An entry of the map `removed_traffic` that says nothing else."""
    return bytes(abi.struct("removed_traffic")(traffic=abi.struct("traffic")(packets_in=packets)))


def count_for_removed_backends(host: Host, vip: str, packets: int) -> None:
    """What backends have counted that the service had before."""
    write(host, "removed_traffic", key_of(vip), counted(packets))


@pytest.mark.parametrize(
    ("kind", "number"), [(MAPS, 1), (REMOVALS, 1), (MAPS, 2)], ids=["adding", "removing", "noting that"]
)
def test_what_removed_services_have_counted_counts_once(restarts: Restarts, kind: int, number: int) -> None:
    """It moves to the figures of removed services, in three steps, of which one fails. Then another service follows."""
    host = restarts.start()
    assert host.send(Request("POST", "", {"service": [SERVICE, OTHER]}))[0] == 201
    restarts.stop()
    count_for_removed_backends(host, "10.96.0.1", 100)
    count_for_removed_backends(host, "10.96.0.9", 20)
    host = restarts.start()
    translated = Request("GET", "stats/frontend/translated-packets")
    assert host.send(translated) == (200, "120")
    with restarts.injector.armed(Fault(kind, number, ERRORS[kind][0], map="removed_traffic")):
        assert host.send(Request("DELETE", "service/10.96.0.1/80/TCP"))[0] < 300
    assert host.injector.fired
    assert host.send(translated) == (200, "120")
    assert host.send(Request("DELETE", "service/10.96.0.9/80/TCP"))[0] < 300
    assert host.send(translated) == (200, "120")
    restarts.stop()
    assert [value for _, value in entries(pins(host.state_dir, CUBE) / "removed_traffic")] == [counted(120)]
    host = restarts.start()
    assert host.send(translated) == (200, "120")
    assert host.send(Request("DELETE", ""))[0] < 300


def moved_from(vip: str, packets: int) -> bytes:
    """An entry of `removed_traffic` that has the figures of a service, whose own entry is to be removed yet."""
    entry = bytearray(counted(packets))
    at = getattr(abi.struct("removed_traffic"), "from").offset
    entry[at : at + len(key_of(vip))] = key_of(vip)
    return bytes(entry)


@pytest.mark.parametrize("kind", [MAPS, REMOVALS], ids=["noting that", "removing"])
def test_a_move_that_a_start_cannot_finish_is_finished_with_the_next_one(
    restarts: Restarts, kind: int
) -> None:
    """An earlier host was killed in the middle of it."""
    host = restarts.start()
    assert host.send(Request("POST", "", {"service": [SERVICE, OTHER]}))[0] == 201
    restarts.stop()
    write(host, "removed_traffic", bytes(8), moved_from(NOBODY, 100))
    count_for_removed_backends(host, NOBODY, 100)
    count_for_removed_backends(host, "10.96.0.9", 20)
    with restarts.injector.armed(Fault(kind, 1, ERRORS[kind][0], map="removed_traffic")):
        host = restarts.start()
    assert host.injector.fired
    translated = Request("GET", "stats/frontend/translated-packets")
    assert host.send(translated) == (200, "120")
    assert host.send(Request("DELETE", "service/10.96.0.9/80/TCP"))[0] < 300
    restarts.stop()
    assert [value for _, value in entries(pins(host.state_dir, CUBE) / "removed_traffic")] == [counted(120)]
    host = restarts.start()
    assert host.send(translated) == (200, "120")
    assert host.send(Request("DELETE", ""))[0] < 300
