"""What happens to a cluster in its life, under constant load from pods on all nodes and from outside.

No request of a client that follows graceful termination fails. CLUSTER_REQUESTS asks for more of them:
`make cluster-test` for 100,000.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from typing import Any

import pytest

from testbed.cluster.cluster import Cluster, Load, Pod, Report
from testbed.cluster.node import Node, PolykubeProxy
from testbed.polykube import Service, ServicePort

from .talk import http

pytestmark = pytest.mark.root
scenario = pytest.mark.scenario

REQUESTS = int(os.environ.get("CLUSTER_REQUESTS", "1000"))
WEB = Service("default/web", "10.96.0.10", (ServicePort(80, "TCP", 30080), ServicePort(53, "UDP", 30053)))
KEPT = Service("default/kept", "10.96.0.11", (ServicePort(80, "TCP", 30081),))
PAUSE_S = 0.01


@pytest.fixture(scope="module")
def load(cluster: Cluster) -> Iterator[Load]:
    """A Service `web` of pods that come and go, another `kept` of pods that stay, and clients of both."""
    cluster.start_pods("web", 10)
    cluster.start_pods("kept", 3)
    cluster.start_pods("client", 3)
    cluster.create_service(WEB, "web")
    cluster.create_service(KEPT, "kept")
    load = cluster.load(clients_of(cluster))
    yield load
    load.close()
    for service in (WEB, KEPT):
        cluster.delete_service(service.name)
    cluster.end_pods([*cluster.pods], grace_s=0)


def clients_of(cluster: Cluster) -> list[dict[str, Any]]:
    def client(namespace: str, address: str, port: int, kind: str) -> dict[str, Any]:
        return {"namespace": namespace, "address": address, "port": port, "kind": kind, "pause": PAUSE_S}

    clients = []
    for pod in cluster.pods_of("client"):
        clients.append(client(pod.namespace, WEB.cluster_ip, 80, "http"))
        clients.append(client(pod.namespace, WEB.cluster_ip, 53, "udp"))
        clients.append(client(pod.namespace, KEPT.cluster_ip, 80, "held"))
    for node in cluster.nodes:
        clients.append(client(cluster.outside, node.addresses.node, 30080, "http"))
        clients.append(client(cluster.outside, node.addresses.node, 30081, "held"))
    return clients


def proxy_of(node: Node) -> PolykubeProxy:
    assert isinstance(node.proxy, PolykubeProxy)
    return node.proxy


def slowest_new_connection(cluster: Cluster, node: Node) -> float:
    """Seconds until an answer, of ten connections of a pod there and of ten from outside. Raises OSError."""
    client = next(pod for pod in cluster.pods_of("client") if pod.node is node)
    times = []
    for _ in range(10):
        for where in (
            (client.namespace, WEB.cluster_ip, 80),
            (cluster.outside, node.addresses.node, 30080),
        ):
            start = time.monotonic()
            http(*where)
            times.append(time.monotonic() - start)
    return max(times)


def quiet(load: Load, seconds: float = 1.0) -> Report:
    """The load for a while, in which nothing may fail."""
    load.report()
    time.sleep(seconds)
    report = load.report()
    assert report.failures == []
    assert report.requests > 20 * seconds
    return report


def test_everybody_reaches_everybody(cluster: Cluster, load: Load) -> None:
    assert {pod.name for pod in cluster.pods_of("web")} <= quiet(load, 3).servers


@scenario(
    "Connectivity Pod Lifecycle should be able to have zero downtime on a Blue Green deployment "
    "using Services and Readiness Gates"
)
def test_rolling_update_of_ten_replicas(cluster: Cluster, load: Load) -> None:
    quiet(load)
    requests = 0
    while requests < REQUESTS:
        before = {pod.name for pod in cluster.pods_of("web")}
        assert cluster.rolling_update("web") == 0, "connections that clients did not leave in time"
        report = load.report()
        assert report.failures == []
        requests += report.requests
        assert before.isdisjoint(pod.name for pod in cluster.pods_of("web"))
    assert before.isdisjoint(quiet(load).servers)


def test_scaling_from_one_to_fifty_to_three(cluster: Cluster, load: Load) -> None:
    quiet(load)
    requests = 0
    while requests < REQUESTS:
        for count in (1, 50, 3):
            assert cluster.scale("web", count) == 0
            time.sleep(0.5)
        report = load.report()
        assert report.failures == []
        requests += report.requests
    cluster.scale("web", 10)


@pytest.mark.long
def test_two_thousand_services_come_and_go(cluster: Cluster, load: Load) -> None:
    quiet(load)
    ports = tuple(ServicePort(1000 + n) for n in range(200))
    many = [Service(f"default/many-{n}", f"10.97.0.{n + 1}", ports) for n in range(5)]
    for _ in range(2):
        for number, service in enumerate(many):
            cluster.create_service(service, "kept" if number == 0 else "none")
        for service in many:
            cluster.delete_service(service.name)
    assert load.report().failures == []


def test_a_node_is_lost_and_comes_back(cluster: Cluster, load: Load) -> None:
    """Clients elsewhere fail at most until the endpoints say so, and never again."""
    quiet(load)
    lost, others = cluster.nodes[2], cluster.nodes[:2]
    its_client = next(pod for pod in cluster.pods_of("client") if pod.node is lost)
    concerned = (its_client.namespace, f"{lost.addresses.node}:")
    away = [pod for pod in cluster.pods if pod.node is lost]
    lost.unplug()
    try:
        publish_as(cluster, away, others, ready=False)
        time.sleep(3)  # what was under way to the lost node times out
        load.report()
        time.sleep(1)
        report = load.report().without(*concerned)
    finally:
        lost.plug()
        publish_as(cluster, away, others, ready=True)
    assert report.failures == []
    assert report.requests > 20
    assert report.servers.isdisjoint(pod.name for pod in away)
    time.sleep(3)
    assert {pod.name for pod in away if pod.app == "web"} <= quiet(load, 3).servers


def publish_as(cluster: Cluster, pods: list[Pod], nodes: list[Node], ready: bool) -> None:
    """Tell these nodes that the pods are ready, or are not."""
    for pod in pods:
        pod.ready = ready
    for app in ("web", "kept"):
        cluster.publish(app, nodes)


def publish_again(cluster: Cluster, node: Node, load: Load) -> None:
    """Sends a node its Services. What has failed until then does not count, and nothing fails afterwards."""
    cluster.publish_all(node)
    time.sleep(2.5)
    load.report()
    quiet(load)


@scenario("Services should work after restarting kube-proxy [Disruptive]")
def test_a_host_is_killed_and_comes_back(cluster: Cluster, load: Load) -> None:
    """Packets flow while it is away: nothing breaks, and new connections succeed all the time, within 2 s.

    It is back before the operator's next poll, which notices nothing."""
    quiet(load)
    node = cluster.nodes[0]
    proxy = proxy_of(node)
    proxy.kill_host()
    assert slowest_new_connection(cluster, node) < 2
    time.sleep(2)
    away = load.report()
    proxy.start_host()
    assert slowest_new_connection(cluster, node) < 2
    time.sleep(1)
    back = load.report()
    assert away.failures == back.failures == []
    assert away.requests > 40
    assert all(proxy.cni.check(*pod) for pod in node.pods.items())
    cluster.rolling_update("web", surge=5)
    assert load.report().failures == []


@scenario("Services should work after restarting kube-proxy [Disruptive]")
def test_an_operator_restarts(cluster: Cluster, load: Load) -> None:
    """It deletes all Services and creates them again. No established connection breaks, and new ones succeed as
    soon as their Service is back: their first SYN does, else they would take a second."""
    quiet(load)
    node = cluster.nodes[0]
    begin = time.monotonic()
    proxy_of(node).operator.start(node.pods)
    time.sleep(1)  # so that established connections have something to send while there is no Service
    cluster.publish_all(node)
    end = time.monotonic()
    assert slowest_new_connection(cluster, node) < 1
    time.sleep(2.5)
    report = load.report()
    assert [f for f in report.failures if f[1].startswith("held")] == []
    late = [f for f in report.failures if f[0] > end + 2.2]  # a request begun before may take 2 s to fail
    assert late == [], f"after {end - begin:.3f} s the Services were back"
    quiet(load)


@pytest.mark.long
def test_a_host_is_away_longer_than_the_poll(cluster: Cluster, load: Load) -> None:
    """The operator notices, starts anew, and forgets to send the Services: they are gone until it restarts."""
    quiet(load)
    node = cluster.nodes[1]
    proxy = proxy_of(node)
    proxy.kill_host()
    time.sleep(1)
    assert load.report().failures == [], "while no host runs all goes on"
    proxy.start_host()
    proxy.operator.start(node.pods)
    time.sleep(0.5)
    assert [f for f in load.report().failures if f[1].startswith("held")] == []
    proxy.operator.start(node.pods)
    publish_again(cluster, node, load)


@pytest.mark.long
def test_a_host_comes_back_with_nothing(cluster: Cluster, load: Load) -> None:
    """As after a reboot of the node: the operator makes the cubes anew, and the ports of all pods in one list."""
    quiet(load)
    node = cluster.nodes[1]
    proxy = proxy_of(node)
    proxy.kill_host()
    proxy.forget_everything()
    proxy.start_host()
    proxy.operator.start(node.pods)
    assert len(node.pods) > 3
    assert all(proxy.cni.check(*pod) for pod in node.pods.items())
    publish_again(cluster, node, load)


def test_a_new_pod_is_up_at_once(cluster: Cluster, load: Load) -> None:
    """The plug-in makes the interface in the pod's network and moves its other end out, then it asks for the port."""
    for node in cluster.nodes:
        pod = cluster.start_pods("late", 1, [node])[0]
        assert proxy_of(node).cni.check(pod.address, node.pods[pod.address])
    cluster.end_pods(cluster.pods_of("late"), grace_s=0)
    quiet(load)


@pytest.mark.long
def test_a_hundred_and_ten_pods_on_a_node(cluster: Cluster, load: Load) -> None:
    """The last ones are attached as fast as the first, and all of them are served and ask."""
    quiet(load)
    node = cluster.nodes[1]
    times = []
    for _ in range(110 - len(node.pods)):
        start = time.perf_counter()
        cluster.start_pods("many", 1, [node])
        times.append(time.perf_counter() - start)
    pods = cluster.pods_of("many")
    assert len(node.pods) == 110
    assert all(proxy_of(node).cni.check(*pod) for pod in node.pods.items())
    first, last = statistics.median(times[:20]), statistics.median(times[-20:])
    assert last < 3 * first + 0.02
    many = Service("default/many", "10.96.0.12", (ServicePort(80),))
    cluster.create_service(many, "many")
    client = {"address": many.cluster_ip, "port": 80, "kind": "http", "pause": 0.01}
    extra = cluster.load([{**client, "namespace": pod.namespace} for pod in pods[::10]])
    time.sleep(2)
    report = extra.report()
    extra.close()
    assert report.failures == []
    assert len(report.servers) > 50
    cluster.delete_service(many.name)
    cluster.end_pods(pods, grace_s=1)
    quiet(load)
