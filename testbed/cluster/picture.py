"""The cluster as a picture of 80 columns."""

from __future__ import annotations

from itertools import zip_longest

from testbed.cluster.cluster import OUTSIDE_ADDRESS, Cluster
from testbed.cluster.node import Node, PolykubeProxy

_WIDTH = 25
_MOST_PODS = 8


def draw(cluster: Cluster) -> str:
    boxes = [_box(_node_lines(cluster, node)) for node in cluster.nodes]
    middle = _WIDTH // 2
    wire = "".join("─" * middle + "┬" + "─" * (_WIDTH - middle) for _ in boxes)[
        : len(boxes) * (_WIDTH + 1) - 1
    ]
    centre = len(wire) // 2
    head = f"outside {OUTSIDE_ADDRESS}".center(len(wire))
    wire = wire[:centre] + ("┼" if wire[centre] == "┬" else "┴") + wire[centre + 1 :]
    rows = [" ".join(parts) for parts in zip_longest(*boxes, fillvalue=" " * _WIDTH)]
    return "\n".join([head, "│".center(len(wire)), wire, *rows, *_services(cluster)])


def _box(lines: list[str]) -> list[str]:
    inner = _WIDTH - 2
    middle = (_WIDTH - 1) // 2 - 1
    top = "┌" + "─" * middle + "┴" + "─" * (inner - middle - 1) + "┐"
    return [top, *(f"│{' ' + line:{inner}.{inner}}│" for line in lines), "└" + "─" * inner + "┘"]


def _node_lines(cluster: Cluster, node: Node) -> list[str]:
    lines = [f"{node.name:6}{node.addresses.node:>15}", "eth0"]
    if isinstance(node.proxy, PolykubeProxy):
        lines += ["│", _cube(node.proxy, node.proxy.requests.external)]
    lines += ["│", "router ─── vxlan0"]
    if isinstance(node.proxy, PolykubeProxy):
        lines += ["│", _cube(node.proxy, node.proxy.requests.internal)]
    pods = [pod for pod in cluster.pods if pod.node is node]
    shown = pods if len(pods) <= _MOST_PODS else pods[: _MOST_PODS - 1]
    for pod in shown:
        branch = "└" if pod is pods[-1] else "├"
        lines.append(f"{branch} {pod.name:8.8} {pod.address:>11}")
    if len(shown) < len(pods):
        lines.append(f"└ … and {len(pods) - len(shown)} more")
    return lines


def _cube(proxy: PolykubeProxy, name: str) -> str:
    tree = proxy.requests.read(f"{name}/")
    services = len(tree.get("service", []))
    return f"{name} {tree['port_mode'].upper():6} {services:5} VIPs"


def _services(cluster: Cluster) -> list[str]:
    lines = ["", f"{'Service':20} {'reached at':34} endpoints"]
    for service in cluster.services.values():
        endpoints = ", ".join(pod.name for pod in cluster.endpoints_of(service.name)) or "none"
        if len(endpoints) > 23:
            endpoints = f"{endpoints[:22]}…"
        for port in service.ports:
            where = f"{service.cluster_ip}:{port.port}/{port.protocol}"
            where += f" <node>:{port.node_port}" if port.node_port else ""
            lines.append(f"{service.name:20} {where:34} {endpoints}")
    return lines
