"""The service under its other name, beside the first one in the same host: what today's polykube sends to it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from http.client import HTTPResponse
from typing import Any

import pytest

from testbed import topology
from testbed.api import Api, ApiError
from testbed.host import load_service, service_library
from testbed.lab import Lab, ip
from testbed.polykube import Cni, Operator, Peers, Requests, Service, ServicePort
from testbed.topology import SERVER_PORT, Topology
from testbed.traffic import new_sessions

pytestmark = pytest.mark.root

WEB = Service("default/web", "10.96.3.4", (ServicePort(80, "TCP", 30080), ServicePort(53, "UDP", 30053)))
NODE_IP, POD_CIDR = "192.168.100.1", "10.10.1.0/24"


@pytest.fixture(scope="module")
def network() -> Iterator[Topology]:
    with Lab() as lab:
        yield topology.build(lab, clients=2, servers=2)


@pytest.fixture(scope="module")
def both(api: Api) -> Api:
    """A host with the service under both names."""
    load_service(api, service_library("lbrp"), "lbrp")
    return api


def test_polykube_of_today(both: Api, network: Topology) -> None:
    """Start, pods, services and endpoints; then traffic; then all of it again, and removal."""
    to = Requests("lbrp", both.url)
    peers = Peers(network.backend, f"r0:to_{to.external}", f"k0:to_{to.external}")
    operator = Operator(to, NODE_IP, POD_CIDR, peers)
    pods = dict(zip(network.client_ips, network.frontends, strict=True))
    first = network.client_ips[0]
    operator.start()
    Cni(to).add(first, pods[first])
    operator.add_missing_pods(pods)
    assert all(Cni(to).check(*pod) for pod in pods.items())
    ready = [(address, SERVER_PORT) for address in network.server_ips]
    for _ in range(2):
        operator.sync_service(WEB)
        operator.sync_endpoints(WEB, {(80, "TCP"): ready, (53, "UDP"): ready})
        for pod in network.clients:
            for protocol, vport in (("http", 80), ("udp", 53)):
                assert sum(new_sessions(pod, protocol, WEB.cluster_ip, vport, 20).values()) == 20
        operator.start(pods)  # which deletes all services
    operator.delete_service(WEB.name)
    for address in pods:
        Cni(to).delete(address)
    for cube in (to.internal, to.external):
        to.write("DELETE", f"{cube}/")


# What the published polykube sends, to the letter: its start, a pod, a Service with its endpoints, their end, the
# pod's end. With the status and, of what is read, what it makes of it.
SERVICE, VIP = '"name":"default/web"', "10.96.3.4"
POD, NETDEV = "10.10.1.20", "eth0_0a0a0114"
LITERAL: list[tuple[str, str, str, int, Any]] = [
    ("GET", "", "", 200, None),
    ("GET", "/lbrp/", "", 200, []),
    (
        "POST",
        "/lbrp/ilb0/",
        '{"name":"ilb0","loglevel":"INFO","ports":[{"name":"to_r0","type":"backend"}],"port_mode":"MULTI"}',
        201,
        None,
    ),
    (
        "POST",
        "/lbrp/elb0/",
        '{"name":"elb0","loglevel":"INFO","ports":[{"name":"to_r0","type":"backend"},'
        '{"name":"to_k0","type":"frontend"}],"port_mode":"SINGLE"}',
        201,
        None,
    ),
    ("PATCH", "/lbrp/ilb0/ports/to_r0/", '{"name":"to_r0","peer":"r0:to_ilb0"}', 201, None),
    ("PATCH", "/lbrp/elb0/ports/to_r0/", '{"name":"to_r0","peer":"r0:to_elb0"}', 201, None),
    ("PATCH", "/lbrp/elb0/ports/to_k0/", '{"name":"to_k0","peer":"k0:to_elb0"}', 201, None),
    ("GET", "/lbrp/ilb0/ports/", "", 200, [{"name": "to_r0", "peer": "r0:to_ilb0", "type": "backend"}]),
    (
        "POST",
        "/lbrp/ilb0/ports/0a0a0114/",
        f'{{"name":"0a0a0114","peer":"{NETDEV}","type":"frontend","ip":"{POD}"}}',
        201,
        None,
    ),
    (
        "GET",
        "/lbrp/ilb0/ports/0a0a0114/",
        "",
        200,
        {"name": "0a0a0114", "peer": NETDEV, "status": "UP", "type": "frontend", "ip": POD},
    ),
    ("DELETE", "/lbrp/ilb0/service/", "", 200, None),
    ("DELETE", "/lbrp/elb0/service/", "", 200, None),
    ("POST", "/lbrp/ilb0/service/", f'[{{{SERVICE},"vip":"{VIP}","vport":80,"proto":"TCP"}}]', 201, None),
    (
        "POST",
        "/lbrp/elb0/service/",
        f'[{{{SERVICE},"vip":"{NODE_IP}","vport":30080,"proto":"TCP"}}]',
        201,
        None,
    ),
    (
        "GET",
        "/lbrp/ilb0/",
        "",
        200,
        {
            "shadow": False,
            "span": False,
            "port_mode": "multi",
            "service": [{"name": "default/web", "vip": VIP, "vport": 80, "proto": "tcp"}],
        },
    ),
    (
        "POST",
        f"/lbrp/ilb0/service/{VIP}/80/tcp/backend/",
        f'[{{{SERVICE},"ip":"{POD}","port":8080,"weight":3}}]',
        201,
        None,
    ),
    (
        "POST",
        f"/lbrp/elb0/service/{NODE_IP}/30080/tcp/backend/",
        f'[{{{SERVICE},"ip":"{POD}","port":8080,"weight":3}}]',
        201,
        None,
    ),
    (
        "GET",
        "/lbrp/elb0/",
        "",
        200,
        {
            "port_mode": "single",
            "service": [
                {
                    "name": "default/web",
                    "vip": NODE_IP,
                    "vport": 30080,
                    "proto": "tcp",
                    "backend": [{"name": "default/web", "ip": POD, "port": 8080, "weight": 3}],
                }
            ],
        },
    ),
    ("DELETE", f"/lbrp/ilb0/service/{VIP}/80/tcp/backend/{POD}/", "", 204, None),
    ("DELETE", f"/lbrp/ilb0/service/{VIP}/80/tcp/", "", 204, None),
    ("DELETE", f"/lbrp/ilb0/service/{VIP}/80/tcp/", "", 409, None),
    ("DELETE", f"/lbrp/elb0/service/{NODE_IP}/30080/tcp/", "", 204, None),
    ("GET", "/lbrp/elb0/", "", 200, {"port_mode": "single", "service": None}),
    ("DELETE", "/lbrp/ilb0/ports/0a0a0114/", "", 204, None),
    ("DELETE", "/lbrp/ilb0/ports/0a0a0114/", "", 409, None),
    ("DELETE", "/lbrp/ilb0/", "", 200, None),
    ("DELETE", "/lbrp/elb0/", "", 200, None),
]


def holds(shown: Any, wanted: Any) -> bool:
    """Whether an answer says what is wanted of it, and of the same kinds; more it may say."""
    if isinstance(wanted, dict):
        return isinstance(shown, dict) and all(
            holds(shown.get(name), value) for name, value in wanted.items()
        )
    if isinstance(wanted, list):
        elements = [one for one in shown or [] if not isinstance(one, list)]
        return len(elements) == len(wanted) and all(map(holds, elements, wanted))
    return type(shown) is type(wanted) and shown == wanted


def test_what_is_sent_today_to_the_letter(both: Api) -> None:
    """As Go's client sends it, on one connection."""
    host, _, port = both.url.split("/")[2].partition(":")
    with Lab() as lab, socket.create_connection((host, int(port)), 60) as connection:
        pod = lab.namespace("pod")
        ip(*f"link add {NETDEV} type veth peer name eth0 netns {pod}".split())
        ip("-n", pod, "link", "set", "eth0", "up")
        ip("link", "set", NETDEV, "up")
        for method, path, body, status, wanted in LITERAL:
            text = body + "\n" if body else ""
            lines = [f"{method} /polycube/v1{path} HTTP/1.1", "Host: 127.0.0.1:9000"]
            lines += [f"Content-Length: {len(text)}"] if text or method in ("POST", "PATCH") else []
            lines += ["Accept: application/json", "Content-Type: application/json", "Accept-Encoding: gzip"]
            connection.sendall("\r\n".join([*lines, "", text]).encode())
            answer = HTTPResponse(connection, method=method)
            answer.begin()
            said = answer.read().decode()
            assert answer.status == status, f"{method} {path}: {said}"
            if wanted is not None:
                assert "json" in answer.headers["Content-Type"]
                assert holds(json.loads(said), wanted), f"{method} {path}: {said}"


def test_a_cube_of_lbrp_is_in_single_mode_unless_told_otherwise(both: Api) -> None:
    for service, mode in (("k8slbrp", "multi"), ("lbrp", "single")):
        both.post(f"{service}/default_of_{service}")
        assert both.get(f"{service}/default_of_{service}/port_mode") == mode
        tree = both.get(f"{service}/default_of_{service}")
        assert (tree["service-name"], tree["port_mode"]) == (service, mode)
        both.delete(f"{service}/default_of_{service}")


def test_the_names_share_one_space_of_cubes_and_nothing_else(both: Api) -> None:
    both.post("k8slbrp/one", {"service": [{"vip": "10.1.1.1", "vport": 80, "proto": "TCP"}]})
    both.post("lbrp/two", {"service": [{"vip": "10.1.1.1", "vport": 80, "proto": "TCP"}]})
    with pytest.raises(ApiError, match="409"):
        both.post("lbrp/one")
    both.delete("k8slbrp/one")
    assert both.get("lbrp/two")["service"][0]["vip"] == "10.1.1.1"
    with pytest.raises(ApiError, match="409"):
        both.get("lbrp/one")
    both.delete("lbrp/two")
