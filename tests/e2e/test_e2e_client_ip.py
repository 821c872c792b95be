"""Session affinity and source ranges through REST: 10,000 clients, changes of backends, a restart, real servers."""

from __future__ import annotations

import os
import random
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from k8slbrp import abi
from k8slbrp.maps import entries, pins, source_ranges
from pcnhost.engine import bpf
from testbed.api import Api, ApiError
from testbed.host import SERVICE_LIBRARY, start_host
from testbed.lab import Lab
from testbed.topology import ConnectedCube
from testbed.traffic import new_sessions
from tests.datapath.headers import SYN

from .live import Flow, Live

pytestmark = pytest.mark.root

VIP = "10.96.8.1"
SERVICE = f"k8slbrp/lb1/service/{VIP}/80/TCP"
CLIENTS = 10_000
CHANGES = 200
OFFICE = {"address": "192.168.0.0", "prefix-length": 16}


def client_address(number: int) -> str:
    return f"10.{64 + number // 65536}.{number // 256 % 256}.{number % 256}"


class Clients:
    """Clients that open one session after the other, and remember which server they got."""

    def __init__(self, count: int) -> None:
        self.last: dict[int, str] = {}
        self._numbers = range(count)
        self._port = 1024

    def open_all(self, live: Live) -> None:
        self.open(live, self._numbers)

    def open(self, live: Live, numbers: range | list[int], usable: frozenset[str] | None = None) -> int:
        """A new session for each; returns how many left a server that gets new sessions (all, unless told)."""
        self._port += 1
        moved = 0
        for number in numbers:
            address = socket.inet_aton(client_address(number))
            server, _ = live.send(Flow(address, socket.inet_aton(VIP), self._port, 80), SYN)
            before = self.last.get(number, server)
            assert usable is None or server in usable, "a server that gets no new sessions"
            if server != before and (usable is None or before in usable):
                moved += 1
            self.last[number] = server
        return moved

    def shares(self) -> dict[str, float]:
        return {server: count / len(self.last) for server, count in Counter(self.last.values()).items()}


class Backends:
    """The backends of the service, changed at random; `usable` are those that get new sessions."""

    def __init__(self, api: Api, random_: random.Random) -> None:
        self._api = api
        self._random = random_
        self._weights = {f"10.20.0.{n}": n % 4 + 1 for n in range(1, 21)}
        entries = [{"ip": ip, "port": 8080, "weight": weight} for ip, weight in self._weights.items()]
        api.post(SERVICE, {"backend": entries, "session-affinity": "CLIENT_IP"})
        self._states = dict.fromkeys(self._weights, "ACTIVE")

    @property
    def usable(self) -> frozenset[str]:
        return frozenset(
            ip for ip, weight in self._weights.items() if weight and self._states[ip] == "ACTIVE"
        )

    def due(self) -> dict[str, float]:
        total = sum(self._weights.values())
        return {ip: weight / total for ip, weight in self._weights.items()}

    def change(self) -> None:
        """One of them goes, comes, drains, returns, or gets another weight."""
        present = sorted(self._weights)
        ip = self._random.choice([*present, f"10.20.1.{self._random.randrange(1, 30)}"])
        path = f"{SERVICE}/backend/{ip}"
        if ip not in self._weights:
            self._api.post(path, {"port": 8080})
            self._weights[ip], self._states[ip] = 1, "ACTIVE"
            return
        match self._random.randrange(3):
            case 0 if len(self.usable) > 8:
                self._api.delete(path)
                del self._weights[ip], self._states[ip]
            case 1 if len(self.usable) > 8:
                state = "ACTIVE" if self._states[ip] == "DRAINING" else "DRAINING"
                self._api.patch(f"{path}/state", state)
                self._states[ip] = state
            case _:
                self._weights[ip] = self._random.randrange(0 if len(self.usable) > 8 else 1, 5)
                self._api.patch(f"{path}/weight", self._weights[ip])


@pytest.fixture
def starts(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[[], tuple[Live, Callable[[], None]]]]:
    """Starts a host on what the one before has left; the second function ends it. Its cube is in MULTI mode, or as
    the parameter says."""
    mode = getattr(request, "param", "MULTI")
    frontend = {"type": "FRONTEND", **({"ip": "10.10.1.1"} if mode == "MULTI" else {})}
    with Lab() as lab:
        options = ["--cubes-dump-enable", "--cubes-dump-file", str(tmp_path / "cubes")]
        options += ["--service", f"k8slbrp={SERVICE_LIBRARY}"]

        def start() -> tuple[Live, Callable[[], None]]:
            api, process = start_host(lab, None, *options, log=tmp_path / "log")
            if not any(cube.get("name") == "lb1" for cube in api.get("k8slbrp") if isinstance(cube, dict)):
                api.post("k8slbrp/lb1", {"port_mode": mode})
                api.post("k8slbrp/lb1/ports/be", {"type": "BACKEND"})
                api.post("k8slbrp/lb1/ports/fe", frontend)
            return Live(lab, api), lambda: lab.stop(process)

        yield start


@pytest.mark.parametrize("starts", ["MULTI", "SINGLE"], indirect=True)
def test_no_client_moves(starts: Callable[[], tuple[Live, Callable[[], None]]]) -> None:
    """10,000 clients, 200 changes of backends, a recompilation and a restart: only whose backend is gone moves."""
    random_ = random.Random(8)
    live, stop = starts()
    backends = Backends(live.api, random_)
    clients = Clients(CLIENTS)
    clients.open_all(live)
    shares = clients.shares()
    for ip, due in backends.due().items():
        assert shares[ip] == pytest.approx(due, abs=0.02)
    moved = 0
    for _ in range(CHANGES):
        backends.change()
        sample = random_.sample(range(CLIENTS), 100)
        moved += clients.open(live, sample, backends.usable)
    moved += clients.open(live, range(CLIENTS), backends.usable)
    live.api.patch("k8slbrp/lb1/loglevel", "DEBUG")
    moved += clients.open(live, range(0, CLIENTS, 4), backends.usable)
    stop()
    moved += clients.open(live, range(1, CLIENTS, 4), backends.usable)
    live, _ = starts()
    assert live.api.get(f"{SERVICE}/session-affinity") == "client_ip"
    moved += clients.open(live, range(CLIENTS), backends.usable)
    assert moved == 0


def test_the_timeout_is_changed_at_once(live: Live) -> None:
    entries = [{"ip": f"10.20.0.{n}", "port": 8080} for n in range(1, 11)]
    live.api.post(SERVICE, {"backend": entries, "session-affinity": "CLIENT_IP"})
    clients = Clients(300)
    clients.open_all(live)
    time.sleep(3)
    assert clients.open(live, range(300)) == 0
    time.sleep(3)
    live.api.patch(f"{SERVICE}/affinity-timeout", 1)
    assert clients.open(live, range(300)) > 200
    assert clients.open(live, range(300)) == 0
    live.api.patch(f"{SERVICE}/session-affinity", "NONE")
    assert clients.open(live, range(300)) > 200


def leave_a_range(live: Live, client: str) -> None:
    """As if the host had been killed while it exchanged the source ranges of the service."""
    directory = pins(live.lab.state_dir, "lb1")
    ((key, _),) = entries(directory / "source_ranges")
    stray = abi.struct("source_range").from_buffer_copy(key)
    stray.service.pad += 1
    stray.ip, stray.prefix_length = (
        int.from_bytes(socket.inet_aton(client)),
        abi.CONSTANTS["SOURCE_RANGE_BITS"],
    )
    fd = bpf.open_pin(directory / "source_ranges")
    assert fd is not None
    bpf.update(fd, bytes(stray), (1).to_bytes(4, "little"))
    os.close(fd)


def is_served(live: Live, client: str, port: int) -> bool:
    flow = Flow(socket.inet_aton(client), socket.inet_aton(VIP), port, 80)
    return live.send(flow, SYN)[0] != VIP


def test_source_ranges_survive_a_restart(starts: Callable[[], tuple[Live, Callable[[], None]]]) -> None:
    live, stop = starts()
    live.api.post(SERVICE, {"backend": [{"ip": "10.20.0.1", "port": 8080}], "source-range": [OFFICE]})
    assert is_served(live, "192.168.7.7", 1000)
    assert not is_served(live, "10.1.1.1", 1000)
    assert live.api.get("k8slbrp/lb1/stats/drops/source-range") == 1
    before = source_ranges(live.lab.state_dir, "lb1")
    stop()
    leave_a_range(live, "8.8.8.8")
    assert is_served(live, "192.168.7.7", 1001)
    assert not is_served(live, "10.1.1.1", 1001)
    live, _ = starts()
    assert source_ranges(live.lab.state_dir, "lb1") == before
    assert live.api.get(SERVICE)["source-range"] == [OFFICE]
    live.api.post(f"{SERVICE}/source-range/10.0.0.0/8")
    assert is_served(live, "10.1.1.1", 1002)
    assert not is_served(live, "8.8.8.8", 1002)
    live.api.delete(f"{SERVICE}/source-range/192.168.0.0/16")
    assert not is_served(live, "192.168.7.7", 1002)
    assert is_served(live, "192.168.7.7", 1000), "a session that is there goes on"


def test_a_refused_change_refuses_no_source(live: Live) -> None:
    live.api.post(SERVICE, {"backend": [{"ip": "10.20.0.1", "port": 8080}], "source-range": [OFFICE]})
    for body in ([{"address": "10.1.0.0", "prefix-length": 8}], [OFFICE, OFFICE]):
        with pytest.raises(ApiError):
            live.api.put(f"{SERVICE}/source-range", body)
        assert is_served(live, "192.168.7.7", 1000)
        assert not is_served(live, "10.1.1.1", 1000)


def test_real_clients_and_servers(any_cube: ConnectedCube) -> None:
    """In TC and XDP: all connections of a client to one server; a refused one is answered by nobody."""
    path = any_cube.service(VIP, 80, "TCP", [1, 1, 1])
    client = any_cube.network.clients[0]
    assert len(new_sessions(client, "http", VIP, 80, 60)) == 3
    any_cube.api.patch(f"{path}/session-affinity", "CLIENT_IP")
    (server,) = new_sessions(client, "http", VIP, 80, 30)
    others = [ip for n, ip in enumerate(any_cube.network.server_ips, 1) if f"server{n}" != server]
    any_cube.api.delete(f"{path}/backend/{others[0]}")
    any_cube.api.patch(f"{path}/backend/{others[1]}/weight", 9)
    assert new_sessions(client, "http", VIP, 80, 30) == {server: 30}
    any_cube.api.post(f"{path}/source-range/203.0.113.0/24")
    assert new_sessions(client, "http", VIP, 80, 1) == {"": 1}
    any_cube.api.delete(path)
