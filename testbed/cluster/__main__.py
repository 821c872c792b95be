"""`make cluster`: three nodes on this machine, each with its own host and load balancers, and real traffic."""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from testbed.cluster.cluster import Cluster
from testbed.cluster.picture import draw
from testbed.lab import Lab
from testbed.polykube import CUBES, Refused, Service, ServicePort
from testbed.traffic import new_sessions

WEB = Service("default/web", "10.96.0.10", (ServicePort(80, "TCP", 30080), ServicePort(53, "UDP", 30053)))


def main() -> int:
    parser = argparse.ArgumentParser(prog="make cluster", description=__doc__.split("`: ")[1])
    parser.add_argument(
        "--script",
        type=Path,
        help="run this inside, then end: a .py file whose main(cluster) is called, or any program, "
        "which finds the names of the namespaces in its environment",
    )
    parser.add_argument("--service", choices=sorted(CUBES), default="k8slbrp", help="name of the service")
    options = parser.parse_args()
    if options.script and not options.script.is_file():
        parser.error(f"there is no file {options.script}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started = time.monotonic()
    try:
        with Lab() as lab, tempfile.TemporaryDirectory(prefix=f"{lab.prefix}-") as folder:
            cluster = Cluster(lab, Path(folder), service=options.service)
            try:
                return play(cluster, options.script, started)
            finally:
                cluster.close()
    except KeyboardInterrupt:
        print("\nstopped, everything removed")
        return 130
    except (Refused, RuntimeError, OSError) as problem:
        print(f"cluster failed: {problem}", file=sys.stderr)
        return 1


def play(cluster: Cluster, script: Path | None, started: float) -> int:
    cluster.start_pods("web", 6)
    cluster.start_pods("client", len(cluster.nodes))
    cluster.create_service(WEB, "web")
    print(draw(cluster), flush=True)
    print(f"\nready after {time.monotonic() - started:.1f} s", flush=True)
    if script and script.suffix == ".py":
        return call_main(script, cluster)
    if script:
        command = [str(script.resolve())]
        return subprocess.run(command, env={**os.environ, **environment(cluster)}, check=False).returncode
    show_traffic(cluster)
    explain(cluster)
    signal.pause()
    return 0


def call_main(script: Path, cluster: Cluster) -> int:
    spec = importlib.util.spec_from_file_location("cluster_script", script)
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{script} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, "main"):
        raise RuntimeError(f"{script} has no function main(cluster)")
    module.main(cluster)
    return 0


def environment(cluster: Cluster) -> dict[str, str]:
    """What a program needs to act inside: names of namespaces, and the address of the Service."""
    names = {f"NODE{node.number}": node.namespace for node in cluster.nodes}
    names |= {f"ROUTER{node.number}": node.router for node in cluster.nodes}
    names |= {f"CLIENT{pod.node.number}": pod.namespace for pod in cluster.pods_of("client")}
    python = str(Path(sys.executable).parent)
    return {
        **names,
        "OUTSIDE": cluster.outside,
        "SERVICE": cluster.service_name,
        "VIP": WEB.cluster_ip,
        "PATH": f"{python}:{os.environ.get('PATH', '')}",
    }


def show_traffic(cluster: Cluster) -> None:
    print("\n60 requests from the client on each node to the Service, and 60 from outside to node1:")
    for client in cluster.pods_of("client"):
        show_answers(client.node.name, new_sessions(client.namespace, "http", WEB.cluster_ip, 80, 60))
    node_ip = cluster.nodes[0].addresses.node
    show_answers("outside", new_sessions(cluster.outside, "http", node_ip, WEB.ports[0].node_port, 60))


def show_answers(client: str, answers: dict[str, int]) -> None:
    shares = "  ".join(f"{server or 'nobody'} {count}" for server, count in sorted(answers.items()))
    print(f"  {client:8} {shares}", flush=True)


def explain(cluster: Cluster) -> None:
    node, client, vip = cluster.nodes[0].namespace, cluster.pods_of("client")[0].namespace, WEB.cluster_ip
    internal = CUBES[cluster.service_name][0]
    api = f"http://127.0.0.1:9000/polycube/v1/{cluster.service_name}/{internal}"
    print("\nAll stays up until Ctrl-C. In another terminal, as root:")
    print(f"  ip netns exec {client} curl http://{vip}/")
    print(f"  ip netns exec {cluster.outside} curl http://{cluster.nodes[0].addresses.node}:30080/")
    print(f"  ip netns exec {node} curl {api}/service/")
    print(f"  ip netns exec {node} .venv/bin/pcnctl {internal} show", flush=True)


if __name__ == "__main__":
    sys.exit(main())
