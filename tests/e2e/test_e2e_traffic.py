"""Real clients and servers through a VIP, in both modes and all types of cube."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from testbed.lab import run
from testbed.topology import ConnectedCube
from testbed.traffic import new_sessions

pytestmark = pytest.mark.root


@pytest.mark.parametrize(("protocol", "proto"), [("http", "TCP"), ("udp", "UDP")])
def test_every_session_is_answered_and_every_server_gets_some(
    any_cube: ConnectedCube, protocol: str, proto: str
) -> None:
    any_cube.service("10.96.1.1", 80, proto, [1, 1, 1])
    answers = new_sessions(any_cube.network.clients[0], protocol, "10.96.1.1", 80, 300)
    assert set(answers) == {"server1", "server2", "server3"}
    assert sum(answers.values()) == 300


def test_ping(any_cube: ConnectedCube) -> None:
    any_cube.service("10.96.1.2", 0, "ICMP", [1, 1, 1])
    output = run(["ping", "-c", "10", "-i", "0.02", "-W", "2", "10.96.1.2"], any_cube.network.clients[0])
    assert " 0% packet loss" in output


def test_all_is_tcp_udp_and_ping(any_cube: ConnectedCube) -> None:
    any_cube.service("10.96.1.3", 80, "ALL", [1])
    assert new_sessions(any_cube.network.clients[0], "http", "10.96.1.3", 80, 5) == {"server1": 5}
    assert new_sessions(any_cube.network.clients[0], "udp", "10.96.1.3", 80, 5) == {"server1": 5}
    run(["ping", "-c", "1", "-W", "2", "10.96.1.3"], any_cube.network.clients[0])


def test_servers_are_reached_directly_too(any_cube: ConnectedCube) -> None:
    direct = any_cube.network.server_ips[2]
    assert new_sessions(any_cube.network.clients[0], "http", direct, 8080, 5) == {"server3": 5}
    run(["ping", "-c", "1", "-W", "2", direct], any_cube.network.clients[0])


def test_a_large_transfer_arrives_intact(any_cube: ConnectedCube, tmp_path: Path) -> None:
    """100 MB with the offloads of veth: unfinished checksums, packets of up to 64 kB."""
    any_cube.service("10.96.1.4", 80, "TCP", [1, 1, 1])
    content = hashlib.shake_256(b"content").digest(100_000_000)
    source = tmp_path / "content"
    source.write_bytes(content)
    command = ["curl", "-sS", "--max-time", "60", "-T", str(source), "http://10.96.1.4/"]
    answer = run(command, any_cube.network.clients[0], timeout=90)
    assert answer == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("proto", ["TCP", "UDP"])
def test_a_service_without_backends_refuses_at_once(any_cube: ConnectedCube, proto: str) -> None:
    any_cube.service("10.96.1.5", 80, proto, [])
    kind = "SOCK_STREAM" if proto == "TCP" else "SOCK_DGRAM"
    script = f"""
import socket, time
start = time.monotonic()
s = socket.socket(socket.AF_INET, socket.{kind})
s.settimeout(5)
try:
    s.connect(("10.96.1.5", 80))
    s.send(b"x")
    s.recv(1)
except ConnectionRefusedError:
    print("refused", time.monotonic() - start < 2)
"""
    assert run([sys.executable, "-c", script], any_cube.network.clients[0]).strip() == "refused True"
