"""What Kubernetes asks of a service proxy: the scenarios of its end-to-end tests, enacted anew.

Each runs with our cubes and with nftables rules in the manner of kube-proxy. `scenario` gives its public name;
docs/kubernetes-conformance.md lists them all, and test_kube_docs.py compares.
"""

from __future__ import annotations

import socket

import pytest
from scapy.layers.inet import IP, TCP

from testbed.cluster.cluster import Cluster, Pod
from testbed.cluster.load import Connection
from testbed.netns import inside
from testbed.polykube import Service, ServicePort

from .talk import NOTHING, REFUSED, TALK, UNREACHABLE, http, outcome, outcomes, udp

pytestmark = pytest.mark.root
scenario = pytest.mark.scenario

VIP = "10.96.1.1"
PROTOCOLS = pytest.mark.parametrize("protocol", ["TCP", "UDP"])


def web(*ports: ServicePort, name: str = "default/web", vip: str = VIP, local: bool = False) -> Service:
    return Service(name, vip, ports or (ServicePort(80),), external_local=local)


def client_on(cluster: Cluster, number: int) -> Pod:
    """A pod on that node which no Service selects."""
    return cluster.start_pods("client", 1, [cluster.nodes[number - 1]])[0]


def names(pods: list[Pod]) -> set[str]:
    return {pod.name for pod in pods}


@scenario("Services should serve a basic endpoint from pods")
def test_a_basic_endpoint(any_cluster: Cluster) -> None:
    client = client_on(any_cluster, 3).namespace
    any_cluster.create_service(web(), "web")
    assert outcome(client, VIP, 80) == REFUSED
    for count in (1, 2, 1, 0):
        any_cluster.scale("web", count)
        expected = names(any_cluster.pods_of("web")) or {REFUSED}
        assert set(outcomes(client, VIP, 80)) == expected


@scenario("Services should serve multiport endpoints from pods")
def test_multiport_endpoints(any_cluster: Cluster) -> None:
    client = client_on(any_cluster, 3).namespace
    service = web(ServicePort(80), ServicePort(81))
    any_cluster.create_service(service, "none")
    first = any_cluster.start_pods("one", 1, port=100)[0]
    second = any_cluster.start_pods("two", 1, port=101)[0]
    ends = {(80, "TCP"): [(first.address, 100)], (81, "TCP"): [(second.address, 101)]}
    any_cluster.set_endpoints(service, ends)
    assert outcomes(client, VIP, 80) == {first.name: 40}
    assert outcomes(client, VIP, 81) == {second.name: 40}
    del ends[80, "TCP"]
    any_cluster.set_endpoints(service, ends)
    assert outcome(client, VIP, 80) == REFUSED
    assert outcome(client, VIP, 81) == second.name


@scenario("Services should support named targetPorts that resolve to different ports on different endpoints")
def test_each_endpoint_has_a_port_of_its_own(any_cluster: Cluster) -> None:
    client = client_on(any_cluster, 3).namespace
    pods = [any_cluster.start_pods("web", 1, port=port)[0] for port in (100, 101)]
    any_cluster.create_service(web(), "web")
    assert set(outcomes(client, VIP, 80)) == names(pods)


@scenario("Services should be updated after adding or deleting ports")
def test_ports_are_added_and_deleted(any_cluster: Cluster) -> None:
    client = client_on(any_cluster, 2).namespace
    any_cluster.start_pods("web", 2)
    any_cluster.create_service(web(ServicePort(80), ServicePort(81)), "web")
    any_cluster.create_service(web(ServicePort(81), ServicePort(82)), "web")
    assert outcome(client, VIP, 80) in (REFUSED, UNREACHABLE)
    for port in (81, 82):
        assert set(outcomes(client, VIP, port)) == names(any_cluster.pods_of("web"))


@scenario("Services should preserve source pod IP for traffic thru service cluster IP")
def test_the_server_sees_the_pod(any_cluster: Cluster) -> None:
    any_cluster.start_pods("web", 1, [any_cluster.nodes[0]])
    any_cluster.create_service(web(), "web")
    for node in (1, 2):
        client = client_on(any_cluster, node)
        assert http(client.namespace, VIP, 80).source == client.address


@scenario("Services should allow pods to hairpin back to themselves through services")
@PROTOCOLS
def test_a_pod_reaches_itself(any_cluster: Cluster, protocol: str) -> None:
    pod = any_cluster.start_pods("web", 1)[0]
    any_cluster.create_service(web(ServicePort(80, protocol)), "web")
    assert outcomes(pod.namespace, VIP, 80, protocol) == {pod.name: 40}


@scenario("Services should be able to up and down services")
def test_services_come_and_go(any_cluster: Cluster) -> None:
    client = client_on(any_cluster, 1).namespace
    vips = {"one": "10.96.1.1", "two": "10.96.1.2", "three": "10.96.1.3"}

    def up(app: str) -> None:
        any_cluster.start_pods(app, 2)
        any_cluster.create_service(web(name=f"default/{app}", vip=vips[app]), app)

    def is_up(app: str) -> bool:
        return set(outcomes(client, vips[app], 80)) == names(any_cluster.pods_of(app))

    up("one")
    up("two")
    assert is_up("one") and is_up("two")
    any_cluster.delete_service("default/one")
    assert outcome(client, vips["one"], 80) in (REFUSED, UNREACHABLE, NOTHING)
    assert is_up("two")
    up("three")
    assert is_up("two") and is_up("three")


@scenario("Services should work after the service has been recreated")
def test_a_service_is_created_again(any_cluster: Cluster) -> None:
    client = client_on(any_cluster, 1).namespace
    any_cluster.start_pods("web", 2)
    for _ in range(2):
        any_cluster.create_service(web(), "web")
        assert set(outcomes(client, VIP, 80)) == names(any_cluster.pods_of("web"))
        any_cluster.delete_service("default/web")
        assert outcome(client, VIP, 80) not in names(any_cluster.pods_of("web"))


@scenario("Services should be able to create a functioning NodePort service")
@scenario("Networking Granular Checks: Services should function for pod-Service: http")
@scenario("Networking Granular Checks: Services should function for pod-Service: udp")
@scenario("Networking Granular Checks: Services should support basic nodePort: udp functionality")
@PROTOCOLS
def test_node_port(any_cluster: Cluster, protocol: str) -> None:
    """From outside at every node; from a pod at the cluster IP and at the other nodes."""
    pods = any_cluster.start_pods("web", 2)
    any_cluster.create_service(web(ServicePort(80, protocol, 30080)), "web")
    for node in any_cluster.nodes:
        assert set(outcomes(any_cluster.outside, node.addresses.node, 30080, protocol)) == names(pods)
    client = client_on(any_cluster, 1).namespace
    assert set(outcomes(client, VIP, 80, protocol)) == names(pods)
    for node in any_cluster.nodes[1:]:
        assert set(outcomes(client, node.addresses.node, 30080, protocol)) == names(pods)


@scenario(
    "Services should be able to update service type to NodePort listening on same port number "
    "but different protocols"
)
@scenario("Services should serve endpoints on same port and different protocols")
@scenario(
    "Services should serve endpoints on same port and different protocol for internal traffic on Type LoadBalancer"
)
def test_one_port_number_for_two_protocols(any_cluster: Cluster) -> None:
    pods = any_cluster.start_pods("web", 2)
    node = any_cluster.nodes[0].addresses.node
    client = client_on(any_cluster, 1).namespace
    any_cluster.create_service(web(ServicePort(80, "TCP")), "web")
    assert outcome(client, VIP, 80, "UDP") not in names(pods)
    any_cluster.create_service(web(ServicePort(80, "TCP", 30080), ServicePort(80, "UDP", 30080)), "web")
    for protocol in ("TCP", "UDP"):
        assert set(outcomes(any_cluster.outside, node, 30080, protocol)) == names(pods)
        assert set(outcomes(client, VIP, 80, protocol)) == names(pods)
    any_cluster.create_service(web(ServicePort(80, "UDP", 30080)), "web")
    assert outcome(any_cluster.outside, node, 30080, "TCP") not in names(pods)
    assert outcome(any_cluster.outside, node, 30080, "UDP") in names(pods)


@scenario("Services should be able to change the type from ExternalName to ClusterIP")
@scenario("Services should be able to change the type from ExternalName to NodePort")
@scenario("Services should be able to change the type from ClusterIP to ExternalName")
@scenario("Services should be able to change the type from NodePort to ExternalName")
@pytest.mark.parametrize("node_port", [0, 30080], ids=["ClusterIP", "NodePort"])
def test_a_service_becomes_a_name_and_back(any_cluster: Cluster, node_port: int) -> None:
    """An ExternalName is nothing to a service proxy: the Service is there, then not, then again."""
    client = client_on(any_cluster, 1).namespace
    node = any_cluster.nodes[0].addresses.node
    pods = names(any_cluster.start_pods("web", 1))
    for _ in range(2):
        assert outcome(client, VIP, 80) not in pods
        any_cluster.create_service(web(ServicePort(80, "TCP", node_port)), "web")
        assert outcome(client, VIP, 80) in pods
        assert not node_port or outcome(any_cluster.outside, node, node_port) in pods
        any_cluster.delete_service("default/web")
        assert not node_port or outcome(any_cluster.outside, node, node_port) not in pods


@scenario("Services should be rejected when no endpoints exist")
@scenario("Services should be rejected for evicted pods (no endpoints exist)")
@PROTOCOLS
def test_without_endpoints_it_refuses_at_once(any_cluster: Cluster, protocol: str) -> None:
    client = client_on(any_cluster, 1).namespace
    node = any_cluster.nodes[0].addresses.node
    any_cluster.create_service(web(ServicePort(80, protocol, 30080)), "web")
    for _ in range(2):
        assert outcome(client, VIP, 80, protocol) == REFUSED
        assert outcome(any_cluster.outside, node, 30080, protocol) == REFUSED
        any_cluster.scale("web", 1)
        any_cluster.scale("web", 0)


@scenario("Services should create endpoints for unready pods")
@scenario(
    "Services should be able to connect to terminating and unready endpoints if PublishNotReadyAddresses is true"
)
@scenario(
    "Services should not be able to connect to terminating and unready endpoints "
    "if PublishNotReadyAddresses is false"
)
def test_who_is_published_is_reached(any_cluster: Cluster) -> None:
    client = client_on(any_cluster, 1).namespace
    pods = any_cluster.start_pods("web", 2)
    for pod in pods:
        pod.ready = False
    service = web(ServicePort(80, "TCP", 30080))
    any_cluster.create_service(service, "web")
    assert outcome(client, VIP, 80) == REFUSED
    any_cluster.set_endpoints(service, {(80, "TCP"): [(pod.address, pod.port) for pod in pods]})
    assert set(outcomes(client, VIP, 80)) == names(pods)


@scenario("Services should support externalTrafficPolicy=Local for type=NodePort")
def test_external_traffic_stays_on_the_node(any_cluster: Cluster) -> None:
    """Only local endpoints, which see the client's own address; a node without one answers nothing of the kind."""
    first, second, third = any_cluster.nodes
    here = any_cluster.start_pods("web", 2, [first]) + any_cluster.start_pods("web", 1, [second])
    any_cluster.create_service(web(ServicePort(80, "TCP", 30080), local=True), "web")
    for node in (first, second):
        expected = names([pod for pod in here if pod.node is node])
        assert set(outcomes(any_cluster.outside, node.addresses.node, 30080)) == expected
        assert http(any_cluster.outside, node.addresses.node, 30080).source == "172.16.0.100"
    assert outcome(any_cluster.outside, third.addresses.node, 30080) in (REFUSED, NOTHING)
    client = client_on(any_cluster, 3).namespace
    assert set(outcomes(client, VIP, 80)) == names(here), "the cluster IP is not concerned"


@scenario("Networking Granular Checks: Services should function for endpoint-Service: http")
@scenario("Networking Granular Checks: Services should function for endpoint-Service: udp")
@PROTOCOLS
def test_an_endpoint_asks_its_service(any_cluster: Cluster, protocol: str) -> None:
    pods = any_cluster.start_pods("web", 3)
    any_cluster.create_service(web(ServicePort(80, protocol, 30080)), "web")
    for pod in pods:
        assert set(outcomes(pod.namespace, VIP, 80, protocol, 60)) == names(pods)


@scenario(
    "Networking Granular Checks: Services should function for multiple endpoint-Services with same selector"
)
def test_two_services_of_the_same_pods(any_cluster: Cluster) -> None:
    pods = any_cluster.start_pods("web", 2)
    any_cluster.create_service(web(ServicePort(80, "TCP", 30080)), "web")
    other = web(ServicePort(80, "TCP", 30081), name="default/other", vip="10.96.1.2")
    any_cluster.create_service(other, "web")
    node = any_cluster.nodes[0].addresses.node
    for port in (30080, 30081):
        assert set(outcomes(any_cluster.outside, node, port)) == names(pods)
    any_cluster.delete_service("default/other")
    assert outcome(any_cluster.outside, node, 30081) not in names(pods)
    assert set(outcomes(any_cluster.outside, node, 30080)) == names(pods)


@scenario("Networking Granular Checks: Services should update endpoints: http")
@scenario("Networking Granular Checks: Services should update endpoints: udp")
@PROTOCOLS
def test_a_deleted_pod_is_asked_no_more(any_cluster: Cluster, protocol: str) -> None:
    client = client_on(any_cluster, 1).namespace
    pods = any_cluster.start_pods("web", 3)
    any_cluster.create_service(web(ServicePort(80, protocol)), "web")
    assert set(outcomes(client, VIP, 80, protocol, 60)) == names(pods)
    any_cluster.end_pods(pods[:1], grace_s=0)
    assert set(outcomes(client, VIP, 80, protocol, 60)) == names(pods[1:])


@scenario("Networking Granular Checks: Services should update nodePort: http [Slow]")
@scenario("Networking Granular Checks: Services should update nodePort: udp [Slow]")
@PROTOCOLS
def test_a_node_port_is_taken_away(any_cluster: Cluster, protocol: str) -> None:
    pods = any_cluster.start_pods("web", 2)
    node = any_cluster.nodes[1].addresses.node
    any_cluster.create_service(web(ServicePort(80, protocol, 30080)), "web")
    assert set(outcomes(any_cluster.outside, node, 30080, protocol)) == names(pods)
    any_cluster.create_service(web(ServicePort(80, protocol)), "web")
    assert outcome(any_cluster.outside, node, 30080, protocol) not in names(pods)


@scenario("Networking Granular Checks: Services should be able to handle large requests: http")
@scenario("Networking Granular Checks: Services should be able to handle large requests: udp")
@PROTOCOLS
def test_large_requests(any_cluster: Cluster, protocol: str) -> None:
    """30 kB over TCP; 8 kB in one datagram, which the network carries in fragments."""
    client = client_on(any_cluster, 1).namespace
    pods = any_cluster.start_pods("web", 2, any_cluster.nodes[:2])
    any_cluster.create_service(web(ServicePort(80, protocol)), "web")
    padding = {"TCP": 30_000, "UDP": 8_000}[protocol]
    servers = {TALK[protocol](client, VIP, 80, padding=padding).server for _ in range(40)}
    assert servers == names(pods)


@scenario("Networking Granular Checks: Pods should function for intra-pod communication: http")
@scenario("Networking Granular Checks: Pods should function for intra-pod communication: udp")
@scenario("NoSNAT Should be able to send traffic between Pods without SNAT")
@PROTOCOLS
def test_pods_reach_pods(any_cluster: Cluster, protocol: str) -> None:
    pods = any_cluster.start_pods("web", 4)
    for client in pods:
        for server in pods:
            answer = TALK[protocol](client.namespace, server.address, server.port)
            assert (answer.server, answer.source) == (server.name, client.address)


@scenario("Connectivity Pod Lifecycle should be able to connect from a Pod to a terminating Pod")
@scenario("Connectivity Pod Lifecycle should be able to connect to other Pod from a terminating Pod")
def test_a_terminating_pod_talks(any_cluster: Cluster) -> None:
    """Its Service leads to it no more, but its own address does."""
    ending, other = any_cluster.start_pods("web", 2)
    any_cluster.create_service(web(), "web")
    ending.ready = False
    any_cluster.publish("web")
    assert set(outcomes(other.namespace, VIP, 80)) == {other.name}
    assert outcome(other.namespace, ending.address, ending.port) == ending.name
    assert outcome(ending.namespace, other.address, other.port) == other.name
    assert outcome(ending.namespace, VIP, 80) == other.name


@scenario("Conntrack should be able to preserve UDP traffic when server pod cycles for a NodePort service")
@scenario("Conntrack should be able to preserve UDP traffic when server pod cycles for a ClusterIP service")
@pytest.mark.parametrize("node_port", [0, 30053], ids=["ClusterIP", "NodePort"])
def test_a_flow_of_datagrams_moves_to_the_next_server(any_cluster: Cluster, node_port: int) -> None:
    """The client never changes its port."""
    any_cluster.create_service(web(ServicePort(53, "UDP", node_port)), "web")
    client = client_on(any_cluster, 1).namespace
    where = (client, VIP, 53)
    if node_port:
        where = (any_cluster.outside, any_cluster.nodes[0].addresses.node, node_port)
    first = any_cluster.start_pods("web", 1, any_cluster.nodes[1:2])
    any_cluster.publish("web")
    for _ in range(3):
        assert udp(*where, source_port=12345).server == first[0].name
    second = any_cluster.start_pods("web", 1, any_cluster.nodes[1:2])
    any_cluster.end_pods(first, grace_s=0)
    for _ in range(3):
        assert outcome(*where, "UDP", source_port=12345) == second[0].name


@scenario("Conntrack should be able to preserve UDP traffic when initial unready endpoints get ready")
def test_a_flow_of_datagrams_that_began_too_early(any_cluster: Cluster) -> None:
    client = client_on(any_cluster, 1).namespace
    any_cluster.create_service(web(ServicePort(53, "UDP")), "web")
    for _ in range(3):
        assert outcome(client, VIP, 53, "UDP", source_port=12345) == REFUSED
    pod = any_cluster.start_pods("web", 1)[0]
    any_cluster.publish("web")
    assert outcome(client, VIP, 53, "UDP", source_port=12345) == pod.name


@scenario(
    "Conntrack should be able to cleanup conntrack entries when UDP service target port changes for a NodePort service"
)
def test_the_target_port_changes_and_the_pod_with_it(any_cluster: Cluster) -> None:
    """A pod with another address; see docs/kubernetes.md for the same address."""
    service = web(ServicePort(53, "UDP", 30053))
    any_cluster.create_service(service, "none")
    first, second = (any_cluster.start_pods(f"p{port}", 1, port=port)[0] for port in (100, 101))
    where = (any_cluster.outside, any_cluster.nodes[0].addresses.node, 30053)
    for pod in (first, second):
        any_cluster.set_endpoints(service, {(53, "UDP"): [(pod.address, pod.port)]})
        for _ in range(3):
            assert outcome(*where, "UDP", source_port=12345) == pod.name


@scenario("Networking Granular Checks: Services should function for service endpoints using hostNetwork")
def test_endpoints_in_the_network_of_a_node(any_cluster: Cluster) -> None:
    node = any_cluster.nodes[1]
    with any_cluster.server_on_node(node, 8080) as name:
        service = web(ServicePort(80), ServicePort(80, "UDP"))
        any_cluster.create_service(service, "none")
        ends = [(node.addresses.node, 8080)]
        any_cluster.set_endpoints(service, {(80, "TCP"): ends, (80, "UDP"): ends})
        for number in (1, 2, 3):
            client = client_on(any_cluster, number).namespace
            for protocol in ("TCP", "UDP"):
                assert outcome(client, VIP, 80, protocol) == name


@scenario(
    "Conntrack proxy implementation should not be vulnerable to the invalid conntrack state bug [Privileged]"
)
def test_a_packet_out_of_the_window_harms_nobody(any_cluster: Cluster) -> None:
    """The server's node sends one. If it reached the client under the pod's address, that would answer with an RST
    that the server believes: it acknowledges what the client has sent."""
    client = client_on(any_cluster, 1)
    pod = any_cluster.start_pods("web", 1, any_cluster.nodes[1:2])[0]
    any_cluster.create_service(web(), "web")
    with inside(client.namespace):
        connection = Connection(VIP, 80)
    assert connection.ask() == pod.name
    ports = {"sport": pod.port, "dport": connection.local_port}
    stray = IP(src=pod.address, dst=client.address) / TCP(
        **ports, flags="A", seq=1, ack=connection.next_sequence
    )
    with inside(pod.namespace), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        for _ in range(10):
            raw.sendto(bytes(stray), (client.address, 0))
    for _ in range(5):
        assert connection.ask() == pod.name
    connection.close()
