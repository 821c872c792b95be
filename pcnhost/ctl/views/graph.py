"""`pcnctl graph`: cubes, ports, peers, services and backends as a picture."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from pcnhost.ctl.client import Client
from pcnhost.ctl.views import fetch, graph_svg
from pcnhost.ctl.views.arguments import parser
from pcnhost.ctl.views.fetch import Cube, Port, Service

UP, DOWN, MORE = "──", "╌✗", "…"
PLAIN = str.maketrans({"─": "-", "╌": "-", "✗": "x", "…": "."})


def run(client: Client, words: Sequence[str], console: Console) -> int:
    options = _options().parse_args(words)
    shown = fetch.cubes(client, options.cube)
    if options.svg:
        options.svg.write_text(graph_svg.picture(shown, options.services, options.backends))
        return 0
    for number, cube in enumerate(shown):
        if number:
            console.print()
        tree = picture(cube, options.services, options.backends, plain=console.options.ascii_only)
        console.print(tree, no_wrap=True, overflow="crop" if console.options.ascii_only else "ellipsis")
    return 0


def _options() -> argparse.ArgumentParser:
    options = parser("graph", "Cubes, ports, peers, services and backends as a picture.")
    options.add_argument("cube", nargs="*", help="the cubes to show; all without any")
    options.add_argument("--svg", type=Path, metavar="FILE", help="write the picture as SVG")
    options.add_argument(
        "--services", type=int, default=20, metavar="N", help="services shown of each cube (20)"
    )
    options.add_argument("--backends", type=int, default=10, metavar="N", help="backends shown of each (10)")
    return options


def picture(cube: Cube, most_services: int, most_backends: int, plain: bool) -> Tree:
    """`plain`: of ASCII only."""
    title = " ".join(filter(None, (cube.service_name, cube.type, cube.mode)))
    tree = Tree(Text.assemble((cube.name, "bold"), f"  {title}"), guide_style="dim")
    for side, ports in by_side(cube):
        branch = tree.add(Text(f"{side or 'ports'}:"))
        width = max(len(port.name) for port in ports)
        for port in ports:
            branch.add(_port(port, width))
    if cube.services:
        branch = tree.add(Text("services:"))
        for service in cube.services[:most_services]:
            _add_service(branch, service, most_backends)
        if (more := len(cube.services) - most_services) > 0:
            branch.add(Text(f"{MORE} {more} more (--services)", "dim"))
    return _plain(tree) if plain else tree


def _plain(tree: Tree) -> Tree:
    """The same without our own characters; the library does that for its own."""
    if isinstance(tree.label, Text):
        tree.label = Text(tree.label.plain.translate(PLAIN))
    for child in tree.children:
        _plain(child)
    return tree


def by_side(cube: Cube) -> list[tuple[str, list[Port]]]:
    """The ports of each type, clients first."""
    types = sorted({port.type for port in cube.ports}, key=lambda kind: (kind != "FRONTEND", kind))
    return [(kind, [port for port in cube.ports if port.type == kind]) for kind in types]


def _port(port: Port, width: int) -> Text:
    address = port.ip.ljust(15) if port.ip else ""
    head = f"{port.name.ljust(width)}  {address}"
    if not port.peer:
        return Text(f"{head} (no peer)")
    line = Text(f"{head} {UP if port.up else DOWN} {port.peer}")
    if not port.up:
        line.append(f"  DOWN{': ' + port.why_down if port.why_down else ''}", "bold red")
    return line


def _add_service(branch: Tree, service: Service, most: int) -> None:
    node = branch.add(Text(f"{service.address}{'  ' + service.name if service.name else ''}"))
    if not service.usable:
        node.add(Text("no backend takes new sessions: requests are refused", "bold red"))
    width = max((len(backend.address) for backend in service.backends[:most]), default=0)
    for backend in service.backends[:most]:
        text = f"{backend.address.ljust(width)}  {service.share(backend):>4}  {backend.name}".rstrip()
        if backend.state != "ACTIVE":
            text += f"  {backend.state}"
        node.add(Text(text, "" if backend in service.usable else "dim"))
    if (more := len(service.backends) - most) > 0:
        node.add(Text(f"{MORE} {more} more (--backends)", "dim"))
