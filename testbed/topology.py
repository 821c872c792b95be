"""A cube between clients and servers, as polykube lays it out; kernel routing stands in for the router cube.

client namespaces ── FRONTEND ports ── cube ── BACKEND port ── router namespace ── server namespaces
10.10.1.1, .2, …                                              10.10.1.254  10.20.0.254   10.20.0.1, .2, …
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

from testbed.api import Api
from testbed.lab import Lab, ip, run, sysctl

GATEWAY = "10.10.1.254"
SERVER_PORT = 8080


@dataclass
class Topology:
    """The namespaces around a cube; lists are by number, from 0."""

    clients: list[str] = field(default_factory=list)
    client_ips: list[str] = field(default_factory=list)
    frontends: list[str] = field(default_factory=list)  # netdevs to give the FRONTEND ports as peers
    backend: str = ""  # netdev for the BACKEND port
    router: str = ""
    servers: list[str] = field(default_factory=list)
    server_ips: list[str] = field(default_factory=list)


@dataclass
class ConnectedCube:
    """A cube called `name` with everything around it, ready for services."""

    name: str
    lab: Lab
    api: Api
    network: Topology

    def service(self, vip: str, vport: int, proto: str, weights: list[int]) -> str:
        """Create a service over the first servers, one for each weight; returns its path."""
        backends = [
            {"ip": ip, "port": SERVER_PORT, "weight": weight}
            for ip, weight in zip(self.network.server_ips, weights, strict=False)
        ]
        path = f"k8slbrp/{self.name}/service/{vip}/{vport}/{proto}"
        self.api.post(path, {"backend": backends})
        return path


def build(lab: Lab, clients: int = 2, servers: int = 3, start_servers: bool = True) -> Topology:
    """Create the namespaces, their addresses and routes, and start a server in each server namespace."""
    topology = Topology(router=lab.namespace("router"))
    sysctl(topology.router, "net.ipv4.ip_forward=1")
    # Hairpin packets have a VIP as source, to which this router has no route.
    sysctl(topology.router, "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0")
    sysctl(topology.router, "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.default.send_redirects=0")
    topology.backend = lab.link("be", topology.router, "lb")
    ip("-n", topology.router, "addr", "add", f"{GATEWAY}/24", "dev", "lb")
    ip("-n", topology.router, "link", "add", "servers", "type", "bridge")
    ip("-n", topology.router, "addr", "add", "10.20.0.254/24", "dev", "servers")
    ip("-n", topology.router, "link", "set", "servers", "up")
    for number in range(1, clients + 1):
        add_client(lab, topology, number)
    for number in range(1, servers + 1):
        add_server(lab, topology, number, start_servers)
    return topology


def add_client(lab: Lab, topology: Topology, number: int) -> None:
    namespace = lab.namespace(f"client{number}")
    address = f"10.10.1.{number}"
    topology.frontends.append(lab.link(f"fe{number}", namespace))
    configure_client(namespace, address)
    topology.clients.append(namespace)
    topology.client_ips.append(address)


def configure_client(namespace: str, address: str) -> None:
    """Addresses and routes as polykube sets them: all goes through the router, other pods included."""
    ip("-n", namespace, "addr", "add", f"{address}/32", "dev", "eth0")
    ip("-n", namespace, "link", "set", "eth0", "up")
    ip("-n", namespace, "route", "add", GATEWAY, "dev", "eth0")
    ip("-n", namespace, "route", "add", "default", "via", GATEWAY)


def add_server(lab: Lab, topology: Topology, number: int, start: bool = True) -> None:
    namespace = lab.namespace(f"server{number}")
    address = f"10.20.0.{number}"
    port = f"s{number}"
    ip(*f"-n {topology.router} link add {port} type veth peer name eth0 netns {namespace}".split())
    ip(*f"-n {topology.router} link set {port} master servers up".split())
    ip(*f"-n {namespace} addr add {address}/24 dev eth0".split())
    ip(*f"-n {namespace} link set eth0 up".split())
    ip(*f"-n {namespace} route add default via 10.20.0.254".split())
    topology.servers.append(namespace)
    topology.server_ips.append(address)
    if start:
        name = f"server{number}"
        lab.start(
            [sys.executable, "-m", "testbed.server", name, address, str(SERVER_PORT)],
            namespace,
            ready="ready",
        )


def prepare_for_xdp(topology: Topology) -> None:
    """Make the far ends of the ports fit for XDP.

    XDP programs cannot finish a checksum that a local sender left to the device, and veth takes packets
    redirected in native mode only where its other end uses NAPI, which GRO switches on.
    """
    for namespace, netdev in [(topology.router, "lb"), *((client, "eth0") for client in topology.clients)]:
        run(["ethtool", "-K", netdev, "tx", "off", "gro", "on"], namespace)


def create_multi(api: Api, cube: str, topology: Topology, **options: object) -> None:
    """Create a cube in MULTI mode with every port connected."""
    api.post(f"k8slbrp/{cube}", {"port_mode": "MULTI", **options})
    api.post(f"k8slbrp/{cube}/ports/to_router", {"type": "BACKEND", "peer": topology.backend})
    for number, (netdev, address) in enumerate(zip(topology.frontends, topology.client_ips, strict=True), 1):
        port = {"type": "FRONTEND", "ip": address, "peer": netdev}
        api.post(f"k8slbrp/{cube}/ports/client{number}", port)


def create_single(api: Api, cube: str, topology: Topology, **options: object) -> None:
    """Create a cube in SINGLE mode whose FRONTEND port leads to the first client."""
    api.post(f"k8slbrp/{cube}", {"port_mode": "SINGLE", **options})
    api.post(f"k8slbrp/{cube}/ports/to_router", {"type": "BACKEND", "peer": topology.backend})
    api.post(f"k8slbrp/{cube}/ports/client1", {"type": "FRONTEND", "peer": topology.frontends[0]})
