"""`make demo`: the load balancer at work on this machine, with real clients and servers.

Two clients and three servers in network namespaces of their own, a cube between them, and everything asked
of it over REST as polycubectl and polykube do. With --keep it stays up, and says how to explore it.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from testbed import topology
from testbed.api import Api, ApiError
from testbed.host import SERVICE_LIBRARY, load_service, start_host
from testbed.lab import Lab, run

CUBE = "lb1"
VIP = "10.96.0.10"
WEIGHTS = {"server1": 1, "server2": 2, "server3": 3}
HTTP_SESSIONS = 600
UDP_SESSIONS = 300


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__.splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="leave everything up until Ctrl-C")
    parser.add_argument("--port", type=int, default=9000, help="port of the REST server (default 9000)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with Lab() as lab:
            show(lab, options.port, options.keep)
    except KeyboardInterrupt:
        say("stopped, everything removed")
        return 130
    except (ApiError, RuntimeError, OSError) as problem:
        print(f"demo failed: {problem}", file=sys.stderr)
        return 1
    return 0


def show(lab: Lab, port: int, keep: bool) -> None:
    log = Path(tempfile.gettempdir()) / f"{lab.prefix}-pcnhost.log"
    step(f"Starting pcnhost on 127.0.0.1:{port} (log: {log})")
    api, _ = start_host(lab, port, log=log)
    step("Loading the service into it")
    load_service(api)
    say(f"POST services {{uri: {SERVICE_LIBRARY.name}}}")

    step("Making 2 clients, 3 servers and a router in network namespaces")
    network = topology.build(lab)

    step(f"Creating cube {CUBE} in MULTI mode, with a FRONTEND port for each client and a BACKEND port")
    topology.create_multi(api, CUBE, network)
    for port_info in api.get(f"k8slbrp/{CUBE}/ports")[:-1]:
        say(f"{port_info['name']:10} {port_info['type']:8} {port_info['ip']:11} {port_info['status']}")

    step(f"Creating the services of {VIP}: TCP 80, UDP 53 and ping, with weights 1, 2 and 3")
    create_services(api, network)

    step(f"{HTTP_SESSIONS} HTTP requests to {VIP}:80, each on a new connection, from both clients")
    table(send(network, "http", 80, HTTP_SESSIONS), WEIGHTS)
    step(f"{UDP_SESSIONS} datagrams to {VIP}:53, each from a new socket, from both clients")
    table(send(network, "udp", 53, UDP_SESSIONS), WEIGHTS)
    step(f"ping {VIP}")
    say(run(["ping", "-c", "5", "-i", "0.2", "-W", "2", VIP], network.clients[0]).splitlines()[-2])

    step("Removing server3 and asking again: the others share what it had")
    api.delete(f"k8slbrp/{CUBE}/service/{VIP}/80/TCP/backend/{network.server_ips[2]}")
    table(send(network, "http", 80, HTTP_SESSIONS), {**WEIGHTS, "server3": 0})

    if keep:
        explain(lab, network, port)
        signal.pause()
    step("Done, removing everything")


def create_services(api: Api, network: topology.Topology) -> None:
    backends = [
        {"name": name, "ip": ip, "port": topology.SERVER_PORT, "weight": weight}
        for (name, weight), ip in zip(WEIGHTS.items(), network.server_ips, strict=True)
    ]
    services = [("web", 80, "TCP"), ("dns", 53, "UDP"), ("ping", 0, "ICMP")]
    api.post(
        f"k8slbrp/{CUBE}/service",
        [
            {"name": name, "vip": VIP, "vport": vport, "proto": proto, "backend": backends}
            for name, vport, proto in services
        ],
    )
    for name, vport, proto in services:
        say(f"{name:5} {VIP} {vport:3} {proto:4} -> " + ", ".join(network.server_ips))


def send(network: topology.Topology, protocol: str, port: int, count: int) -> Counter[str]:
    """Who answered `count` sessions, half from each client."""
    answers: Counter[str] = Counter()
    for client in network.clients:
        share = str(count // len(network.clients))
        answers.update(
            json.loads(run([sys.executable, "-m", "testbed.client", protocol, VIP, str(port), share], client))
        )
    if answers[""]:
        raise RuntimeError(f"{answers['']} of {count} {protocol} sessions failed")
    return answers


def table(answers: Mapping[str, int], weights: Mapping[str, int]) -> None:
    total, weight_sum = sum(answers.values()), sum(weights.values())
    say(f"{'':8} answered  share  by weight")
    for name, weight in weights.items():
        share = answers.get(name, 0) / total
        bar = "#" * round(40 * share)
        say(f"{name:8} {answers.get(name, 0):8} {share:6.1%} {weight / weight_sum:10.1%}  {bar}")


def explain(lab: Lab, network: topology.Topology, port: int) -> None:
    """Each line is a command as the shell takes it."""
    client = network.clients[0]
    host, cube = f"http://127.0.0.1:{port}/polycube/v1/", f"k8slbrp/{CUBE}"
    flow = f"{network.client_ips[0]}:40000 {VIP}:80"
    backend = f"service {VIP} 80 TCP backend {network.server_ips[0]}"
    step("Everything stays up until Ctrl-C. In another terminal, as root:")
    say(f"export PATH={Path(sys.executable).parent}:$PATH POLYCUBECTL_URL={host}")
    say(f"ip netns exec {client} curl -s http://{VIP}/  # a request through it")
    say("pcnctl graph  # ports, services, backends")
    say(f"pcnctl explain {CUBE} --from client1 --tcp {flow}  # which backend, and why")
    say(f"pcnctl sessions {CUBE} --limit 5  # who talks to whom")
    say(f"pcnctl top {CUBE}  # rates, drops, tables; q ends it")
    say(f"pcnctl {CUBE} {backend} set weight=0  # no new sessions there")
    say(f"pcnctl check {CUBE} --state-dir {lab.state_dir}  # is it as configured?")
    say(f"curl -s {host}{cube}/  # the whole cube, as JSON")
    say(f"curl -s {host}metrics  # for Prometheus")
    say(f"pcnctl del {CUBE}  # the end of it")


def step(text: str) -> None:
    print(f"\n==> {text}", flush=True)


def say(text: str) -> None:
    print(f"    {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
