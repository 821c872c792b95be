"""A recompilation, a restart and upgrades of the host under live connections."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests

from k8slbrp.maps import count, entries, pins
from testbed import topology
from testbed.api import Api, ApiError
from testbed.host import PROJECT, SERVICE_LIBRARY, free_port, start_host
from testbed.lab import Lab
from testbed.topology import ConnectedCube
from testbed.traffic import Holder, Newcomers, Pings, new_sessions

from .restartable import restartable

pytestmark = pytest.mark.root

VIP = "10.96.4.1"
CONNECTIONS = 200
LONGEST_GAP_S = 20  # docs/operating.md says what it takes on a machine that does nothing else


def leave_first_server(cube: ConnectedCube, path: str) -> None:
    """Its connections stay. One whose session is forgotten goes to another server, which refuses it."""
    cube.api.patch(f"{path}/backend/{cube.network.server_ips[0]}/weight", 0)


def test_a_reload_breaks_no_connection(multi: ConnectedCube) -> None:
    path = multi.service(VIP, 80, "TCP", [1, 1, 1])
    holder = Holder(multi.lab, multi.network.clients[0], VIP, 80, CONNECTIONS)
    leave_first_server(multi, path)
    for level in ("DEBUG", "INFO"):
        multi.api.patch(f"k8slbrp/{multi.name}/loglevel", level)
        assert holder.check().broken == 0
    holder.close()


def test_a_restart_of_the_host_breaks_no_connection(tmp_path: Path) -> None:
    """Packets flow while no host runs; the next one finds everything as it was, and can change it."""
    with restartable(tmp_path, clients=1, servers=3) as cube:
        network, client = cube.network, cube.network.clients[0]
        path = cube.service(VIP, 80, "TCP", [1, 1])
        holder = Holder(cube.lab, client, VIP, 80, CONNECTIONS)
        cube.service(VIP, 0, "ICMP", [1])
        pings = Pings(cube.lab, client, VIP)
        third = {"port": topology.SERVER_PORT}
        cube.api.post(f"{path}/backend/{network.server_ips[2]}", third)  # the held connections are not where
        cube.api.delete(f"{path}/backend/{network.server_ips[0]}")  # the table now says
        before = cube.api.get("k8slbrp/lb1/service")

        cube.stop()
        assert holder.check().broken == 0
        assert sum(new_sessions(client, "http", VIP, 80, 20).values()) == 20

        cube.start()
        assert holder.check().broken == 0
        sent, unanswered = pings.end()
        assert sent > 100 and unanswered == 0  # 200 in a second, and a start takes about one
        assert cube.api.get("k8slbrp/lb1/service")[:2] == before[:2]
        assert set(new_sessions(client, "http", VIP, 80, 50)) == {"server2", "server3"}
        cube.api.delete(f"{path}/backend/{network.server_ips[1]}")
        assert new_sessions(client, "http", VIP, 80, 20) == {"server3": 20}
        assert holder.check().broken == 0


def test_a_cube_that_its_service_refuses_goes_on(tmp_path: Path) -> None:
    """An earlier build has accepted a service with port 0; this one refuses the cube once the programs are loaded."""
    with restartable(tmp_path, clients=1, servers=2) as cube:
        client = cube.network.clients[0]
        path = cube.service(VIP, 80, "TCP", [1, 1])
        cube.service(VIP, 81, "TCP", [1])
        holder = Holder(cube.lab, client, VIP, 80, CONNECTIONS)
        leave_first_server(cube, path)
        cube.service(VIP, 0, "ICMP", [1])
        pings = Pings(cube.lab, client, VIP)
        cube.stop()
        kept = (tmp_path / "cubes").read_text()
        (tmp_path / "cubes").write_text(kept.replace('"vport": 81', '"vport": 0'))
        cube.start()
        (missing,) = cube.api.get("status")["cubes-not-restored"]
        assert missing["name"] == "lb1"
        assert "cannot restore cube lb1, it goes on as it was: " in (tmp_path / "log").read_text()
        assert holder.check().broken == 0
        assert sum(new_sessions(client, "http", VIP, 80, 20).values()) == 20
        cube.stop()
        (tmp_path / "cubes").write_text(kept)
        cube.start()
        assert cube.api.get("status")["cubes-not-restored"] == []
        assert holder.check().broken == 0
        sent, unanswered = pings.end()
        assert sent > 100 and unanswered == 0


MAX_SERVICES, MAX_CHUNKS, MAX_BACKENDS = 65_536, 128_768, 262_144
UNEVEN, CHUNKS_OF_UNEVEN = (1, 65535), 64  # weights that need the finest shares


def _filling(services: int, chunks: int, backends: int) -> Iterator[dict[str, Any]]:
    """So many services, of which some use up the chunks, and all together the backends."""
    unused = (str(IPv4Address("10.128.0.0") + number) for number in itertools.count())
    uneven = chunks // CHUNKS_OF_UNEVEN
    backends -= uneven * len(UNEVEN)
    for number in range(services):
        weights: tuple[int, ...] = UNEVEN
        if number >= uneven:  # a single one that gets sessions needs no chunk
            count = backends // (services - number)
            backends -= count
            weights = (1, *[0] * (count - 1))
        yield {
            "vip": str(IPv4Address("10.97.0.0") + number),
            "vport": 80,
            "proto": "TCP",
            "backend": [{"ip": next(unused), "port": 1, "weight": weight} for weight in weights],
        }


@pytest.mark.long
def test_a_restart_of_a_full_cube_loses_no_packet(tmp_path: Path) -> None:
    """All tables are full. Nothing is written anew, so that no choice changes and no room is needed."""
    with restartable(tmp_path, clients=2, servers=3) as cube:
        clients = cube.network.clients
        path = cube.service(VIP, 80, "TCP", [1, 1, 1])
        cube.service(VIP, 0, "ICMP", [1])
        own = pins(cube.lab.state_dir, cube.name)
        maps = {name: own / name for name in ("services", "vips", "chunks", "endpoints")}
        used = {name: count(pinned) for name, pinned in maps.items()}
        services = _filling(
            MAX_SERVICES - used["services"], MAX_CHUNKS - used["chunks"], MAX_BACKENDS - used["endpoints"]
        )
        while batch := list(itertools.islice(services, 1000)):
            cube.api.post("k8slbrp/lb1/service", batch)
        used = {name: count(pinned) for name, pinned in maps.items()}
        assert (used["services"], used["endpoints"]) == (MAX_SERVICES, MAX_BACKENDS)
        assert used["chunks"] > MAX_CHUNKS - CHUNKS_OF_UNEVEN
        with pytest.raises(ApiError, match="full"):
            cube.service(VIP, 81, "TCP", [1])
        holder = Holder(cube.lab, clients[0], VIP, 80, CONNECTIONS)
        leave_first_server(cube, path)
        before = {name: dict(entries(pinned)) for name, pinned in maps.items()}
        pings = Pings(cube.lab, clients[0], VIP)
        newcomers = Newcomers(clients[1], VIP, 80)
        newcomers.start()
        try:
            cube.stop()
            assert holder.check().broken == 0
            cube.start()
            assert holder.check().broken == 0
            assert {name: dict(entries(pinned)) for name, pinned in maps.items()} == before
        finally:
            newcomers.end()
        sent, unanswered = pings.end()
        assert sent > 200 and unanswered == 0
        assert newcomers.opened > 20 and newcomers.lost == 0


class Gap(NamedTuple):
    """While no host answers; `without` are the seconds in which the test had something else to do."""

    begin: float
    end: float
    without: float

    @property
    def seconds(self) -> float:
        return self.end - self.begin - self.without


class Asker(threading.Thread):
    """Asks the host for something all the time; `refused` is when it got no answer."""

    def __init__(self, api: Api) -> None:
        super().__init__()
        self._api = Api(api.url.split("/")[2])
        self._ended = False
        self.answered = 0
        self.refused: list[float] = []

    def run(self) -> None:
        while not self._ended:
            try:
                self._api.get("k8slbrp/lb1/service")
                self.answered += 1
            except requests.RequestException:
                self.refused.append(time.monotonic())
            time.sleep(0.02)

    def end(self) -> None:
        self._ended = True
        self.join()


@pytest.mark.long
def test_upgrades_of_library_and_host_break_no_connection(tmp_path: Path) -> None:
    """New files, a restart: 1,000 connections live on, new ones are opened all the time, and requests are refused
    only from the end of the old host until the new one answers."""
    library, package = tmp_path / "libpcn-k8slbrp.so", tmp_path / "new"
    shutil.copy(SERVICE_LIBRARY, library)
    for name in ("pcnhost", "codegen"):
        shutil.copytree(PROJECT / name, package / name, ignore=shutil.ignore_patterns("__pycache__"))
    init = package / "pcnhost" / "__init__.py"
    init.write_text(init.read_text() + '\n__version__ = "9.9.9"\n')
    (package / "build").symlink_to(PROJECT / "build")
    with Lab() as lab:
        network = topology.build(lab, clients=2, servers=3)
        port = free_port()
        options = ["--cubes-dump-enable", "--cubes-dump-file", str(tmp_path / "cubes")]

        def start(uri: Path, code: Path = PROJECT) -> tuple[Api, subprocess.Popen[str]]:
            service = ["--service", f"k8slbrp={uri}", "--service-dir", str(uri.parent)]
            return start_host(lab, port, *options, *service, log=tmp_path / "log", code=code)

        api, host = start(SERVICE_LIBRARY)
        topology.create_multi(api, "lb1", network)
        cube = ConnectedCube("lb1", lab, api, network)
        path = cube.service(VIP, 80, "TCP", [1, 1, 1])
        holder = Holder(lab, network.clients[0], VIP, 80, 1000)
        leave_first_server(cube, path)
        newcomers = Newcomers(network.clients[1], VIP, 80)
        newcomers.start()
        asker = Asker(api)
        asker.start()
        gaps = []
        try:
            for uri, code, kill in (
                (library, PROJECT, False),
                (library, package, False),
                (library, package, True),
            ):
                ended = time.monotonic()
                if kill:
                    host.kill()
                lab.stop(host)
                stopped = time.monotonic()
                assert holder.check().broken == 0
                starting = time.monotonic()
                api, host = start(uri, code)
                gaps.append(Gap(ended, time.monotonic(), without=starting - stopped))
                assert holder.check().broken == 0
                assert api.get("services")[0]["servicecontroller"] == str(uri)
            assert "9.9.9" in str(api.get("version"))
        finally:
            newcomers.end()
            asker.end()
        print(
            f"no host for {', '.join(f'{gap.seconds:.1f} s' for gap in gaps)}; {newcomers.opened} new connections"
        )
        assert asker.answered > 10
        assert [time for time in asker.refused if not any(gap.begin < time < gap.end for gap in gaps)] == []
        assert max(gap.seconds for gap in gaps) < LONGEST_GAP_S
        assert newcomers.opened > 100
        assert newcomers.lost == 0
        api.delete("k8slbrp/lb1")
