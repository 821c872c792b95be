"""The host is killed at any moment under writers and live connections: nothing that a client knows of is lost.

CRASH_KILLS says how often (`make crash`: 500). Some of the kills meet a host that starts, restores or ends; in between
its compiler is killed, too, after which the host has to go on."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from testbed import topology
from testbed.api import Api, ApiError
from testbed.host import PROJECT, SERVICE_LIBRARY, START_S, free_port
from testbed.lab import Lab
from testbed.traffic import Holder, new_sessions
from tests.engine.support import programs_on

pytestmark = [pytest.mark.root, pytest.mark.timeout(4 * 3600)]

KILLS = int(os.environ.get("CRASH_KILLS", "4"))
SEED = int(os.environ.get("CRASH_SEED", "0")) or random.randrange(1 << 30)
CONNECTIONS = 100
CUBE = "k8slbrp/lb1"
VIP = "10.96.0.1"
CUBE_SHARE = 0.01  # of a writer's requests: cubes cost a compilation, at each restart as well

State = Any


class Host:
    """A host that is started again and again at the same address."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        self._lab = lab
        self._log = (directory / "log").open("a")
        port = free_port()
        self.api = Api(f"127.0.0.1:{port}")
        self._argv = [sys.executable, "-m", "pcnhost", "--port", str(port), "--state-dir", str(lab.state_dir)]
        self._argv += ["--pidfile", f"/run/{lab.prefix}.pid", "--service", f"k8slbrp={SERVICE_LIBRARY}"]
        self._argv += ["--cubes-dump-enable", "--cubes-dump-file", str(directory / "cubes.json")]
        self._caches = ["", str(directory / "cache")]
        self._dice = random.Random(SEED)
        self.kills = self.killed_compilers = 0
        self.orphans: list[int] = []  # compilers that outlive their host

    def start(self) -> None:
        """With the results of earlier compilations, or without."""
        cache = self._dice.choice(self._caches)
        self.process = self._lab.start([*self._argv, "--compile-cache", cache], cwd=PROJECT, stderr=self._log)

    def answers(self) -> bool:
        """Whether it comes up."""
        end = time.monotonic() + START_S
        while time.monotonic() < end and self.process.poll() is None:
            try:
                self.api.get("version")
                return True
            except requests.RequestException:
                time.sleep(0.05)
        return False

    def kill(self) -> None:
        compiler = self._compiler()
        self.process.kill()
        self.process.wait()
        self._lab.stop(self.process)
        self.kills += 1
        end = time.monotonic() + 30
        while compiler and _has_program(compiler, "compiler.py") and time.monotonic() < end:
            time.sleep(0.01)
        if compiler and _has_program(compiler, "compiler.py"):
            self.orphans.append(compiler)

    def kill_while_it_ends(self, after_s: float) -> None:
        self.process.terminate()
        time.sleep(after_s)
        self.kill()

    def stop(self) -> int:
        self._lab.stop(self.process)
        return self.process.returncode

    def kill_compiler(self) -> None:
        """With its children, which are at work."""
        if compiler := self._compiler():
            with suppress(ProcessLookupError):
                os.killpg(compiler, signal.SIGKILL)
                self.killed_compilers += 1

    def _compiler(self) -> int | None:
        with suppress(OSError):
            for child in Path(f"/proc/{self.process.pid}/task").glob("*/children"):
                for pid in child.read_text().split():
                    if _has_program(int(pid), "compiler.py"):
                        return int(pid)
        return None


def _has_program(pid: int, name: str) -> bool:
    try:
        return name in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False


class Writer(threading.Thread):
    """Changes things of its own, one request after the other, and knows what must be there.

    `known` are the states that the client has been told of; `open` is what a request without an answer wanted."""

    def __init__(self, host: Host, number: int, pause: threading.Event, netdev: str) -> None:
        super().__init__(name=f"writer{number}")
        self._api = Api(host.api.url.split("/")[2])
        self._random = random.Random(SEED + number)
        self._number = number
        self._pause = pause
        self.netdev = netdev
        self.known: dict[str, State] = {}
        self.open: tuple[str, State] | None = None
        self.idle = threading.Event()
        self.ended = False
        self.writes = 0
        self.refused: list[str] = []

    def run(self) -> None:
        while not self.ended:
            if self._pause.is_set():
                self.idle.set()
                time.sleep(0.01)
                continue
            self.idle.clear()
            try:
                self._write()
                self.writes += 1
            except requests.RequestException:
                self.idle.set()
                while self._pause.is_set() is False and not self.ended:
                    time.sleep(0.01)  # until the host has been found killed
            except ApiError as e:
                self.refused.append(str(e))

    def _write(self) -> None:
        kind = self._random.choice(("service", "service", "backend", "backend", "port"))
        if self._number == 1 and self._random.random() < CUBE_SHARE:
            path = f"k8slbrp/w{self._number}"
            self._change(path, None if path in self.known else ["10.98.0.1", "10.98.0.2"])
        elif kind == "port":
            self._change(f"{CUBE}/ports/w{self._number}", self._port())
        else:
            self._write_service(kind)

    def _write_service(self, kind: str) -> None:
        service = f"{CUBE}/service/10.97.{self._number}.{self._random.randrange(4)}/80/TCP"
        known = self.known.get(service)
        if known is None or (kind == "service" and self._random.random() < 0.5):
            self._change(service, None if known is not None else {})
            return
        backend = f"10.30.{self._number}.{self._random.randrange(6)}"
        body = None if backend in known and self._random.random() < 0.5 else self._random.randrange(1, 9)
        wanted = {ip: weight for ip, weight in known.items() if ip != backend}
        if body is not None:
            wanted[backend] = body
        self.open = service, wanted
        path = f"{service}/backend/{backend}"
        if body is None:
            self._api.delete(path)
        elif backend in known:
            self._api.patch(f"{path}/weight", body)
        else:
            self._api.post(path, {"port": 80, "weight": body})
        self.known[service], self.open = wanted, None

    def _port(self) -> State:
        known = self.known.get(f"{CUBE}/ports/w{self._number}")
        if known is None:
            return self._random.choice((self.netdev, ""))
        return self._random.choice((self.netdev, "", None))

    def _change(self, path: str, wanted: State) -> None:
        known = self.known.get(path)
        self.open = path, wanted
        if wanted is None:
            self._api.delete(path)
        elif path.count("/") == 1:
            self._api.post(path, {"service": [{"vip": vip, "vport": 80, "proto": "TCP"} for vip in wanted]})
        elif "ports" not in path:
            self._api.post(path, {"name": f"writer{self._number}"})
        elif known is None:
            self._api.post(path, {"type": "FRONTEND", "ip": f"10.11.0.{self._number}", "peer": wanted})
        else:
            self._api.patch(f"{path}/peer", wanted)
        if wanted is None:
            self.known.pop(path, None)
        else:
            self.known[path] = wanted
        self.open = None

    def check(self, found: dict[str, State]) -> list[str]:
        """What is not as the client was told; afterwards what is found is what is known."""
        mine = {path: state for path, state in found.items() if self._is_mine(path)}
        wrong = []
        for path in mine.keys() | self.known.keys():
            possible = [self.known.get(path)]
            if self.open and self.open[0] == path:
                possible.append(self.open[1])
            if mine.get(path) not in possible:
                wrong.append(f"{path} is {mine.get(path)}, known is {possible}")
        self.known, self.open = mine, None
        return wrong

    def _is_mine(self, path: str) -> bool:
        return f"/10.97.{self._number}." in path or path.endswith(f"/w{self._number}")


def _found(api: Api) -> dict[str, State]:
    cube = api.get(CUBE)
    found: dict[str, State] = {f"{CUBE}/ports/{port['name']}": port["peer"] for port in cube.get("ports", ())}
    for service in cube.get("service", ()):
        path = f"{CUBE}/service/{service['vip']}/{service['vport']}/{service['proto'].upper()}"
        found[path] = {backend["ip"]: backend["weight"] for backend in service.get("backend", ())}
    for path in [f"k8slbrp/{other['name']}" for other in api.get("cubes")["k8slbrp"]]:
        if path != CUBE:
            found[path] = [service["vip"] for service in api.get(path).get("service", ())]
    return found


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


def test_a_kill_loses_nothing(lab: Lab, tmp_path: Path) -> None:
    print(f"CRASH_SEED={SEED}")
    dice = random.Random(SEED)
    network = topology.build(lab, clients=1, servers=2)
    netdevs = _netdevs()
    host = Host(lab, tmp_path)
    host.start()
    assert host.answers()
    topology.create_multi(host.api, "lb1", network)
    backends = [{"ip": ip, "port": topology.SERVER_PORT} for ip in network.server_ips]
    path = f"{CUBE}/service/{VIP}/80/TCP"
    host.api.post(path, {"backend": backends})
    holder = Holder(lab, network.clients[0], VIP, 80, CONNECTIONS)
    # Its connections stay; one whose session is forgotten goes to the other server, which refuses it.
    host.api.patch(f"{path}/backend/{network.server_ips[0]}/weight", 0)
    static = _found(host.api)

    pause = threading.Event()
    writers = [Writer(host, n, pause, lab.link(f"w{n}", lab.namespace(f"w{n}"))) for n in range(1, 4)]
    for writer in writers:
        writer.start()
    wrong: list[str] = []
    broken = 0
    try:
        while host.kills < KILLS and not wrong:
            time.sleep(dice.uniform(0, 0.6))
            if dice.random() < 0.3:
                host.kill_compiler()  # whoever waits for it notices nothing
                time.sleep(dice.uniform(0, 0.5))
            if dice.random() < 0.15:
                host.kill_while_it_ends(dice.uniform(0, 0.5))
            else:
                host.kill()
            pause.set()
            while dice.random() < 0.35:  # while it starts, or restores
                host.start()
                time.sleep(dice.uniform(0, 3))
                host.kill()
            if dice.random() < 0.2:
                broken = max(broken, holder.check().broken)
            host.start()
            if dice.random() < 0.3:
                time.sleep(dice.uniform(0, 2))
                host.kill_compiler()
            assert host.answers(), f"after {host.kills} kills, see {tmp_path}/log"
            for writer in writers:
                assert writer.idle.wait(60)
            wrong = _wrong(host.api, writers, static)
            pause.clear()
    finally:
        for writer in writers:
            writer.ended = True
            writer.join()
    written = sum(writer.writes for writer in writers)
    broken = max(broken, holder.check().broken)
    print(
        f"{host.kills} kills of the host, {host.killed_compilers} of its compiler, {written} writes, "
        f"broken connections {broken}"
    )
    assert wrong == []
    assert [text for writer in writers for text in writer.refused] == []
    assert written > KILLS
    assert broken == 0
    assert host.orphans == []
    assert sum(new_sessions(network.clients[0], "http", VIP, 80, 10).values()) == 10
    _check_leftovers(host, lab, network, netdevs | {writer.netdev for writer in writers})
    left = {path.name for path in tmp_path.iterdir()}
    assert left - {"cache"} == {  # not each host has a cache
        "log",
        "cubes.json",
        "cubes.json.journal",
        "cubes.json.journal-room",
    }
    assert (tmp_path / "cubes.json").read_text() == "[]"


def _wrong(api: Api, writers: list[Writer], static: dict[str, State]) -> list[str]:
    """What is not as some client was told, or is missing."""
    status, found = api.get("status"), _found(api)
    wrong = [f"{missing} is not restored" for missing in status["cubes-not-restored"]]
    wrong += [f"{down} is down" for down in status["ports-down"]]
    wrong += [
        f"{path} is {found.get(path)} instead of {state}"
        for path, state in static.items()
        if found.get(path) != state
    ]
    for writer in writers:
        wrong += writer.check(found)
    return wrong


def _netdevs() -> set[str]:
    return {path.name for path in Path("/sys/class/net").iterdir()}


def _check_leftovers(host: Host, lab: Lab, network: topology.Topology, netdevs: set[str]) -> None:
    """Nothing is left of what has been deleted, and nothing at all once nobody wants it; ends the host."""
    found = _found(host.api)
    for path in found:
        if path.count("/") == 1:
            host.api.delete(path)
    assert [path.name for path in (lab.state_dir / "cubes").iterdir()] == ["lb1"]
    ports = {path.rpartition("/")[2] for path in found if "/ports/" in path}
    assert {path.name for path in (lab.state_dir / "cubes" / "lb1" / "ports").iterdir()} == ports
    host.api.delete(CUBE)
    assert [*(lab.state_dir / "cubes").iterdir(), *(lab.state_dir / "netdevs").iterdir()] == []
    for netdev in (network.backend, *network.frontends):
        assert programs_on(netdev) == set()
    assert host.stop() == 0
    assert _netdevs() == netdevs
