"""A node: its interface, its router, and the two load balancers between them, as polykube lays them out.

    lan ── eth0 ── ekl0 (SINGLE) ── router ── vxlan0 ── the other nodes' pods
                                      │
                                     ikl0 (MULTI) ── pods

The kernel stands in for polykube's router cube, and for its dispatcher: what a service of ekl0 sends to a pod
of another node is masqueraded, so that the answer comes back this way.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from testbed.host import COMPILE_CACHE, PROJECT, service_library
from testbed.lab import Lab, ip_batch, run
from testbed.netns import inside
from testbed.polykube import Affinity, Cni, Endpoints, Operator, Peers, Requests, Service, pod_netdev

POD_NETWORK = "10.10.0.0/16"
LAN_GATEWAY = "192.168.100.254"
# A router that says each time what it cannot reach.
ROUTING = {"net/ipv4/ip_forward": "1", "net/ipv4/icmp_ratelimit": "0"}
_ROUTER_RULES = f"""
table ip router {{
  chain postrouting {{
    type nat hook postrouting priority srcnat
    ip saddr {POD_NETWORK} oifname "to_ekl0" masquerade
    iifname "to_ekl0" oifname "vxlan0" ip daddr {POD_NETWORK} masquerade
  }}
}}
"""


@dataclass(frozen=True)
class Addresses:
    """Everything that follows from the number of a node, from 1."""

    number: int

    @property
    def node(self) -> str:
        return f"192.168.100.{self.number}"

    @property
    def pod_cidr(self) -> str:
        return f"10.10.{self.number}.0/24"

    @property
    def gateway(self) -> str:
        return self.pod(254)

    @property
    def gateway_mac(self) -> str:
        return f"02:00:00:00:0{self.number}:fe"

    @property
    def vtep(self) -> str:
        return f"10.18.0.{self.number}"

    @property
    def vtep_mac(self) -> str:
        return f"02:00:00:00:0{self.number}:42"

    def pod(self, host_part: int) -> str:
        return f"10.10.{self.number}.{host_part}"


class ServiceProxy(Protocol):
    """What makes Services reachable on a node, told of every change."""

    def start(self) -> None: ...
    def attach_pod(self, address: str, netdev: str) -> None: ...
    def detach_pod(self, address: str) -> None: ...
    def sync_service(self, service: Service) -> None: ...
    def delete_service(self, name: str) -> None: ...
    def sync_endpoints(self, service: Service, endpoints: Endpoints) -> None: ...


class Node:
    """Namespaces of a node and of its router, connected to the bridge in `lan`. `proxy` must be set before use."""

    proxy: ServiceProxy

    def __init__(self, lab: Lab, lan: str, number: int, total: int) -> None:
        self.name = f"node{number}"
        self.number = number
        self.addresses = Addresses(number)
        self.namespace = lab.namespace(self.name)
        self.router = lab.namespace(f"router{number}")
        self.pods: dict[str, str] = {}  # address -> interface
        self._lab = lab
        self._free = [self.addresses.pod(n) for n in range(253, 3, -1)]
        self._connect(lan)
        self._set_up_router(total)

    def _connect(self, lan: str) -> None:
        a = self.addresses
        nic = self.name
        ip_batch(
            self.namespace,
            [
                f"link add eth0 type veth peer name {nic} netns {lan}",
                f"link add ikl0_r0 type veth peer name to_ikl0 address {a.gateway_mac} netns {self.router}",
                f"link add ekl0_r0 type veth peer name to_ekl0 netns {self.router}",
                *(f"link set {link} up" for link in ("eth0", "ikl0_r0", "ekl0_r0")),
            ],
        )
        ip_batch(lan, [f"link set {nic} master br0", f"link set {nic} up"])

    def _set_up_router(self, total: int) -> None:
        a = self.addresses
        settings = {
            f"net/ipv4/conf/{which}/{name}": "0"
            for which in ("all", "default")
            for name in ("rp_filter", "send_redirects")
        }
        # Hairpin packets have a VIP as source, to which this router has no route.
        set_sysctls(self.router, {**settings, **ROUTING})
        commands = [
            f"addr add {a.gateway}/24 dev to_ikl0",
            "link set to_ikl0 up",
            f"addr add {a.node}/24 dev to_ekl0",
            "link set to_ekl0 up",
            f"link add vxlan0 address {a.vtep_mac} mtu 1450 type vxlan id 42 dstport 4789 local {a.node} nolearning",
            f"addr add {a.vtep}/16 dev vxlan0",
            "link set vxlan0 up",
            f"route add default via {LAN_GATEWAY}",
        ]
        others = [Addresses(n) for n in range(1, total + 1) if n != self.number]
        for other in others:
            commands.append(f"neigh add {other.vtep} lladdr {other.vtep_mac} dev vxlan0 nud permanent")
            commands.append(f"route add {other.pod_cidr} via {other.vtep}")
        ip_batch(self.router, commands)
        forwarding = [f"fdb append {o.vtep_mac} dev vxlan0 dst {o.node}" for o in others]
        batch(["bridge", "-n", self.router, "-batch", "-"], forwarding)
        batch(["nsenter", f"--net=/run/netns/{self.router}", "nft", "-f", "-"], [_ROUTER_RULES])

    def add_pod(self, label: str) -> tuple[str, str]:
        """What the CNI plug-in does: returns the namespace and the address of the new pod."""
        address = self._free.pop()
        netdev = pod_netdev(address)
        namespace = self._lab.namespace(label)
        ip_batch(
            namespace,
            [
                f"link add eth0 mtu 1450 type veth peer name {netdev} mtu 1450",
                f"link set {netdev} netns {self.namespace}",
                "link set eth0 up",
                f"addr add {address}/32 dev eth0",
                f"route add {self.addresses.gateway} dev eth0",
                f"neigh add {self.addresses.gateway} lladdr {self.addresses.gateway_mac} dev eth0",
                f"route add default via {self.addresses.gateway}",
            ],
        )
        ip_batch(self.namespace, [f"link set {netdev} up"])
        self.proxy.attach_pod(address, netdev)
        self.pods[address] = netdev
        return namespace, address

    def remove_pod(self, namespace: str, address: str) -> None:
        """The port goes first, while the interface is up."""
        self.proxy.detach_pod(address)
        self._lab.remove_namespace(namespace)
        del self.pods[address]
        self._free.insert(0, address)

    def unplug(self) -> None:
        """The node is cut off from the others, and its clients from it."""
        ip_batch(self.namespace, ["link set eth0 down"])

    def plug(self) -> None:
        ip_batch(self.namespace, ["link set eth0 up"])


class PolykubeProxy:
    """A pcnhost in the node's namespace with the service in it, told what to do by polykube's requests."""

    def __init__(self, lab: Lab, node: Node, service: str, folder: Path) -> None:
        self._lab = lab
        self._node = node
        self._service = service
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        self.requests = Requests(service, namespace=node.namespace)
        peers = Peers("ikl0_r0", "ekl0_r0", "eth0")
        self.operator = Operator(self.requests, node.addresses.node, node.addresses.pod_cidr, peers)
        self.affinity = Affinity(self.requests, node.addresses.node)
        self.cni = Cni(self.requests)

    def start(self) -> None:
        self.start_host()
        self.operator.start(self._node.pods)

    def start_host(self) -> None:
        """Returns when it answers; raises RuntimeError if it does not."""
        name = f"{self._lab.prefix}-{self._node.name}"
        log = self._folder / f"{self._node.name}.log"
        command = [*enter_network(self._node.namespace), sys.executable, "-m", "pcnhost"]
        command += ["--pidfile", f"/run/{name}.pid", "--state-dir", str(self.state_dir)]
        command += ["--compile-cache", str(COMPILE_CACHE)]
        command += ["--cubes-dump-enable", "--cubes-dump-file", str(self._folder / f"{self._node.name}.json")]
        command += ["--service", f"{self._service}={service_library(self._service)}"]
        with log.open("a") as output:
            self._process = self._lab.start(
                command, cwd=PROJECT, stderr=output, env={**os.environ, "PYTHONUNBUFFERED": "1"}
            )
        for _ in range(600):
            if self.requests.answers():
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError(f"the host of {self._node.name} does not answer, see {log}")

    @property
    def state_dir(self) -> Path:
        return self._lab.state_dir.with_name(f"{self._lab.state_dir.name}-{self._node.name}")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill_host(self) -> None:
        """SIGKILL, as by the kernel when memory is short."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def forget_everything(self) -> None:
        """What a host that was killed has left: its programs, and its record of cubes."""
        shutil.rmtree(self.state_dir)
        for file in self._folder.glob(f"{self._node.name}.json*"):
            file.unlink()

    def stop_host(self) -> None:
        assert self._process is not None
        self._lab.stop(self._process)

    def attach_pod(self, address: str, netdev: str) -> None:
        self.cni.add(address, netdev)

    def detach_pod(self, address: str) -> None:
        self.cni.delete(address)

    def sync_service(self, service: Service) -> None:
        self.operator.sync_service(service)
        self.affinity.sync_service(service)

    def delete_service(self, name: str) -> None:
        self.operator.delete_service(name)

    def sync_endpoints(self, service: Service, endpoints: Endpoints) -> None:
        self.operator.sync_endpoints(service, endpoints)


def enter_network(namespace: str) -> list[str]:
    """Unlike `ip netns exec` it leaves the mounts alone, where the host pins its maps."""
    return ["nsenter", f"--net=/run/netns/{namespace}"]


def set_sysctls(namespace: str, settings: Mapping[str, str]) -> None:
    with inside(namespace):
        for name, value in settings.items():
            Path(f"/proc/sys/{name}").write_text(value)


def batch(argv: list[str], lines: list[str]) -> None:
    """Run a command that reads what to do from standard input. Raises RuntimeError with what it said."""
    done = subprocess.run(
        argv, input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip()}")


def ping(namespace: str, address: str) -> None:
    """Raises RuntimeError when nobody answers."""
    run(["ping", "-c", "1", "-W", "2", address], namespace)
