"""What only real stacks can show: fragments, path MTU discovery, traceroute, offloads, hairpin."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator

import pytest

from testbed import topology
from testbed.api import Api
from testbed.lab import Lab, ip, run
from testbed.topology import SERVER_PORT, ConnectedCube
from testbed.traffic import new_sessions

pytestmark = pytest.mark.root


def test_datagrams_in_fragments(any_cube: ConnectedCube) -> None:
    """8 kB each way: every fragment reaches the backend of the first one, and comes back."""
    any_cube.service("10.96.3.1", 80, "UDP", [1, 1, 1])
    script = """
import socket
data = bytes(range(256)) * 32
for _ in range(20):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(3)
        s.connect(("10.96.3.1", 80))
        s.send(data)
        answer = s.recv(65536)
        assert answer.split(b" ", 1)[1] == data, answer[:40]
print("intact")
"""
    assert run([sys.executable, "-c", script], any_cube.network.clients[0]).strip() == "intact"


def test_path_mtu_discovery(any_cube: ConnectedCube) -> None:
    """A hop behind the VIP takes only 1300 bytes; the client learns that for the VIP."""
    any_cube.service("10.96.3.2", 80, "TCP", [1])
    network = any_cube.network
    ip("-n", network.router, "link", "set", "servers", "mtu", "1300")
    try:
        command = ["curl", "-sS", "--max-time", "20", "-T", "-", "http://10.96.3.2/", "-H"]
        command += ["Content-Length: 3000000", "-H", "Transfer-Encoding:"]
        script = f"head -c 3000000 /dev/zero | {' '.join(repr(word) for word in command)}"
        assert len(run(["sh", "-c", script], network.clients[0])) == 64
        assert "mtu 1300" in ip("-n", network.clients[0], "route", "get", "10.96.3.2")
    finally:
        ip("-n", network.router, "link", "set", "servers", "mtu", "1500")


def test_traceroute(any_cube: ConnectedCube) -> None:
    """The router shows itself; the end of the path is the VIP, not the backend behind it."""
    any_cube.service("10.96.3.3", 33434, "UDP", [1])
    command = ["traceroute", "-n", "-U", "-p", "33434", "-q", "1", "-w", "2", "-m", "4", "10.96.3.3"]
    hops = re.findall(r"^ *\d+ +(\S+)", run(command, any_cube.network.clients[0]), re.MULTILINE)
    assert hops == [topology.GATEWAY, "10.96.3.3"]


@pytest.mark.parametrize("direction", [[], ["-R"]], ids=["upload", "download"])
def test_super_packets(any_cube: ConnectedCube, direction: list[str]) -> None:
    """iperf3 with segmentation offload on, which hands the datapath packets of up to 64 kB."""
    vip = "10.96.3.4" if direction else "10.96.3.5"
    backend = {"ip": any_cube.network.server_ips[0], "port": 5201}
    any_cube.api.post(f"k8slbrp/{any_cube.name}/service/{vip}/5201/TCP", {"backend": [backend]})
    server = any_cube.lab.start(
        ["iperf3", "-s", "-1", "-p", "5201", "--forceflush"], any_cube.network.servers[0], ready="-" * 59
    )
    command = ["iperf3", "-c", vip, "-p", "5201", "-t", "1", "-J", *direction]
    result = json.loads(run(command, any_cube.network.clients[0]))["end"]
    assert result["sum_received"]["bytes"] > 10_000_000
    assert result["sum_received"]["bytes"] > 0.9 * result["sum_sent"]["bytes"]
    any_cube.lab.stop(server)


def test_hairpin(multi: ConnectedCube) -> None:
    """A pod reaches itself through a VIP whose only backend it is."""
    pod, address = multi.network.clients[0], multi.network.client_ips[0]
    server = [sys.executable, "-m", "testbed.server", "itself", address, str(SERVER_PORT)]
    multi.lab.start(server, pod, ready="ready")
    backend = {"ip": address, "port": SERVER_PORT}
    for proto in ("TCP", "UDP"):
        multi.api.post(f"k8slbrp/{multi.name}/service/10.96.3.6/80/{proto}", {"backend": [backend]})
    assert new_sessions(pod, "http", "10.96.3.6", 80, 10) == {"itself": 10}
    assert new_sessions(pod, "udp", "10.96.3.6", 80, 10) == {"itself": 10}
    assert new_sessions(multi.network.clients[1], "http", "10.96.3.6", 80, 10) == {"itself": 10}


def test_one_client_two_vips_one_backend_one_source_port(multi: ConnectedCube) -> None:
    """The backend could not tell the two connections apart, so one gets another source port."""
    for vip in ("10.96.3.7", "10.96.3.8"):
        multi.service(vip, 80, "TCP", [1])
    script = """
import socket
request = b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n"
connections = []
for vip in ("10.96.3.7", "10.96.3.8"):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.settimeout(3)
    s.bind(("", 45000))
    s.connect((vip, 80))
    connections.append(s)
for _ in range(3):
    for s in connections:
        s.send(request)
        answer = b""
        while b"server1" not in answer:
            answer += s.recv(4096)
print("both")
"""
    assert run([sys.executable, "-c", script], multi.network.clients[0]).strip() == "both"


@pytest.fixture(scope="module")
def single(api: Api) -> Iterator[ConnectedCube]:
    with Lab() as lab:
        network = topology.build(lab, clients=1, servers=2)
        topology.create_single(api, "lb2", network)
        yield ConnectedCube("lb2", lab, api, network)
        api.delete("k8slbrp/lb2")


def seen_client(cube: ConnectedCube, vip: str) -> str:
    """The address under which a server sees the client."""
    return run(["curl", "-sS", "--max-time", "5", f"http://{vip}/"], cube.network.clients[0]).split()[1]


def test_src_ip_rewrite(single: ConnectedCube) -> None:
    """The virtual range is on the router's link, so the way back needs ARP for virtual addresses, too."""
    single.service("10.96.3.9", 80, "TCP", [1, 1])
    network = single.network
    settings = f"k8slbrp/{single.name}/src-ip-rewrite"
    assert seen_client(single, "10.96.3.9") == network.client_ips[0]
    ip("-n", network.router, "route", "add", "10.30.7.0/24", "dev", "lb")
    single.api.post(settings, {"ip-range": "10.10.1.0/24", "new_ip_range": "10.30.7.0/24"})
    assert seen_client(single, "10.96.3.9") == "10.30.7.1"
    run(
        ["ping", "-c", "1", "-W", "2", network.server_ips[0]], network.clients[0]
    )  # no service: not rewritten
    ip("-n", network.router, "route", "add", "10.31.7.0/24", "dev", "lb")
    single.api.put(settings, {"ip-range": "10.10.1.0/24", "new_ip_range": "10.31.7.0/24"})
    assert seen_client(single, "10.96.3.9") == "10.31.7.1"
    single.api.delete(settings)
    assert seen_client(single, "10.96.3.9") == network.client_ips[0]


def test_what_is_for_everybody_reaches_every_client(multi: ConnectedCube) -> None:
    """A frame that is not IP goes by the control plane to each FRONTEND port, whole and once."""
    listen = """
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88b5))
s.bind(("eth0", 0x88b5))
s.settimeout(5)
print("ready", flush=True)
frame = s.recv(2000)
s.settimeout(0.5)
try:
    s.recv(2000)
    print("twice", flush=True)
except TimeoutError:
    print(frame.hex(), flush=True)
"""
    frame = b"\xff" * 6 + b"\x02\0\0\0\0\x09" + b"\x88\xb5" + bytes(range(200))
    send = f"""
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("lb", 0))
s.send(bytes.fromhex("{frame.hex()}"))
"""
    listeners = [
        multi.lab.start([sys.executable, "-c", listen], client, ready="ready")
        for client in multi.network.clients
    ]
    run([sys.executable, "-c", send], multi.network.router)
    for listener in listeners:
        assert listener.communicate(timeout=10)[0].strip() == frame.hex()
