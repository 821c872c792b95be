"""The ways from a client to servers that are compared, each in network namespaces of its own.

client ── what is measured ── server, two veth pairs everywhere. The server has four addresses, which are the backends
of every service. A plain redirect and the cubes join the two sides like a cable; nftables and haproxy sit in a router
between two networks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from pyroute2 import IPRoute

from bench.driver import program_text
from bench.host import Host
from bench.packets import CLIENT, VPORT, vip
from bench.services import BATCH, Body
from pcnhost.engine import bpf
from pcnhost.engine.compile import compile_text
from testbed.lab import Lab, ip, run, sysctl

SERVER_PORT = 8080
IPERF_PORT = 5201
BACKENDS = 4

_SAME_NETWORK, _BEHIND_ROUTER = IPv4Address("10.10.1.11"), IPv4Address("10.10.2.11")
_SERVICE_KEY = "ipv4_addr . inet_proto . inet_service"
_ANY_SOURCE = [f"net.ipv4.conf.{which}.rp_filter=0" for which in ("all", "default")]
_CLSACT_INGRESS, _ETH_P_ALL = 0xFFFFFFF2, 3


@dataclass(frozen=True)
class Way:
    """Where a client finds the servers: TCP and UDP at `port` of `addresses` addresses from `first` on."""

    client: str
    server: str
    first: str
    addresses: int
    port: int
    udp: bool = True


@dataclass(frozen=True)
class Ends:
    """Both namespaces, the outer ends of their links, and the servers' addresses."""

    client: str
    server: str
    client_link: str
    server_link: str
    servers: list[str]

    def way(self, number_of_services: int, udp: bool = True) -> Way:
        return Way(self.client, self.server, vip(0), number_of_services, VPORT, udp)


Balancer = Callable[[Lab, Host, str, int], Way]


def redirect(lab: Lab, host: Host, label: str, number_of_services: int) -> Way:
    """No balancer: one BPF redirect in TC at each end."""
    ends = _flat(lab, label)
    with IPRoute() as routes:
        index = {link: routes.link_lookup(ifname=link)[0] for link in (ends.client_link, ends.server_link)}
        for link, other in ((ends.client_link, ends.server_link), (ends.server_link, ends.client_link)):
            module = compile_text(program_text("redirect.c"), [f"-DEGRESS_IFINDEX={index[other]}"])
            program = bpf.load_program(bpf.PROG_TYPE_SCHED_CLS, "redirect", module.functions["redirect"])
            routes.tc("add", "clsact", index[link])
            routes.tc(
                "add-filter",
                "bpf",
                index[link],
                parent=_CLSACT_INGRESS,
                protocol=_ETH_P_ALL,
                prio=1,
                fd=program,
                name="redirect",
                direct_action=True,
            )
            os.close(program)
            module.close()
    return Way(ends.client, ends.server, ends.servers[0], len(ends.servers), SERVER_PORT)


def cube_tc(lab: Lab, host: Host, label: str, number_of_services: int) -> Way:
    return _cube(lab, host, label, number_of_services, "TC")


def cube_xdp(lab: Lab, host: Host, label: str, number_of_services: int) -> Way:
    """In native mode. XDP needs finished checksums, and veth takes redirected packets only with GRO."""
    return _cube(lab, host, label, number_of_services, "XDP_DRV")


def _cube(lab: Lab, host: Host, label: str, number_of_services: int, cube_type: str) -> Way:
    ends = _flat(lab, label)
    if cube_type != "TC":
        for namespace in (ends.client, ends.server):
            run(["ethtool", "-K", "eth0", "tx", "off", "gro", "on"], namespace)
    cube = f"k8slbrp/{label}"
    host.api.post(cube, {"type": cube_type, "port_mode": "MULTI"})
    host.api.post(f"{cube}/ports/backend", {"type": "BACKEND", "peer": ends.server_link})
    host.api.post(f"{cube}/ports/client", {"type": "FRONTEND", "ip": CLIENT, "peer": ends.client_link})
    for batch in _batched(_bodies(ends.servers, number_of_services)):
        host.api.post(f"{cube}/service", batch)
    return ends.way(number_of_services)


def nftables(lab: Lab, host: Host, label: str, number_of_services: int) -> Way:
    """DNAT with one verdict map from services to chains, as kube-proxy lays it out in its nftables mode."""
    ends, router = _routed(lab, label)
    rules = host.scratch / "kube-proxy.nft"
    rules.write_text("".join(_ruleset(ends.servers, number_of_services)))
    run(["nft", "-f", str(rules)], router, timeout=300)
    # So that sessions of one measurement do not fill the table of the next.
    sysctl(
        router,
        "net.netfilter.nf_conntrack_tcp_timeout_time_wait=5",
        "net.netfilter.nf_conntrack_udp_timeout=5",
    )
    return ends.way(number_of_services)


def haproxy(lab: Lab, host: Host, label: str, number_of_services: int) -> Way:
    """A proxy in user space, in TCP mode."""
    ends, router = _routed(lab, label)
    ip("-n", router, "route", "add", "local", "10.96.0.0/16", "dev", "lo")
    config = host.scratch / "haproxy.cfg"
    config.write_text("".join(_haproxy_config(ends.servers, number_of_services)))
    lab.start(["haproxy", "-db", "-f", str(config)], router)
    return ends.way(number_of_services, udp=False)


BALANCERS: dict[str, Balancer] = {
    "redirect": redirect,
    "cube_tc": cube_tc,
    "cube_xdp": cube_xdp,
    "nftables": nftables,
    "haproxy": haproxy,
}


def _bodies(servers: list[str], number_of_services: int) -> Iterator[Body]:
    """The services as REST bodies: TCP everywhere; the first address also takes UDP and what iperf3 sends."""

    def service(number: int, vport: int, proto: str, backends: list[str], port: int) -> Body:
        entries = [{"ip": address, "port": port} for address in backends]
        return {"vip": vip(number), "vport": vport, "proto": proto, "backend": entries}

    yield service(0, VPORT, "UDP", servers[:1], SERVER_PORT)
    yield service(0, IPERF_PORT, "TCP", servers[:1], IPERF_PORT)
    for number in range(number_of_services):
        yield service(number, VPORT, "TCP", servers, SERVER_PORT)


def _batched(bodies: Iterator[Body]) -> Iterator[list[Body]]:
    batch: list[Body] = []
    for body in bodies:
        batch.append(body)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _ruleset(servers: list[str], number_of_services: int) -> Iterator[str]:
    """The chains a packet meets in kube-proxy's table; those for node ports, which nobody uses here, are left out."""
    yield "table ip kube-proxy {\n"
    for name in ("firewall-ips", "no-endpoint-services"):
        yield f"map {name} {{ type {_SERVICE_KEY} : verdict; }}\n"
    yield "chain mark-for-masquerade { meta mark set meta mark or 0x4000; }\n"
    elements = []
    for number, body in enumerate(_bodies(servers, number_of_services)):
        proto = str(body["proto"]).lower()
        for index, backend in enumerate(body["backend"]):
            yield f"chain endpoint-{number}-{index} {{\n"
            yield f"ip saddr {backend['ip']} jump mark-for-masquerade\n"
            yield f"meta l4proto {proto} dnat to {backend['ip']}:{backend['port']}\n}}\n"
        choices = ", ".join(f"{i} : goto endpoint-{number}-{i}" for i in range(len(body["backend"])))
        yield f"chain service-{number} {{\n"
        yield f"ip daddr {body['vip']} {proto} dport {body['vport']} ip saddr != 10.0.0.0/8 jump mark-for-masquerade\n"
        yield f"numgen random mod {len(body['backend'])} vmap {{ {choices} }}\n}}\n"
        elements.append(f"{body['vip']} . {proto} . {body['vport']} : goto service-{number}")
    yield f"map service-ips {{ type {_SERVICE_KEY} : verdict; elements = {{\n"
    yield ",\n".join(elements)
    yield "} }\n"
    yield from (
        "chain services { ip daddr . meta l4proto . th dport vmap @service-ips; }\n",
        "chain firewall-check { ip daddr . meta l4proto . th dport vmap @firewall-ips; }\n",
        "chain service-endpoints-check { ip daddr . meta l4proto . th dport vmap @no-endpoint-services; }\n",
        "chain masquerading { meta mark and 0x4000 == 0 return; masquerade fully-random; }\n",
        "chain filter-prerouting { type filter hook prerouting priority dstnat - 10;\n",
        "ct state new jump firewall-check; }\n",
        "chain nat-prerouting { type nat hook prerouting priority dstnat; jump services; }\n",
        "chain filter-forward { type filter hook forward priority -110;\n",
        "ct state new jump service-endpoints-check; }\n",
        "chain nat-postrouting { type nat hook postrouting priority srcnat; jump masquerading; }\n",
        "}\n",
    )


def _haproxy_config(servers: list[str], number_of_services: int) -> Iterator[str]:
    yield "global\n  maxconn 4096\n"
    yield "defaults\n  mode tcp\n  balance roundrobin\n"
    yield "  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n"
    for number, body in enumerate(_bodies(servers, number_of_services)):
        if body["proto"] != "TCP":
            continue
        yield f"listen service-{number}\n  bind {body['vip']}:{body['vport']}\n"
        for index, backend in enumerate(body["backend"]):
            yield f"  server s{index} {backend['ip']}:{backend['port']}\n"


def _flat(lab: Lab, label: str) -> Ends:
    """Both ends in one network; the outer ends of the links wait for what joins them."""
    ends = _ends(lab, label, _SAME_NETWORK)
    ip("-n", ends.client, "route", "add", "default", "via", ends.servers[0])
    return ends


def _routed(lab: Lab, label: str) -> tuple[Ends, str]:
    """Both ends in networks of their own, and the router between them."""
    ends = _ends(lab, label, _BEHIND_ROUTER)
    router = lab.namespace(f"{label}-router")
    sysctl(router, "net.ipv4.ip_forward=1", "net.ipv4.tcp_max_tw_buckets=16384", "net.core.somaxconn=4096")
    sysctl(router, "net.ipv4.tcp_congestion_control=reno", *_ANY_SOURCE)
    for link, address, namespace in (
        (ends.client_link, "10.10.1.254", ends.client),
        (ends.server_link, "10.10.2.254", ends.server),
    ):
        ip("link", "set", link, "netns", router)
        ip("-n", router, "addr", "add", f"{address}/24", "dev", link)
        ip("-n", router, "link", "set", link, "up")
        ip("-n", namespace, "route", "add", "default", "via", address)
    return ends, router


def _ends(lab: Lab, label: str, first_server: IPv4Address) -> Ends:
    client, server = lab.namespace(f"{label}-client"), lab.namespace(f"{label}-server")
    short = label.removeprefix("cube_")[:2]
    ends = Ends(
        client,
        server,
        client_link=lab.link(f"{short}c", client),
        server_link=lab.link(f"{short}s", server),
        servers=[str(first_server + number) for number in range(BACKENDS)],
    )
    ip("-n", client, "addr", "add", f"{CLIENT}/24", "dev", "eth0")
    for address in ends.servers:
        ip("-n", server, "addr", "add", f"{address}/24", "dev", "eth0")
    # Servers close connections first, as with HTTP; thousands a second shall not pile up. A congestion control that
    # paces what it sends would measure its timers.
    sysctl(client, "net.ipv4.ip_local_port_range=1024 65535", "net.ipv4.tcp_congestion_control=reno")
    sysctl(server, "net.ipv4.tcp_max_tw_buckets=16384", "net.ipv4.tcp_congestion_control=reno")
    sysctl(server, "net.core.somaxconn=4096", *_ANY_SOURCE)
    return ends
