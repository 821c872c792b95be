"""Sessions that are ended with a reset: both ends learn it with the next packet of either, by real sockets."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from pyroute2 import netns

from testbed import topology
from testbed.api import Api
from testbed.lab import Lab, ip
from testbed.topology import ConnectedCube

from .views import ctl

pytestmark = pytest.mark.root

VIP, OTHER_VIP = "10.96.0.10", "10.96.0.11"
PORT = 7000
PATIENCE_S = 8


@pytest.fixture(scope="module", params=["TC", "XDP_SKB", "TC SINGLE"])
def cube(request: pytest.FixtureRequest, api: Api, lab: Lab) -> Iterator[ConnectedCube]:
    with Lab() as own:
        network = topology.build(own, clients=1, servers=2, start_servers=False)
        kind, *single = request.param.split()
        if kind != "TC":
            topology.prepare_for_xdp(network)
        (topology.create_single if single else topology.create_multi)(api, "lb1", network, type=kind)
        cube = ConnectedCube("lb1", lab, api, network)
        for vip in (VIP, OTHER_VIP):
            backend = [{"ip": network.server_ips[0], "port": PORT}]
            api.post(f"k8slbrp/lb1/service/{vip}/80/TCP", {"backend": backend})
        yield cube
        api.delete("k8slbrp/lb1")


def made_in(namespace: str, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
    netns.pushns(namespace)
    try:
        made = socket.socket(socket.AF_INET, kind)
    finally:
        netns.popns()
    made.settimeout(PATIENCE_S)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return made


@dataclass
class Connection:
    """Both ends of a connection through the cube."""

    client: socket.socket
    server: socket.socket

    def close(self) -> None:
        self.client.close()
        self.server.close()

    @property
    def sport(self) -> int:
        return int(self.client.getsockname()[1])

    @property
    def ends(self) -> tuple[socket.socket, socket.socket]:
        return self.client, self.server


@pytest.fixture
def listener(cube: ConnectedCube) -> Iterator[socket.socket]:
    listener = made_in(cube.network.servers[0])
    listener.bind(("", PORT))
    listener.listen()
    yield listener
    listener.close()


def connect(cube: ConnectedCube, listener: socket.socket, vip: str = VIP, sport: int = 0) -> Connection:
    client = made_in(cube.network.clients[0])
    client.bind(("", sport))
    client.connect((vip, 80))
    server, _ = listener.accept()
    server.settimeout(PATIENCE_S)
    for sender, receiver in ((client, server), (server, client)):
        sender.send(b"hello")
        assert receiver.recv(5) == b"hello"
    return Connection(client, server)


def end(cube: ConnectedCube, **selection: object) -> int:
    answer = cube.api.post("k8slbrp/lb1/sessions/end", {"proto": "TCP", "reset": True, **selection})
    return int(answer["ended"])


def is_reset(end: socket.socket) -> bool:
    try:
        end.recv(1)
    except OSError as e:
        return e.errno == errno.ECONNRESET
    return False


def resets(cube: ConnectedCube) -> int:
    return int(cube.api.get("k8slbrp/lb1/stats/punts/reset"))


@pytest.mark.parametrize("sender", [0, 1], ids=["the client sends", "the server sends"])
def test_both_ends_see_it(cube: ConnectedCube, listener: socket.socket, sender: int) -> None:
    connection = connect(cube, listener)
    before = resets(cube)
    chosen = {"client-port": connection.sport}
    assert end(cube, **chosen) == 1
    assert cube.api.post("k8slbrp/lb1/sessions/find", chosen) == {"session": []}
    connection.ends[sender].send(b"x")
    assert [is_reset(end) for end in connection.ends] == [True, True]
    assert before < resets(cube) < before + 8
    connection.close()


def test_bare_acknowledgements_are_enough(cube: ConnectedCube, listener: socket.socket) -> None:
    """Both are idle; what the client sends to see whether the server is there shows it to both."""
    connection = connect(cube, listener)
    connection.client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    assert end(cube, **{"client-port": connection.sport}) == 1
    connection.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    assert [is_reset(end) for end in connection.ends] == [True, True]
    connection.close()


def test_in_the_middle_of_a_transfer(cube: ConnectedCube, listener: socket.socket) -> None:
    connection = connect(cube, listener)
    connection.server.setblocking(False)
    for _ in range(5):  # the client does not read: both windows are full
        try:
            connection.server.send(bytes(1 << 22))
        except BlockingIOError:
            break
    connection.server.settimeout(PATIENCE_S)
    assert end(cube, **{"client-port": connection.sport}) == 1
    received = 0
    with pytest.raises(ConnectionResetError):
        while block := connection.client.recv(1 << 16):
            received += len(block)
    assert received > 0 and is_reset(connection.server)
    connection.close()


def test_a_replaced_source_port(cube: ConnectedCube, listener: socket.socket) -> None:
    """Of two sessions of one client port only one ends."""
    sport = 23456
    first, second = connect(cube, listener, VIP, sport), connect(cube, listener, OTHER_VIP, sport)
    assert second.server.getpeername()[1] != sport
    assert end(cube, vip=OTHER_VIP) == 1
    second.server.send(b"x")
    assert [is_reset(end) for end in second.ends] == [True, True]
    first.client.send(b"y")
    assert first.server.recv(1) == b"y"
    second.close()
    third = connect(cube, listener, OTHER_VIP, sport)  # a SYN is a new session at once
    assert end(cube, vip=VIP, **{"client-port": sport}) == 1
    first.client.send(b"z")
    assert [is_reset(end) for end in first.ends] == [True, True]
    third.client.send(b"y")
    assert third.server.recv(1) == b"y"
    for connection in (first, third):
        connection.close()


def test_a_client_under_another_address(cube: ConnectedCube, listener: socket.socket) -> None:
    rewrite = {"ip-range": "10.10.1.0/24", "new_ip_range": "10.10.77.0/24"}
    cube.api.patch("k8slbrp/lb1/src-ip-rewrite", rewrite)
    ip("-n", cube.network.router, "route", "replace", "10.10.77.0/24", "dev", "lb")
    try:
        for sender in (0, 1):
            connection = connect(cube, listener)
            assert connection.server.getpeername()[0].startswith("10.10.77.")
            assert end(cube, **{"client-port": connection.sport}) == 1
            connection.ends[sender].send(b"x")
            assert [is_reset(end) for end in connection.ends] == [True, True]
            connection.close()
    finally:
        cube.api.delete("k8slbrp/lb1/src-ip-rewrite")


def test_a_dead_backend(cube: ConnectedCube, listener: socket.socket) -> None:
    """Its client does not wait for it any longer; a new connection goes to a backend that lives."""
    connection = connect(cube, listener, sport=23457)
    ip("-n", cube.network.servers[0], "link", "set", "eth0", "down")
    path = f"k8slbrp/lb1/service/{VIP}/80/TCP/backend"
    try:
        ended = ctl(cube.api, "sessions", "lb1", "--backend", cube.network.server_ips[0], "--end", "--reset")
        assert ended.endswith(" ended\n") and ended != "0 sessions ended\n"
        cube.api.post(f"{path}/{cube.network.server_ips[1]}", {"port": PORT})
        cube.api.delete(f"{path}/{cube.network.server_ips[0]}")
        started = time.monotonic()
        connection.client.send(b"x")
        assert is_reset(connection.client) and time.monotonic() - started < 2
        connection.close()
        other = made_in(cube.network.servers[1])
        other.bind(("", PORT))
        other.listen()
        connect(cube, other, sport=23457).close()
        other.close()
    finally:
        cube.api.put(path, [{"ip": cube.network.server_ips[0], "port": PORT}])
        ip("-n", cube.network.servers[0], "link", "set", "eth0", "up")
        ip(*f"-n {cube.network.servers[0]} route replace default via 10.20.0.254".split())


def test_without_reset_nobody_is_told(cube: ConnectedCube, listener: socket.socket) -> None:
    connection = connect(cube, listener)
    before = resets(cube)
    assert end(cube, reset=False, **{"client-port": connection.sport}) == 1
    connection.client.send(b"x")
    assert connection.server.recv(1) == b"x"  # the only backend: the session is found in the middle
    assert resets(cube) == before
    connection.close()


@contextmanager
def no_way_to_the_client(cube: ConnectedCube, namespace: str) -> Iterator[None]:
    """What this namespace sends or forwards to the client is lost, and nobody is told."""
    route = f"blackhole {cube.network.client_ips[0]}".split()
    ip("-n", namespace, "route", "add", *route)
    try:
        yield
    finally:
        ip("-n", namespace, "route", "del", *route)


def wait_for(reached: Callable[[], bool]) -> None:
    limit = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < limit, "it did not happen in time"
        time.sleep(0.05)


def begin_unanswered(cube: ConnectedCube, client: socket.socket) -> dict[str, int]:
    """Sends a SYN that makes a session without answer; returns what chooses this session."""
    client.setblocking(False)
    assert client.connect_ex((VIP, 80)) == errno.EINPROGRESS
    chosen = {"client-port": int(client.getsockname()[1])}
    wait_for(lambda: cube.api.post("k8slbrp/lb1/sessions/find", chosen)["session"] != [])
    (session,) = cube.api.post("k8slbrp/lb1/sessions/find", chosen)["session"]
    assert session["state"] == "opening"
    return chosen


def test_sessions_without_answer_just_end(cube: ConnectedCube, listener: socket.socket) -> None:
    """The SYN that the client sends again is answered as if nothing had been."""
    before = resets(cube)
    client = made_in(cube.network.clients[0])
    with no_way_to_the_client(cube, cube.network.servers[0]):
        assert end(cube, **begin_unanswered(cube, client)) == 1
    listener.settimeout(PATIENCE_S)
    server, _ = listener.accept()
    server.send(b"hello")
    client.settimeout(PATIENCE_S)
    assert client.recv(5) == b"hello"
    assert resets(cube) == before
    Connection(client, server).close()


def test_a_late_answer_to_a_session_that_has_ended_is_dropped(
    cube: ConnectedCube, listener: socket.socket
) -> None:
    """Its first answer does not get as far as the cube; when the server sends it again, nobody is told."""
    before = resets(cube)
    client = made_in(cube.network.clients[0])
    with no_way_to_the_client(cube, cube.network.router):
        chosen = begin_unanswered(cube, client)
        client.close()  # sends nothing
        assert end(cube, **chosen) == 1
        dropped = int(cube.api.get("k8slbrp/lb1/stats/drops/no-session"))
    wait_for(lambda: int(cube.api.get("k8slbrp/lb1/stats/drops/no-session")) > dropped)
    assert resets(cube) == before


@pytest.mark.parametrize("reset", ["perhaps", 1])
def test_nonsense(cube: ConnectedCube, reset: object) -> None:
    with pytest.raises(Exception, match="reset"):
        end(cube, reset=reset)
