"""polykube's requests: those of its operator and of its CNI plug-in, in its order and spelling.

What it reads it decodes into typed structures, so statuses, content types and the JSON kind of every member
matter. Answers it would stumble over raise an error here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import PoolManager
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from testbed.netns import inside

# By name of the service: what the two published versions call their internal and external cube.
CUBES = {"k8slbrp": ("ikl0", "ekl0"), "lbrp": ("ilb0", "elb0")}
LOCAL_WEIGHT = 3
URL = "http://127.0.0.1:9000/polycube/v1"
TIMEOUT_S = 180  # polykube has none; a busy machine takes long for a cube

Key = tuple[str, int, str]  # VIP, port, protocol in upper case


class Refused(RuntimeError):
    """An answer that polykube takes for an error."""

    def __init__(self, request: str, status: int, text: str) -> None:
        super().__init__(f"{request}: {status} {text.strip()}")
        self.status = status


@dataclass(frozen=True)
class ServicePort:
    port: int
    protocol: str = "TCP"
    node_port: int = 0


@dataclass(frozen=True)
class Service:
    """A Kubernetes Service as far as polykube reads it, and its affinity; `name` is `<namespace>/<name>`."""

    name: str
    cluster_ip: str
    ports: tuple[ServicePort, ...]
    external_local: bool = False  # externalTrafficPolicy: Local
    affinity_s: int = 0  # sessionAffinity: ClientIP, with this timeout


# By service port and protocol: address and port of each endpoint that is ready.
Endpoints = Mapping[tuple[int, str], Iterable[tuple[str, int]]]


@dataclass(frozen=True)
class Peers:
    """What the ports of the two cubes are connected to."""

    internal: str
    external: str
    dispatcher: str


@dataclass
class Requests:
    """Sends what polykube's Go client sends; raises Refused when it would see an error."""

    service: str = "k8slbrp"
    url: str = URL
    namespace: str | None = None  # the network namespace of the host
    seconds: float = 0.0  # from the sending of requests to the end of their answers, all together
    _session: requests.Session = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.internal, self.external = CUBES[self.service]
        self._session = requests.Session()
        self._session.trust_env = False  # no proxies; looking for some takes longer than a request
        self._session.headers.update({"Content-Type": "application/json", "Accept": "application/json"})
        if self.namespace:
            self._session.mount("http://", _NamespaceAdapter(self.namespace))

    def write(self, method: str, path: str, body: Any = None, also: int = 0) -> None:
        """A request whose status must be below 300, or `also`."""
        data = None if body is None else json.dumps(body, separators=(",", ":")) + "\n"
        answer = self._send(method, path, data)
        if answer.status_code >= 300 and answer.status_code != also:
            raise Refused(f"{method} {path}", answer.status_code, answer.text)

    def read(self, path: str) -> Any:
        answer = self._send("GET", path)
        kind = answer.headers.get("Content-Type", "")
        readable = "application/json" in kind or "application/yang.data+json" in kind
        if answer.status_code >= 300 or not readable:
            raise Refused(f"GET {path}", answer.status_code, answer.text)
        decoded = answer.json()
        if isinstance(decoded, list):  # with an array `["_links",…]` among the elements
            return [element for element in decoded if not isinstance(element, list)]
        return [] if decoded is None else decoded

    def answers(self) -> bool:
        """The operator's poll: any answer will do."""
        try:
            self._session.get(self.url, timeout=TIMEOUT_S)
        except requests.ConnectionError:
            return False
        return True

    def _send(self, method: str, path: str, data: str | None = None) -> requests.Response:
        start = time.perf_counter()
        answer = self._session.request(
            method, f"{self.url}/{self.service}/{path}", data=data, timeout=TIMEOUT_S
        )
        self.seconds += time.perf_counter() - start
        return answer


class Affinity:
    """What polykube does not send: the session affinity of a Service, after its own requests."""

    def __init__(self, to: Requests, node_ip: str) -> None:
        self._to = to
        self._node_ip = node_ip
        self._services: set[str] = set()

    def sync_service(self, service: Service) -> None:
        if not service.affinity_s and service.name not in self._services:
            return
        body: dict[str, Any] = {"session-affinity": "NONE"}
        if service.affinity_s:
            body = {"session-affinity": "CLIENT_IP", "affinity-timeout": service.affinity_s}
        for port in service.ports:
            self._write(f"{self._to.internal}/service/{service.cluster_ip}/{port.port}", port, body)
            if port.node_port:
                self._write(f"{self._to.external}/service/{self._node_ip}/{port.node_port}", port, body)
        self._services.add(service.name)

    def _write(self, path: str, port: ServicePort, body: Any) -> None:
        self._to.write("PATCH", f"{path}/{port.protocol}/", body)


class _NamespaceConnection(HTTPConnection):
    namespace = ""

    def _new_conn(self) -> Any:
        with inside(self.namespace):
            return super()._new_conn()


class _NamespaceAdapter(HTTPAdapter):
    """Opens its connections in a network namespace."""

    def __init__(self, namespace: str) -> None:
        connection = type("_Connection", (_NamespaceConnection,), {"namespace": namespace})
        self._pool_class = type("_Pool", (HTTPConnectionPool,), {"ConnectionCls": connection})
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        self.poolmanager = PoolManager(num_pools=1, maxsize=4)
        self.poolmanager.pool_classes_by_scheme = {"http": self._pool_class}


class Operator:
    """The operator on one node: what it does at start, and its controllers of Services and Endpoints."""

    def __init__(self, to: Requests, node_ip: str, pod_cidr: str, peers: Peers | None = None) -> None:
        self._to = to
        self._node_ip = node_ip
        self._pods = ip_network(pod_cidr)
        self._internal, self._external = to.internal, to.external
        # polykube's own router and dispatcher, unless told otherwise
        self._peers = peers or Peers(f"r0:to_{to.internal}", f"r0:to_{to.external}", f"k0:to_{to.external}")

    def start(self, pods: Mapping[str, str] | None = None) -> None:
        """Create the cubes, or empty those that are there, connect them and add the ports of pods that miss.

        `pods` are the addresses of the pods on this node, each with the name of its interface."""
        present = {cube["name"] for cube in self._to.read("")}
        backend, frontend = {"name": "to_r0", "type": "backend"}, {"name": "to_k0", "type": "frontend"}
        for cube, ports, mode in (
            (self._internal, [backend], "MULTI"),
            (self._external, [backend, frontend], "SINGLE"),
        ):
            if cube in present:
                self._to.write("DELETE", f"{cube}/service/")
            else:
                body = {"name": cube, "loglevel": "INFO", "ports": ports, "port_mode": mode}
                self._to.write("POST", f"{cube}/", body)
        self.connect()
        self.add_missing_pods(pods or {})

    def connect(self) -> None:
        for cube, port, peer in (
            (self._internal, "to_r0", self._peers.internal),
            (self._external, "to_r0", self._peers.external),
            (self._external, "to_k0", self._peers.dispatcher),
        ):
            self._to.write("PATCH", f"{cube}/ports/{port}/", {"name": port, "peer": peer})

    def add_missing_pods(self, pods: Mapping[str, str]) -> None:
        ports = self._to.read(f"{self._internal}/ports/")
        present = {str(ip_address(port["ip"])) for port in ports if port["type"] != "backend"}
        missing = [pod_port(address, netdev) for address, netdev in pods.items() if address not in present]
        if missing:
            self._to.write("POST", f"{self._internal}/ports/", missing)

    def sync_service(self, service: Service) -> None:
        """Add what is missing, then remove what is too much, in both cubes."""
        wanted_internal = {(service.cluster_ip, p.port, p.protocol) for p in service.ports}
        wanted_external = {(self._node_ip, p.node_port, p.protocol) for p in service.ports if p.node_port}
        trees = self._trees()
        for cube, wanted in ((self._internal, wanted_internal), (self._external, wanted_external)):
            self._replace_services(cube, trees[cube], service.name, wanted)

    def delete_service(self, name: str) -> None:
        trees = self._trees()
        for cube in (self._internal, self._external):
            self._replace_services(cube, trees[cube], name, set())

    def sync_endpoints(self, service: Service, endpoints: Endpoints) -> None:
        """Add new backends to the services of this name, then delete those that are gone."""
        trees = self._trees()
        vports = {
            self._internal: {(p.port, p.protocol): p for p in service.ports},
            self._external: {(p.node_port, p.protocol): p for p in service.ports if p.node_port},
        }
        for cube in (self._internal, self._external):
            for entry in _named(trees[cube], service.name):
                port = vports[cube].get((entry["vport"], entry["proto"].upper()))
                ready = endpoints.get((port.port, port.protocol), ()) if port else ()
                local_only = cube == self._external and service.external_local
                self._replace_backends(cube, entry, service.name, ready, local_only)

    def _trees(self) -> dict[str, Any]:
        return {cube: self._to.read(f"{cube}/") for cube in (self._internal, self._external)}

    def _replace_services(self, cube: str, tree: Any, name: str, wanted: set[Key]) -> None:
        actual = {_key(entry): entry["proto"] for entry in _named(tree, name)}
        if new := sorted(wanted - set(actual)):
            entries = [{"name": name, "vip": vip, "vport": port, "proto": proto} for vip, port, proto in new]
            self._to.write("POST", f"{cube}/service/", entries)
        for vip, port, proto in sorted(set(actual) - wanted):
            path = f"{cube}/service/{vip}/{port}/{actual[vip, port, proto]}/"
            self._to.write("DELETE", path, also=409)

    def _replace_backends(
        self, cube: str, entry: Any, name: str, ready: Iterable[tuple[str, int]], local_only: bool
    ) -> None:
        wanted = {
            (address, port, LOCAL_WEIGHT if self._is_local(address) else 1)
            for address, port in ready
            if not local_only or self._is_local(address)
        }
        actual = {(b["ip"], b["port"], b["weight"]) for b in entry.get("backend", []) if b["name"] == name}
        path = f"{cube}/service/{entry['vip']}/{entry['vport']}/{entry['proto']}/backend/"
        if new := sorted(wanted - actual):
            entries = [{"name": name, "ip": a, "port": port, "weight": w} for a, port, w in new]
            self._to.write("POST", path, entries)
        for address, _, _ in sorted(actual - wanted):
            self._to.write("DELETE", f"{path}{address}/")

    def _is_local(self, address: str) -> bool:
        return ip_address(address) in self._pods


class Cni:
    """The CNI plug-in's requests; the interface of the pod exists and is up before, and after."""

    def __init__(self, to: Requests) -> None:
        self._to = to

    def add(self, address: str, netdev: str) -> None:
        port = pod_port(address, netdev)
        self._to.write("POST", f"{self._to.internal}/ports/{port['name']}/", port)

    def check(self, address: str, netdev: str) -> bool:
        port = self._to.read(f"{self._to.internal}/ports/{port_name(address)}/")
        expected = {"type": "frontend", "peer": netdev, "status": "UP", "ip": address}
        return {member: port.get(member) for member in expected} == expected

    def delete(self, address: str) -> None:
        self._to.write("DELETE", f"{self._to.internal}/ports/{port_name(address)}/", also=409)


def port_name(address: str) -> str:
    """Eight hexadecimal digits: the address of the pod."""
    return f"{int(ip_address(address)):08x}"


def pod_netdev(address: str) -> str:
    """The pod's interface on the node."""
    return f"eth0_{port_name(address)}"


def pod_port(address: str, netdev: str) -> dict[str, str]:
    return {"name": port_name(address), "peer": netdev, "type": "frontend", "ip": address}


def _key(entry: Any) -> Key:
    return entry["vip"], entry["vport"], entry["proto"].upper()


def _named(tree: Any, name: str) -> list[Any]:
    if not isinstance(tree["shadow"], bool) or not isinstance(tree["span"], bool):
        raise TypeError("shadow and span must be booleans")
    return [entry for entry in tree.get("service", []) if entry["name"] == name]
