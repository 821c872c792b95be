"""Nodes, pods and Services, and what the parts of Kubernetes around a service proxy do with them.

`Cluster` stands in for scheduler, kubelet and endpoints controller: it starts and ends pods gracefully and tells
every node's proxy about Services and their endpoints. Everything it makes belongs to its `Lab`.
"""

from __future__ import annotations

import itertools
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.cluster.node import LAN_GATEWAY, ROUTING, Node, PolykubeProxy, ServiceProxy, set_sysctls
from testbed.host import PROJECT
from testbed.lab import Lab, ip_batch
from testbed.polykube import Endpoints, Service

OUTSIDE_ADDRESS = "172.16.0.100"
POD_PORT = 8080
GRACE_S = 10.0

ProxyFactory = Callable[[Lab, Node], ServiceProxy]


@dataclass(eq=False)
class Pod:
    name: str
    app: str
    node: Node
    namespace: str
    address: str
    port: int = POD_PORT
    ready: bool = True


class Talker:
    """A process that answers each line with a JSON line."""

    def __init__(self, lab: Lab, module: str, first: Any = None) -> None:
        self._lab = lab
        self._process = lab.start([sys.executable, "-m", module], cwd=PROJECT)
        if first is not None:
            self._send(first)
        if self._receive() != "ready":
            raise RuntimeError(f"{module} does not start")

    def ask(self, message: Any) -> Any:
        self._send(message)
        answer = json.loads(self._receive())
        if isinstance(answer, dict) and "error" in answer:
            raise RuntimeError(f"{message}: {answer['error']}")
        return answer

    def close(self) -> None:
        self._lab.stop(self._process)

    def _send(self, message: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def _receive(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@dataclass(frozen=True)
class Report:
    """What the clients of a load have seen since the last report.

    `answers` counts by client and server; failures are (when, client, reason)."""

    requests: int
    answers: dict[str, dict[str, int]]
    failures: list[tuple[float, str, str]]

    @property
    def servers(self) -> set[str]:
        return {server for counts in self.answers.values() for server in counts}

    def without(self, *marks: str) -> Report:
        """What is left without the clients whose name contains one of the marks."""
        answers = {client: counts for client, counts in self.answers.items() if not _has(client, marks)}
        failures = [failure for failure in self.failures if not _has(failure[1], marks)]
        return Report(
            sum(sum(counts.values()) for counts in answers.values()) + len(failures), answers, failures
        )


def _has(client: str, marks: tuple[str, ...]) -> bool:
    return any(mark in client for mark in marks)


class Load:
    """Clients that ask all the time until closed."""

    def __init__(self, lab: Lab, clients: list[dict[str, Any]]) -> None:
        self._talker = Talker(lab, "testbed.cluster.load", clients)

    def report(self) -> Report:
        return Report(**self._talker.ask("report"))

    def close(self) -> None:
        self._talker.close()


class Cluster:
    """`proxy` makes the service proxy of a node; polykube's with the service of this name unless given."""

    def __init__(
        self,
        lab: Lab,
        folder: Path,
        nodes: int = 3,
        service: str = "k8slbrp",
        proxy: ProxyFactory | None = None,
    ) -> None:
        self.lab = lab
        self.service_name = service
        self.services: dict[str, Service] = {}
        self.pods: list[Pod] = []
        self._apps: dict[str, str] = {}  # by name of the Service
        self._numbers = itertools.count(1)
        self._threads = ThreadPoolExecutor(8)
        self._servers = Talker(lab, "testbed.cluster.pods")
        make_proxy = proxy or (lambda lab, node: PolykubeProxy(lab, node, service, folder))
        self.lan, self.outside = self._make_lan()
        self.nodes = [Node(lab, self.lan, number, nodes) for number in range(1, nodes + 1)]
        for node in self.nodes:
            node.proxy = make_proxy(lab, node)
        self.on_every_node(lambda node: node.proxy.start())

    def close(self) -> None:
        """What a killed host cannot remove; the lab does the rest."""
        self._threads.shutdown()
        for node in self.nodes:
            if isinstance(node.proxy, PolykubeProxy):
                node.proxy.stop_host()
                shutil.rmtree(node.proxy.state_dir, ignore_errors=True)

    def _make_lan(self) -> tuple[str, str]:
        """The network of the nodes, and a client beyond its gateway."""
        lan, outside = self.lab.namespace("lan"), self.lab.namespace("outside")
        set_sysctls(lan, ROUTING)
        ip_batch(
            lan,
            [
                "link add br0 type bridge",
                f"addr add {LAN_GATEWAY}/24 dev br0",
                "link set br0 up",
                f"link add outside type veth peer name eth0 netns {outside}",
                "addr add 172.16.0.254/24 dev outside",
                "link set outside up",
            ],
        )
        ip_batch(
            outside,
            [
                f"addr add {OUTSIDE_ADDRESS}/24 dev eth0",
                "link set eth0 up",
                "route add default via 172.16.0.254",
            ],
        )
        return lan, outside

    def on_every_node(self, action: Callable[[Node], None], nodes: Iterable[Node] | None = None) -> None:
        for _ in self._threads.map(action, nodes or self.nodes):
            pass

    # Pods

    def start_pods(
        self, app: str, count: int, nodes: list[Node] | None = None, port: int = POD_PORT
    ) -> list[Pod]:
        """New pods that listen, spread over the nodes; no Service knows them before `publish`."""
        where = itertools.cycle(nodes or self.nodes)
        started = []
        for _ in range(count):
            number = next(self._numbers)
            node = next(where) if nodes else self.nodes[(number - 1) % len(self.nodes)]
            name = f"{app}-{number}"
            namespace, address = node.add_pod(name)
            self._servers.ask(["open", name, namespace, address, port])
            started.append(Pod(name, app, node, namespace, address, port))
        self.pods += started
        return started

    def end_pods(self, pods: list[Pod], grace_s: float = GRACE_S) -> int:
        """Remove pods gracefully: out of the endpoints, then SIGTERM, the rest when their clients have left.

        Returns how many connections were still open when their time was over."""
        for pod in pods:
            pod.ready = False
        for app in {pod.app for pod in pods}:
            self.publish(app)
        for pod in pods:
            self._servers.ask(["drain", pod.name])
        deadline = time.monotonic() + grace_s
        cut = sum(self._end(pod, deadline) for pod in pods)
        self.pods = [pod for pod in self.pods if pod not in pods]
        return cut

    def _end(self, pod: Pod, deadline: float) -> int:
        while self._servers.ask(["connections", pod.name]) and time.monotonic() < deadline:
            time.sleep(0.02)
        cut = int(self._servers.ask(["close", pod.name]))
        pod.node.remove_pod(pod.namespace, pod.address)
        return cut

    @contextmanager
    def server_on_node(self, node: Node, port: int) -> Iterator[str]:
        """A server in the network of a node, as a pod with hostNetwork has it; gives its name."""
        name = f"host-{node.name}"
        self._servers.ask(["open", name, node.router, node.addresses.node, port])
        try:
            yield name
        finally:
            self._servers.ask(["close", name])

    def pods_of(self, app: str) -> list[Pod]:
        return [pod for pod in self.pods if pod.app == app]

    # Services

    def create_service(self, service: Service, app: str) -> None:
        """A Service for the pods of `app`, with their endpoints; or a change of one."""
        self.services[service.name] = service
        self._apps[service.name] = app
        self.on_every_node(lambda node: node.proxy.sync_service(service))
        self._sync_endpoints(service, self.nodes)

    def delete_service(self, name: str) -> None:
        del self.services[name], self._apps[name]
        self.on_every_node(lambda node: node.proxy.delete_service(name))

    def publish(self, app: str, nodes: list[Node] | None = None) -> None:
        """Tell all nodes who is ready."""
        for name, selected in list(self._apps.items()):
            if selected == app:
                self._sync_endpoints(self.services[name], nodes or self.nodes)

    def _sync_endpoints(self, service: Service, nodes: Iterable[Node]) -> None:
        ready = [(pod.address, pod.port) for pod in self.endpoints_of(service.name)]
        endpoints = {(port.port, port.protocol): ready for port in service.ports}
        self.on_every_node(lambda node: node.proxy.sync_endpoints(service, endpoints), nodes)

    def set_endpoints(self, service: Service, endpoints: Endpoints) -> None:
        """Tell all nodes of endpoints that do not follow from the pods of an app."""
        self.on_every_node(lambda node: node.proxy.sync_endpoints(service, endpoints))

    def publish_all(self, node: Node) -> None:
        """What an operator that has just started does: all Services, then all endpoints."""
        for service in self.services.values():
            node.proxy.sync_service(service)
        for app in set(self._apps.values()):
            self.publish(app, [node])

    def endpoints_of(self, name: str) -> list[Pod]:
        """The pods that are ready behind a Service."""
        return [pod for pod in self.pods_of(self._apps[name]) if pod.ready]

    # What a Deployment does

    def scale(self, app: str, count: int) -> int:
        """Returns how many connections were cut."""
        pods = self.pods_of(app)
        if len(pods) <= count:
            self.start_pods(app, count - len(pods))
            self.publish(app)
            return 0
        return self.end_pods(pods[count:])

    def rolling_update(self, app: str, surge: int = 2) -> int:
        """Replace all pods, `surge` at a time. Returns how many connections were cut."""
        cut = 0
        old = self.pods_of(app)
        for start in range(0, len(old), surge):
            batch = old[start : start + surge]
            self.start_pods(app, len(batch))
            self.publish(app)
            cut += self.end_pods(batch)
        return cut

    # Load

    def load(self, clients: list[dict[str, Any]]) -> Load:
        return Load(self.lab, clients)
