"""polykube's operator and CNI plug-in, request by request: it must work unmodified.

`testbed.polykube` sends them in its order and spelling, and fails where its Go client would see an error.
Here one host has them without pods; `tests/kube` has whole nodes with traffic.
"""

from __future__ import annotations

import json
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from testbed import topology
from testbed.api import Api
from testbed.host import load_service, service_library
from testbed.lab import Lab, ip, run
from testbed.polykube import (
    CUBES,
    Cni,
    Operator,
    Peers,
    Refused,
    Requests,
    Service,
    ServicePort,
    port_name,
)
from testbed.topology import Topology

pytestmark = pytest.mark.root

NODE_IP, POD_CIDR = "192.168.100.1", "10.10.1.0/24"
WEB = Service("default/web", "10.96.3.4", (ServicePort(80, "TCP", 30080), ServicePort(53, "UDP", 30053)))
POD, OTHER_POD = ("10.10.1.20", 8080), ("10.10.2.20", 8080)


@pytest.fixture(scope="module")
def network() -> Iterator[Topology]:
    with Lab() as lab:
        yield topology.build(lab, clients=2, servers=2, start_servers=False)


def versions() -> list[Any]:
    """The names of the service that this tree builds."""
    return [
        pytest.param(
            name, marks=pytest.mark.skipif(not service_library(name).exists(), reason=f"{name} is not built")
        )
        for name in CUBES
    ]


@pytest.fixture(scope="module", params=versions())
def polykube(request: pytest.FixtureRequest, api: Api) -> Iterator[Requests]:
    """Each published version in turn: they call service and cubes by different names."""
    name: str = request.param
    if name != "k8slbrp":
        load_service(api, service_library(name), name)
    to = Requests(name, api.url)
    assert to.answers()
    assert to.read("") == []
    yield to
    for cube in (to.internal, to.external):
        to.write("DELETE", f"{cube}/", also=409)


@pytest.fixture
def operator(polykube: Requests, network: Topology) -> Iterator[Operator]:
    """Started, without pods; its cubes know polykube's router and dispatcher only by name."""
    operator = Operator(polykube, NODE_IP, POD_CIDR)
    operator.start()
    yield operator
    for address in network.client_ips:
        Cni(polykube).delete(address)


@pytest.fixture
def router(polykube: Requests, network: Topology) -> Iterator[None]:
    """A cube of ours in the place of polykube's router, which passes everything."""
    ports = [
        {"name": f"to_{polykube.internal}", "type": "frontend", "peer": f"{polykube.internal}:to_r0"},
        {"name": "out", "type": "backend", "peer": network.backend},
    ]
    polykube.write("POST", "r0/", {"name": "r0", "port_mode": "SINGLE", "ports": ports})
    yield
    polykube.write("DELETE", "r0/", also=409)


def services(to: Requests, cube: str) -> dict[tuple[str, int, str], set[tuple[str, int, int]]]:
    """By VIP, port and protocol: address, port and weight of each backend."""
    return {
        (s["vip"], s["vport"], s["proto"]): {(b["ip"], b["port"], b["weight"]) for b in s.get("backend", [])}
        for s in to.read(f"{cube}/").get("service", [])
    }


def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(100):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("nothing changed within 5 s")


def test_start_up(polykube: Requests, operator: Operator) -> None:
    assert {cube["name"] for cube in polykube.read("")} == {polykube.internal, polykube.external}
    modes = [polykube.read(f"{cube}/")["port_mode"] for cube in (polykube.internal, polykube.external)]
    assert modes == ["multi", "single"]
    for cube, port, kind in (
        (polykube.internal, "to_r0", "backend"),
        (polykube.external, "to_k0", "frontend"),
    ):
        assert polykube.read(f"{cube}/ports/{port}/")["type"] == kind
    operator.connect()  # the operator repeats itself


def test_a_peer_that_is_not_there_yet_stays_wanted(polykube: Requests, operator: Operator) -> None:
    """The operator connects its cubes to those of others before these exist."""
    port = polykube.read(f"{polykube.internal}/ports/to_r0/")
    assert (port["peer"], port["status"]) == (f"r0:to_{polykube.internal}", "DOWN")


def test_packets_pass_from_cube_to_cube(
    polykube: Requests, operator: Operator, network: Topology, router: None
) -> None:
    """What leaves one enters the other, both ways, until one is gone; then it is wanted again."""
    Cni(polykube).add(network.client_ips[0], network.frontends[0])
    assert polykube.read(f"{polykube.internal}/ports/to_r0/")["status"] == "UP"
    run(["ping", "-c", "2", "-i", "0.1", "-W", "2", topology.GATEWAY], network.clients[0])
    polykube.write("DELETE", "r0/")
    port = polykube.read(f"{polykube.internal}/ports/to_r0/")
    assert (port["peer"], port["status"]) == (f"r0:to_{polykube.internal}", "DOWN")


def test_the_cni_plugin(polykube: Requests, operator: Operator, network: Topology) -> None:
    cni = Cni(polykube)
    address, netdev = network.client_ips[0], network.frontends[0]
    cni.add(address, netdev)
    assert cni.check(address, netdev), "UP at once, and everything as sent"
    with pytest.raises(Refused) as refused:
        cni.add(address, netdev)
    assert refused.value.status == 409
    cni.delete(address)
    cni.delete(address)  # the kubelet repeats itself; 409 means gone


def test_a_pod_comes_back_with_the_same_interface_name(
    polykube: Requests, network: Topology, operator: Operator
) -> None:
    """Its interface vanished with the old sandbox; connecting the port again makes it work again."""
    peers = Peers(network.backend, f"r0:to_{polykube.external}", f"k0:to_{polykube.external}")
    Operator(polykube, NODE_IP, POD_CIDR, peers).connect()
    address, netdev, namespace = network.client_ips[1], network.frontends[1], network.clients[1]
    Cni(polykube).add(address, netdev)
    path = f"{polykube.internal}/ports/{port_name(address)}/"
    ip("link", "del", netdev)
    wait_for(lambda: polykube.read(path)["status"] == "DOWN")
    ip(*f"link add {netdev} type veth peer name eth0 netns {namespace}".split())
    ip("link", "set", netdev, "up")
    topology.configure_client(namespace, address)
    polykube.write("PATCH", path, {"name": port_name(address), "peer": netdev})
    wait_for(lambda: polykube.read(path)["status"] == "UP")
    run(["ping", "-c", "1", "-W", "2", topology.GATEWAY], namespace)


def test_the_operator_adds_missing_pods_in_one_list(
    polykube: Requests, operator: Operator, network: Topology
) -> None:
    pods = dict(zip(network.client_ips, network.frontends, strict=True))
    Cni(polykube).add(network.client_ips[0], pods[network.client_ips[0]])
    operator.add_missing_pods(pods)
    assert all(Cni(polykube).check(*pod) for pod in pods.items())
    operator.add_missing_pods(pods)


def test_services_and_endpoints_in_both_cubes(polykube: Requests, operator: Operator) -> None:
    operator.sync_service(WEB)
    internal = {("10.96.3.4", 80, "tcp"): set(), ("10.96.3.4", 53, "udp"): set()}
    external = {(NODE_IP, 30080, "tcp"): set(), (NODE_IP, 30053, "udp"): set()}
    assert (services(polykube, polykube.internal), services(polykube, polykube.external)) == (
        internal,
        external,
    )

    operator.sync_endpoints(WEB, {(80, "TCP"): [POD, OTHER_POD], (53, "UDP"): [OTHER_POD]})
    both = {(*POD, 3), (*OTHER_POD, 1)}
    assert services(polykube, polykube.internal) == dict(
        zip(internal, [both, {(*OTHER_POD, 1)}], strict=True)
    )
    assert services(polykube, polykube.external) == dict(
        zip(external, [both, {(*OTHER_POD, 1)}], strict=True)
    )

    operator.sync_endpoints(WEB, {(80, "TCP"): [OTHER_POD]})
    expected = dict(zip(internal, [{(*OTHER_POD, 1)}, set()], strict=True))
    assert services(polykube, polykube.internal) == expected, "without one it stays"

    operator.delete_service(WEB.name)
    assert services(polykube, polykube.internal) == services(polykube, polykube.external) == {}


def test_only_local_endpoints_are_reached_from_outside(polykube: Requests, operator: Operator) -> None:
    local = Service(WEB.name, WEB.cluster_ip, WEB.ports[:1], external_local=True)
    operator.sync_service(local)
    operator.sync_endpoints(local, {(80, "TCP"): [POD, OTHER_POD]})
    assert services(polykube, polykube.internal) == {("10.96.3.4", 80, "tcp"): {(*POD, 3), (*OTHER_POD, 1)}}
    assert services(polykube, polykube.external) == {(NODE_IP, 30080, "tcp"): {(*POD, 3)}}


def test_a_service_changes_its_ports(polykube: Requests, operator: Operator) -> None:
    """The new one is added under the same name before the old one is deleted."""
    operator.sync_service(WEB)
    operator.sync_endpoints(WEB, {(80, "TCP"): [POD]})
    moved = Service(WEB.name, WEB.cluster_ip, (ServicePort(81, "TCP", 30081),))
    operator.sync_service(moved)
    operator.sync_endpoints(moved, {(81, "TCP"): [POD]})
    assert services(polykube, polykube.internal) == {("10.96.3.4", 81, "tcp"): {(*POD, 3)}}
    assert services(polykube, polykube.external) == {(NODE_IP, 30081, "tcp"): {(*POD, 3)}}
    operator.sync_service(Service(WEB.name, WEB.cluster_ip, (ServicePort(81),)))
    assert services(polykube, polykube.external) == {}, "no NodePort any more"


def test_both_controllers_at_once(polykube: Requests, operator: Operator) -> None:
    """One deletes and creates the services that the other fills. A backend of a service that has just gone is
    409; nothing else goes wrong, and when they have come to rest all is as it should be."""
    stop = threading.Event()
    refusals: list[Refused] = []

    def fill() -> None:
        other = Operator(Requests(polykube.service, polykube.url), NODE_IP, POD_CIDR)
        ready = [POD, OTHER_POD]
        while not stop.is_set():
            try:
                other.sync_endpoints(WEB, {(80, "TCP"): ready, (53, "UDP"): ready})
                other.sync_endpoints(WEB, {(80, "TCP"): ready[:1]})
            except Refused as refused:
                refusals.append(refused)

    filler = threading.Thread(target=fill)
    filler.start()
    for _ in range(20):
        operator.sync_service(WEB)
        operator.delete_service(WEB.name)
    stop.set()
    filler.join()
    assert {refused.status for refused in refusals} <= {409}
    operator.sync_service(WEB)
    operator.sync_endpoints(WEB, {(80, "TCP"): [POD]})
    assert services(polykube, polykube.internal) == {
        ("10.96.3.4", 80, "tcp"): {(*POD, 3)},
        ("10.96.3.4", 53, "udp"): set(),
    }


SERVICE_PATH = "service/"
BACKEND_PATH = f"{SERVICE_PATH}{WEB.cluster_ip}/80/tcp/backend/"
REFUSALS: list[tuple[str, str, Any, int]] = [
    ("headless", SERVICE_PATH, [{"name": "default/none", "vip": "None", "vport": 80, "proto": "TCP"}], 400),
    ("IPv6", SERVICE_PATH, [{"name": "default/six", "vip": "fd00::1", "vport": 80, "proto": "TCP"}], 400),
    ("SCTP", SERVICE_PATH, [{"name": "default/sctp", "vip": "10.96.3.5", "vport": 80, "proto": "SCTP"}], 400),
    ("new targetPort", BACKEND_PATH, [{"name": WEB.name, "ip": POD[0], "port": 9090, "weight": 3}], 409),
    (
        "new and conflicting",
        BACKEND_PATH,
        [
            {"name": WEB.name, "ip": "10.10.1.21", "port": 9090},
            {"name": WEB.name, "ip": POD[0], "port": 9090},
        ],
        409,
    ),
    (
        "new and impossible",
        SERVICE_PATH,
        [
            {"name": "default/a", "vip": "10.96.3.6", "vport": 80, "proto": "TCP"},
            {"name": "default/b", "vip": "None", "vport": 80, "proto": "TCP"},
        ],
        400,
    ),
]


@pytest.mark.parametrize(("path", "body", "status"), [r[1:] for r in REFUSALS], ids=[r[0] for r in REFUSALS])
def test_what_it_retries_for_ever_changes_nothing_and_is_cheap(
    polykube: Requests, operator: Operator, path: str, body: Any, status: int
) -> None:
    operator.sync_service(WEB)
    operator.sync_endpoints(WEB, {(80, "TCP"): [POD]})
    before = polykube.read(f"{polykube.internal}/")
    refusing, reading = [], []
    for _ in range(30):
        refusing.append(seconds_of(lambda: refused_with(polykube, path, body, status)))
        reading.append(seconds_of(lambda: polykube.read(f"{polykube.internal}/")))
    assert polykube.read(f"{polykube.internal}/") == before
    # In turns with the reads that it does before each try, of a cube with next to nothing in it.
    assert statistics.median(refusing) < 3 * statistics.median(reading) + 0.005


def refused_with(polykube: Requests, path: str, body: Any, status: int) -> None:
    with pytest.raises(Refused) as refused:
        polykube.write("POST", f"{polykube.internal}/{path}", body)
    assert refused.value.status == status


def seconds_of(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def test_the_operator_restarts(polykube: Requests, operator: Operator) -> None:
    operator.sync_service(WEB)
    operator.sync_endpoints(WEB, {(80, "TCP"): [POD]})
    before = services(polykube, polykube.internal), services(polykube, polykube.external)
    again = Operator(polykube, NODE_IP, POD_CIDR)
    again.start()
    assert services(polykube, polykube.internal) == services(polykube, polykube.external) == {}
    again.sync_service(WEB)
    again.sync_endpoints(WEB, {(80, "TCP"): [POD]})
    assert (services(polykube, polykube.internal), services(polykube, polykube.external)) == before


def test_polls_whose_answers_nobody_reads(api: Api, polykube: Requests, operator: Operator) -> None:
    """The operator's poll leaves its connection open with the answer in it, every ten seconds."""
    host, _, port = api.url.split("/")[2].partition(":")
    left = []
    for _ in range(100):
        connection = socket.create_connection((host, int(port)), 5)
        connection.sendall(b"GET /polycube/v1 HTTP/1.1\r\nHost: 127.0.0.1:9000\r\n\r\n")
        left.append(connection)
    assert len(polykube.read("")) == 2
    assert all(connection.recv(8) == b"HTTP/1.1" for connection in left)
    for connection in left:
        connection.close()


def test_a_body_ends_with_a_newline(api: Api, polykube: Requests, operator: Operator) -> None:
    """As Go's encoder writes it, sent as Go's client sends it."""
    host, _, port = api.url.split("/")[2].partition(":")
    service = {"name": WEB.name, "vip": "10.96.3.9", "vport": 80, "proto": "TCP"}
    body = json.dumps([service], separators=(",", ":")).encode() + b"\n"
    with socket.create_connection((host, int(port)), 30) as connection:
        connection.sendall(
            f"POST /polycube/v1/{polykube.service}/{polykube.internal}/service/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            f"User-Agent: Swagger-Codegen/1.0.0/go\r\nContent-Length: {len(body)}\r\n"
            "Accept: application/json\r\nContent-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n".encode()
            + body
        )
        assert connection.recv(12) == b"HTTP/1.1 201"
