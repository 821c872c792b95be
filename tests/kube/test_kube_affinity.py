"""Session affinity and source ranges, as Kubernetes' end-to-end tests ask for them.

polykube reads neither: the proxy of these tests sends one request more for each port of a Service (`Affinity` of
testbed/polykube.py), and a load balancer's address is a service of the external cube that somebody has made by hand.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from testbed.cluster.cluster import OUTSIDE_ADDRESS, Cluster, Pod
from testbed.cluster.node import Node, PolykubeProxy
from testbed.lab import ip_batch
from testbed.polykube import Service, ServicePort

from .talk import NOTHING, outcome, outcomes

pytestmark = pytest.mark.root
scenario = pytest.mark.scenario

WEB = Service("default/web", "10.96.1.1", (ServicePort(80, "TCP", 30080), ServicePort(80, "UDP", 30080)))
THREE_HOURS = 10_800
LOAD_BALANCER = "203.0.113.10"
PROTOCOLS = pytest.mark.parametrize("protocol", ["TCP", "UDP"])
KINDS = pytest.mark.parametrize("kind", ["ClusterIP", "NodePort"])

Way = tuple[str, str, int]  # namespace of the client, address, port


def start(cluster: Cluster, affinity_s: int) -> list[Pod]:
    pods = cluster.start_pods("web", 3)
    cluster.create_service(replace(WEB, affinity_s=affinity_s), "web")
    return pods


def way(cluster: Cluster, kind: str) -> Way:
    if kind == "NodePort":
        return cluster.outside, cluster.nodes[1].addresses.node, 30080
    client = cluster.start_pods("client", 1, [cluster.nodes[0]])[0]
    return client.namespace, WEB.cluster_ip, 80


@scenario("Services should have session affinity work for service with type clusterIP [LinuxOnly]")
@scenario("Services should have session affinity work for NodePort service [LinuxOnly]")
@scenario(
    "Networking Granular Checks: Services should function for client IP based session affinity: http [LinuxOnly]"
)
@scenario(
    "Networking Granular Checks: Services should function for client IP based session affinity: udp [LinuxOnly]"
)
@KINDS
@PROTOCOLS
def test_a_client_stays_with_its_server(any_cluster: Cluster, kind: str, protocol: str) -> None:
    """As long as that is there; then with the next one."""
    pods = start(any_cluster, THREE_HOURS)
    to = way(any_cluster, kind)
    (first,) = outcomes(*to, protocol)
    any_cluster.end_pods([pod for pod in pods if pod.name == first], grace_s=0)
    (second,) = outcomes(*to, protocol)
    assert second in {pod.name for pod in pods} - {first}


@scenario("Services should have session affinity timeout work for service with type clusterIP [LinuxOnly]")
@scenario("Services should have session affinity timeout work for NodePort service [LinuxOnly]")
@KINDS
def test_after_the_timeout_a_client_may_move(any_cluster: Cluster, kind: str) -> None:
    start(any_cluster, 2)
    to = way(any_cluster, kind)
    (first,) = outcomes(*to)
    for _ in range(20):
        time.sleep(3.2)
        if outcome(*to) != first:
            return
    pytest.fail("the client never gets another server")


@scenario("Services should be able to switch session affinity for service with type clusterIP [LinuxOnly]")
@scenario("Services should be able to switch session affinity for NodePort service [LinuxOnly]")
@KINDS
def test_affinity_is_switched(any_cluster: Cluster, kind: str) -> None:
    start(any_cluster, 0)
    to = way(any_cluster, kind)
    assert len(outcomes(*to)) > 1
    any_cluster.create_service(replace(WEB, affinity_s=THREE_HOURS), "web")
    assert len(outcomes(*to)) == 1
    any_cluster.create_service(WEB, "web")
    assert len(outcomes(*to)) > 1


@contextmanager
def load_balancer(cluster: Cluster, node: Node, pods: list[Pod]) -> Iterator[str]:
    """An address of the node that leads to the pods; gives the path of the service."""
    assert isinstance(node.proxy, PolykubeProxy)
    to = node.proxy.requests
    path = f"{to.external}/service/{LOAD_BALANCER}/80/TCP/"
    route = f"{LOAD_BALANCER}/32 via {node.addresses.node}"
    ip_batch(cluster.lan, [f"route add {route}"])
    to.write("POST", path, {"backend": [{"ip": pod.address, "port": pod.port} for pod in pods]})
    try:
        yield path
    finally:
        to.write("DELETE", path)
        ip_batch(cluster.lan, [f"route del {route}"])


@scenario("LoadBalancers should only allow access from service loadbalancer source ranges [Slow]")
def test_only_source_ranges_are_served(cluster: Cluster) -> None:
    """One client, then the other one, then both."""
    first, second = cluster.nodes[:2]
    pods = cluster.start_pods("web", 2)
    names = {pod.name for pod in pods}
    assert isinstance(first.proxy, PolykubeProxy)
    to = first.proxy.requests
    try:
        with load_balancer(cluster, first, pods) as path:
            clients = {OUTSIDE_ADDRESS: cluster.outside, second.addresses.node: second.router}
            for client in clients.values():
                assert outcome(client, LOAD_BALANCER, 80) in names
            for allowed in clients:
                to.write("PUT", f"{path}source-range/", [{"address": allowed, "prefix-length": 32}])
                for address, client in clients.items():
                    expected = names if address == allowed else {NOTHING}
                    assert outcome(client, LOAD_BALANCER, 80) in expected
            to.write("DELETE", f"{path}source-range/")
            for client in clients.values():
                assert outcome(client, LOAD_BALANCER, 80) in names
    finally:
        cluster.end_pods([*cluster.pods], grace_s=0)
