"""A service proxy of nftables rules, in the manner of kube-proxy's nftables mode: the yardstick for ours.

The node has bridges in the place of the two cubes; the router translates.
"""

from __future__ import annotations

import subprocess

from testbed.cluster.node import POD_NETWORK, Node, batch, enter_network
from testbed.lab import Lab, ip_batch
from testbed.polykube import Endpoints, Service, ServicePort

_MASQUERADE = "0x4000"


class NftablesProxy:
    """Rules for all Services of one node, written anew as one transaction at every change."""

    def __init__(self, lab: Lab, node: Node) -> None:
        self._node = node
        self._services: dict[str, Service] = {}
        self._endpoints: dict[str, dict[tuple[int, str], list[tuple[str, int]]]] = {}

    def start(self) -> None:
        commands = []
        for bridge, links in (("pods", ["ikl0_r0"]), ("uplink", ["eth0", "ekl0_r0"])):
            commands += [f"link add {bridge} type bridge", f"link set {bridge} up"]
            commands += [f"link set {link} master {bridge}" for link in links]
        ip_batch(self._node.namespace, commands)
        self._apply()

    def attach_pod(self, address: str, netdev: str) -> None:
        ip_batch(self._node.namespace, [f"link set {netdev} master pods"])

    def detach_pod(self, address: str) -> None:
        """The interface leaves the bridge when it is removed."""

    def sync_service(self, service: Service) -> None:
        self._services[service.name] = service
        self._apply()

    def delete_service(self, name: str) -> None:
        service = self._services.pop(name, None)
        self._endpoints.pop(name, None)
        self._apply()
        if service:
            self._forget_datagrams(service)

    def sync_endpoints(self, service: Service, endpoints: Endpoints) -> None:
        self._endpoints[service.name] = {key: list(ready) for key, ready in endpoints.items()}
        self._apply()
        self._forget_datagrams(service)

    def _apply(self) -> None:
        chains: list[str] = []
        sets = ("services", "nodeports", "rejected", "rejected_nodeports", "dropped")
        entries: dict[str, list[str]] = {name: [] for name in sets}
        for number, service in enumerate(self._services.values()):
            for port in service.ports:
                self._add_port(
                    chains, entries, f"s{number}p{port.port}{port.protocol.lower()}", service, port
                )
        cluster_ips = sorted({service.cluster_ip for service in self._services.values()})
        batch([*enter_network(self._node.router), "nft", "-f", "-"], [_ruleset(chains, entries, cluster_ips)])

    def _add_port(
        self,
        chains: list[str],
        entries: dict[str, list[str]],
        label: str,
        service: Service,
        port: ServicePort,
    ) -> None:
        ready = self._endpoints.get(service.name, {}).get((port.port, port.protocol), [])
        protocol, affinity = port.protocol.lower(), service.affinity_s
        key = f"{service.cluster_ip} . {protocol} . {port.port}"
        if ready:
            chains += _chains(label, protocol, ready, affinity)
            entries["services"].append(f"{key} : goto {label}")
        else:
            entries["rejected"].append(key)
        if not port.node_port:
            return
        outside = ready
        if service.external_local:
            outside = [e for e in ready if e[0].startswith(f"10.10.{self._node.number}.")]
        key = f"{protocol} . {port.node_port}"
        if outside:
            chains += _chains(f"{label}x", protocol, outside, affinity)
            entries["nodeports"].append(f"{key} : goto {label}x")
        else:  # other nodes may have some, so kube-proxy does not refuse
            entries["dropped" if ready else "rejected_nodeports"].append(key)

    def _forget_datagrams(self, service: Service) -> None:
        """As kube-proxy does, so that flows of datagrams leave endpoints that are gone."""
        for port in service.ports:
            if port.protocol == "UDP":
                forget = [*enter_network(self._node.router), "conntrack", "-D", "-p", "udp"]
                for match in (["-d", service.cluster_ip, "--dport", str(port.port)],
                              ["-d", self._node.addresses.node, "--dport", str(port.node_port)]):  # fmt: skip
                    subprocess.run([*forget, *match], capture_output=True, check=False)


def _chains(label: str, protocol: str, ready: list[tuple[str, int]], affinity_s: int) -> list[str]:
    """A chain that chooses an endpoint, and one for each endpoint; its own packets are masqueraded. With affinity,
    each endpoint has a set of the clients that it has had lately."""
    names = [f"{label}e{n}" for n in range(len(ready))]
    choices = ", ".join(f"{n} : goto {name}" for n, name in enumerate(names))
    sets = [
        f"set {name}_clients {{ type ipv4_addr; flags dynamic,timeout; timeout {affinity_s}s; }}"
        for name in names
        if affinity_s
    ]
    remember = "update @{}_clients {{ ip saddr }}\n" if affinity_s else ""
    chains = [
        f"chain {name} {{\n{remember.format(name)}ip saddr {address} meta mark set {_MASQUERADE}\n"
        f"meta l4proto {protocol} dnat to {address}:{port}\n}}"
        for name, (address, port) in zip(names, ready, strict=True)
    ]
    recall = "".join(f"ip saddr @{name}_clients goto {name}\n" for name in names if affinity_s)
    choose = f"chain {label} {{\n{recall}numgen random mod {len(ready)} vmap {{ {choices} }}\n}}"
    return [*sets, *chains, choose]


def _ruleset(chains: list[str], entries: dict[str, list[str]], cluster_ips: list[str]) -> str:
    def elements(name: str) -> str:
        return f"elements = {{ {', '.join(entries[name])} }}" if entries[name] else ""

    addresses = f"elements = {{ {', '.join(cluster_ips)} }}" if cluster_ips else ""
    by_address, by_port = "ip daddr . meta l4proto . th dport", "fib daddr type local meta l4proto . th dport"
    return f"""
table ip kube {{ }}
delete table ip kube
table ip kube {{
  {chr(10).join(chains)}
  map services {{ type ipv4_addr . inet_proto . inet_service : verdict; {elements("services")} }}
  map nodeports {{ type inet_proto . inet_service : verdict; {elements("nodeports")} }}
  set rejected {{ type ipv4_addr . inet_proto . inet_service; {elements("rejected")} }}
  set rejected_nodeports {{ type inet_proto . inet_service; {elements("rejected_nodeports")} }}
  set dropped {{ type inet_proto . inet_service; {elements("dropped")} }}
  set cluster_ips {{ type ipv4_addr; {addresses} }}
  chain prerouting {{
    type nat hook prerouting priority dstnat
    {by_address} vmap @services
    {by_port} vmap @nodeports
  }}
  chain output {{
    type nat hook output priority -100
    {by_address} vmap @services
    {by_port} vmap @nodeports
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat - 1
    meta mark {_MASQUERADE} masquerade
    ip saddr != {POD_NETWORK} oifname "vxlan0" ip daddr {POD_NETWORK} masquerade
  }}
  chain forward {{
    type filter hook forward priority filter
    ct state invalid drop
    {by_address} @rejected reject
    ip daddr @cluster_ips reject
  }}
  chain input {{
    type filter hook input priority filter
    {by_port} @rejected_nodeports reject
    {by_port} @dropped drop
  }}
}}
"""
