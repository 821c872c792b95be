"""Who reaches whom: flow tables as a service proxy is tested by, one row for each pair of client and address.

Each row runs with our cubes and with nftables rules in the manner of kube-proxy. Where the two differ the row says
so; why is in docs/kubernetes-conformance.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from testbed.cluster.cluster import Cluster
from testbed.polykube import Service, ServicePort

from .talk import NOTHING, REFUSED, UNREACHABLE, http, outcome, outcomes

pytestmark = pytest.mark.root

# Two endpoints of A, on node 1 and node 2; one of B, on node 2; none of C.
ENDPOINTS = {"a1": ("A", 1), "a2": ("A", 2), "b1": ("B", 2)}
CLIENTS = {"pod1": 1, "pod3": 3}
SERVICES = {
    "cluster-ip": ("A", Service("flows/cluster-ip", "10.96.2.1", (ServicePort(80),))),
    "node-port": ("A", Service("flows/node-port", "10.96.2.2", (ServicePort(80, "TCP", 30180),))),
    "local": (
        "B",
        Service("flows/local", "10.96.2.3", (ServicePort(80, "TCP", 30181),), external_local=True),
    ),
    "empty": ("C", Service("flows/empty", "10.96.2.4", (ServicePort(80, "TCP", 30182),))),
    "udp": ("A", Service("flows/udp", "10.96.2.5", (ServicePort(53, "UDP", 30153),))),
    "ports": (
        "B",
        Service("flows/ports", "10.96.2.6", (ServicePort(80), ServicePort(443), ServicePort(53, "UDP"))),
    ),
    "shared": ("B", Service("flows/shared", "10.96.2.1", (ServicePort(81),))),
}
A, B = frozenset({"a1", "a2"}), frozenset({"b1"})
REJECT, DROP, NOT_OURS = frozenset({REFUSED}), frozenset({NOTHING}), frozenset({UNREACHABLE, NOTHING})


@dataclass(frozen=True)
class Flow:
    client: str  # a pod of CLIENTS or ENDPOINTS, or "outside"
    target: str  # a Service's cluster IP, or the address of a node
    port: int
    expected: frozenset[str]  # who answers, or what comes instead
    protocol: str = "TCP"
    nftables: frozenset[str] | None = None  # if it differs

    def __str__(self) -> str:
        return f"{self.client}->{self.target}:{self.port}/{self.protocol}"


FLOWS = [
    # cluster IPs, from pods beside an endpoint, away from all, and endpoints themselves
    Flow("pod1", "cluster-ip", 80, A),
    Flow("pod3", "cluster-ip", 80, A),
    Flow("a1", "cluster-ip", 80, A),
    Flow("a2", "cluster-ip", 80, A),
    Flow("b1", "cluster-ip", 80, A),
    Flow("pod1", "node-port", 80, A),
    Flow("pod1", "local", 80, B),
    Flow("pod3", "local", 80, B),
    Flow("b1", "local", 80, B),
    Flow("pod1", "empty", 80, REJECT),
    Flow("pod3", "empty", 80, REJECT),
    # several ports and protocols of one address, and two Services that share one
    Flow("pod1", "ports", 80, B),
    Flow("pod1", "ports", 443, B),
    Flow("pod1", "ports", 53, B, "UDP"),
    Flow("pod1", "udp", 53, A, "UDP"),
    Flow("a2", "udp", 53, A, "UDP"),
    Flow("pod1", "shared", 81, B),
    # ports and protocols that a cluster IP does not serve
    Flow("pod1", "cluster-ip", 8080, NOT_OURS, nftables=REJECT),
    Flow("pod1", "udp", 53, NOT_OURS, nftables=REJECT),
    Flow("pod3", "ports", 80, NOT_OURS, "UDP", nftables=REJECT),
    # NodePorts from outside: every node serves, by all endpoints or by its own
    Flow("outside", "node1", 30180, A),
    Flow("outside", "node2", 30180, A),
    Flow("outside", "node3", 30180, A),
    Flow("outside", "node1", 30153, A, "UDP"),
    Flow("outside", "node3", 30153, A, "UDP"),
    Flow("outside", "node2", 30181, B),
    Flow("outside", "node1", 30181, REJECT, nftables=DROP),
    Flow("outside", "node3", 30181, REJECT, nftables=DROP),
    Flow("outside", "node1", 30182, REJECT),
    Flow("outside", "node1", 30999, REJECT),
    Flow("outside", "node1", 30180, REJECT, "UDP"),
    # NodePorts from pods: of other nodes, and of their own
    Flow("pod1", "node2", 30180, A),
    Flow("pod3", "node1", 30180, A),
    Flow("pod1", "node2", 30153, A, "UDP"),
    Flow("pod1", "node2", 30181, B),
    Flow("a1", "node2", 30180, A),
    Flow("pod1", "node1", 30180, REJECT, nftables=A),
    # past the Services
    Flow("pod1", "a2", 8080, frozenset({"a2"})),
    Flow("a1", "b1", 8080, B),
]


@dataclass
class Stage:
    cluster: Cluster
    kind: str
    namespaces: dict[str, str]
    addresses: dict[str, str]
    names: dict[str, str]  # of servers, as in the table

    def run(self, flow: Flow, count: int) -> frozenset[str]:
        where = (self.namespaces[flow.client], self.addresses[flow.target], flow.port, flow.protocol)
        if count == 1:
            return frozenset({self.names.get(one := outcome(*where), one)})
        return frozenset(self.names.get(one, one) for one in outcomes(*where, count=count))


@pytest.fixture(scope="module", params=["ours", "nftables"])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    cluster: Cluster = request.getfixturevalue(
        {"ours": "cluster", "nftables": "nftables_cluster"}[request.param]
    )
    namespaces = {"outside": cluster.outside}
    addresses = {node.name: node.addresses.node for node in cluster.nodes}
    names = {}
    wanted = {**ENDPOINTS, **{client: ("client", node) for client, node in CLIENTS.items()}}
    for label, (app, number) in wanted.items():
        pod = cluster.start_pods(app, 1, [cluster.nodes[number - 1]])[0]
        namespaces[label], addresses[label], names[pod.name] = pod.namespace, pod.address, label
    for label, (app, service) in SERVICES.items():
        addresses[label] = service.cluster_ip
        cluster.create_service(service, app)
    yield Stage(cluster, request.param, namespaces, addresses, names)
    for _, service in SERVICES.values():
        cluster.delete_service(service.name)
    cluster.end_pods([*cluster.pods], grace_s=0)


@pytest.mark.parametrize("flow", FLOWS, ids=str)
def test_flow(stage: Stage, flow: Flow) -> None:
    expected = flow.expected
    if stage.kind == "nftables" and flow.nftables is not None:
        expected = flow.nftables
    if NOTHING in expected:  # which takes its time; and routers do not say each time what they cannot reach
        assert stage.run(flow, 1) <= expected
    else:
        assert stage.run(flow, 40 if len(expected) > 1 else 5) == expected


@pytest.mark.parametrize(
    ("client", "target", "port", "seen"),
    [
        ("pod1", "cluster-ip", 80, "pod1"),
        ("pod3", "cluster-ip", 80, "pod3"),
        ("outside", "node2", 30181, "outside"),
    ],
)
def test_the_server_sees_the_client(stage: Stage, client: str, target: str, port: int, seen: str) -> None:
    source = http(stage.namespaces[client], stage.addresses[target], port).source
    assert source == stage.addresses.get(seen, "172.16.0.100")
