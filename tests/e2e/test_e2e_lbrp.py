"""The service under its other name, beside the first one in the same host: what today's polykube sends to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from testbed import topology
from testbed.api import Api, ApiError
from testbed.host import load_service, service_library
from testbed.lab import Lab
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
