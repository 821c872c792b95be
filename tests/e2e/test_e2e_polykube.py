"""polykube's operator and CNI plug-in, request by request, with traffic: it must work unmodified.

The paths, bodies and order are polykube's. What it reads of an answer it decodes into typed structures, so
statuses, content types and the JSON kind of every member matter.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from testbed import topology
from testbed.api import Api
from testbed.lab import Lab, ip, run
from testbed.topology import SERVER_PORT, Topology
from testbed.traffic import new_sessions

pytestmark = pytest.mark.root

INTERNAL, EXTERNAL = "ikl0", "ekl0"
CLUSTER_IP = "10.96.3.4"


class Polykube:
    """Sends what polykube sends and decodes as its Go client does."""

    def __init__(self, api: Api) -> None:
        self.url = api.url

    def write(self, method: str, path: str, body: Any = None, also: int = 0) -> None:
        """A request whose status must be below 300, or `also`."""
        answer = requests.request(method, self.url + path, json=body, timeout=60)
        assert answer.status_code < 300 or answer.status_code == also, answer.text

    def read(self, path: str) -> Any:
        answer = requests.get(self.url + path, timeout=60)
        assert answer.status_code == 200, answer.text
        kind = answer.headers["Content-Type"]
        assert "application/json" in kind or "application/yang.data+json" in kind
        decoded = answer.json()
        if isinstance(decoded, list):
            return [element for element in decoded if not isinstance(element, list)]
        return decoded if decoded is not None else []


@pytest.fixture(scope="module")
def network() -> Iterator[Topology]:
    with Lab() as lab:
        yield topology.build(lab, clients=2, servers=2)


@pytest.fixture(scope="module")
def polykube(api: Api, network: Topology) -> Iterator[Polykube]:
    polykube = Polykube(api)
    yield polykube
    for cube in (INTERNAL, EXTERNAL):
        polykube.write("DELETE", f"/k8slbrp/{cube}/", also=409)


def pod_port(address: str) -> str:
    return "".join(f"{int(octet):02x}" for octet in address.split("."))


def test_start_up(polykube: Polykube, network: Topology) -> None:
    assert requests.get(polykube.url, timeout=10).status_code
    assert polykube.read("/k8slbrp/") == []
    backend = {"name": "to_r0", "type": "backend"}
    create = {"name": INTERNAL, "loglevel": "INFO", "ports": [backend], "port_mode": "MULTI"}
    polykube.write("POST", f"/k8slbrp/{INTERNAL}/", create)
    ports = [backend, {"name": "to_k0", "type": "frontend"}]
    create = {"name": EXTERNAL, "loglevel": "INFO", "ports": ports, "port_mode": "SINGLE"}
    polykube.write("POST", f"/k8slbrp/{EXTERNAL}/", create)
    assert {cube["name"] for cube in polykube.read("/k8slbrp/")} == {INTERNAL, EXTERNAL}
    for _ in range(2):  # the operator repeats itself
        patch = {"name": "to_r0", "peer": network.backend}
        polykube.write("PATCH", f"/k8slbrp/{INTERNAL}/ports/to_r0/", patch)
    assert polykube.read(f"/k8slbrp/{INTERNAL}/ports/to_r0/")["type"] == "backend"
    for cube in (INTERNAL, EXTERNAL):
        polykube.write("DELETE", f"/k8slbrp/{cube}/service/")


def test_the_cni_plugin_adds_a_pod(polykube: Polykube, network: Topology) -> None:
    address, netdev = network.client_ips[0], network.frontends[0]
    port = {"name": pod_port(address), "peer": netdev, "type": "frontend", "ip": address}
    path = f"/k8slbrp/{INTERNAL}/ports/{pod_port(address)}/"
    polykube.write("POST", path, port)
    check = polykube.read(path)
    expected = {"type": "frontend", "peer": netdev, "status": "UP", "ip": address}
    assert {key: check[key] for key in expected} == expected


def test_the_operator_adds_missing_pods(polykube: Polykube, network: Topology) -> None:
    ports = polykube.read(f"/k8slbrp/{INTERNAL}/ports/")
    assert {port["ip"] for port in ports if port["type"] != "backend"} == {network.client_ips[0]}
    address, netdev = network.client_ips[1], network.frontends[1]
    port = {"name": pod_port(address), "peer": netdev, "type": "frontend", "ip": address}
    polykube.write("POST", f"/k8slbrp/{INTERNAL}/ports/", [port])


def test_a_pod_comes_back_with_the_same_interface_name(polykube: Polykube, network: Topology) -> None:
    """Its interface vanished with the old sandbox; connecting the port again makes it work again."""
    name = pod_port(network.client_ips[1])
    path = f"/k8slbrp/{INTERNAL}/ports/{name}/"
    netdev, namespace = network.frontends[1], network.clients[1]
    ip("link", "del", netdev)
    wait_for(lambda: polykube.read(path)["status"] == "DOWN")
    ip(*f"link add {netdev} type veth peer name eth0 netns {namespace}".split())
    ip("link", "set", netdev, "up")
    topology.configure_client(namespace, network.client_ips[1])
    polykube.write("PATCH", path, {"name": name, "peer": netdev})
    assert polykube.read(path)["status"] == "UP"
    assert run(["ping", "-c", "1", "-W", "2", topology.GATEWAY], namespace)


def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(100):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("nothing changed within 5 s")


def services(polykube: Polykube, cube: str) -> dict[tuple[str, int, str], str]:
    """What the service controller finds: (vip, vport, upper case proto) to the proto as read."""
    tree = polykube.read(f"/k8slbrp/{cube}/")
    assert isinstance(tree["shadow"], bool) and isinstance(tree["span"], bool)
    return {(s["vip"], s["vport"], s["proto"].upper()): s["proto"] for s in tree.get("service", [])}


def test_the_service_controller(polykube: Polykube) -> None:
    wanted = [
        {"name": "default/web", "vip": CLUSTER_IP, "vport": 80, "proto": "TCP"},
        {"name": "default/web", "vip": CLUSTER_IP, "vport": 53, "proto": "UDP"},
        {"name": "default/web", "vip": CLUSTER_IP, "vport": 99, "proto": "TCP"},
    ]
    polykube.write("POST", f"/k8slbrp/{INTERNAL}/service/", wanted)
    found = services(polykube, INTERNAL)
    assert set(found) == {(CLUSTER_IP, 80, "TCP"), (CLUSTER_IP, 53, "UDP"), (CLUSTER_IP, 99, "TCP")}
    gone = f"/k8slbrp/{INTERNAL}/service/{CLUSTER_IP}/99/{found[CLUSTER_IP, 99, 'TCP']}/"
    polykube.write("DELETE", gone)
    polykube.write("DELETE", gone, also=409)
    assert len(services(polykube, INTERNAL)) == 2


def backends(polykube: Polykube, vport: int, proto: str) -> set[tuple[str, str, int, int]]:
    tree = polykube.read(f"/k8slbrp/{INTERNAL}/")
    for service in tree["service"]:
        if (service["vip"], service["vport"], service["proto"].upper()) == (CLUSTER_IP, vport, proto):
            return {(b["name"], b["ip"], b["port"], b["weight"]) for b in service.get("backend", [])}
    raise AssertionError("no such service")


@pytest.mark.parametrize(("vport", "proto"), [(80, "TCP"), (53, "UDP")])
def test_the_endpoints_controller(polykube: Polykube, network: Topology, vport: int, proto: str) -> None:
    path = f"/k8slbrp/{INTERNAL}/service/{CLUSTER_IP}/{vport}/{proto}/backend/"
    local, remote = network.server_ips
    entries = [
        {"name": "default/web", "ip": local, "port": SERVER_PORT, "weight": 3},
        {"name": "default/web", "ip": remote, "port": SERVER_PORT},
    ]
    assert backends(polykube, vport, proto) == set()
    polykube.write("POST", path, entries)
    both = {("default/web", local, SERVER_PORT, 3), ("default/web", remote, SERVER_PORT, 1)}
    assert backends(polykube, vport, proto) == both
    again = requests.post(polykube.url + path, json=entries[:1], timeout=10)
    assert again.status_code == 409, "the re-POST of a backend stays an error"
    assert backends(polykube, vport, proto) == both


def test_traffic_of_the_pods(polykube: Polykube, network: Topology) -> None:
    for pod in network.clients:
        for protocol, vport in (("http", 80), ("udp", 53)):
            answers = new_sessions(pod, protocol, CLUSTER_IP, vport, 100)
            assert sum(answers.values()) == 100
            assert answers["server1"] > answers["server2"] > 0


def test_endpoints_go_away_but_the_service_stays(polykube: Polykube, network: Topology) -> None:
    path = f"/k8slbrp/{INTERNAL}/service/{CLUSTER_IP}/80/TCP/backend/"
    polykube.write("DELETE", f"{path}{network.server_ips[0]}/")
    assert new_sessions(network.clients[0], "http", CLUSTER_IP, 80, 20) == {"server2": 20}
    polykube.write("DELETE", f"{path}{network.server_ips[1]}/")
    assert backends(polykube, 80, "TCP") == set()
    assert requests.delete(f"{polykube.url}{path}{network.server_ips[1]}/", timeout=10).status_code == 409


def test_the_cni_plugin_removes_a_pod(polykube: Polykube, network: Topology) -> None:
    path = f"/k8slbrp/{INTERNAL}/ports/{pod_port(network.client_ips[1])}/"
    polykube.write("DELETE", path)
    polykube.write("DELETE", path, also=409)
    assert requests.delete(polykube.url + path, timeout=10).status_code == 409


def test_the_operator_restarts(polykube: Polykube) -> None:
    for cube in (INTERNAL, EXTERNAL):
        polykube.write("DELETE", f"/k8slbrp/{cube}/service/")
        assert services(polykube, cube) == {}
