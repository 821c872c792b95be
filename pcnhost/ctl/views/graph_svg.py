"""The picture of `pcnctl graph` as SVG: clients' side left, cube in the middle, backends and the other side right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.etree import ElementTree as Xml

from pcnhost.ctl.views.fetch import Cube, Port

LINE, GAP, MARGIN = 22, 8, 20
CHARACTER = 7.3  # width of one, of the font below
COLUMNS = (
    MARGIN,
    200,
    380,
    700,
)  # peers and ports of clients; cube; backends, and what else the cube leads to
WIDTHS = (150, 0, 250, 280)
STYLE = """
text { font: 12px monospace; fill: #222 }
rect { fill: #fff; stroke: #555; rx: 4 }
rect.cube { fill: #eef3fa } rect.down, path.down { stroke: #c22; stroke-dasharray: 4 3 } text.down { fill: #c22 }
path { fill: none; stroke: #777 }
.title { font-weight: bold }
"""


@dataclass
class _Picture:
    root: Xml.Element = field(default_factory=lambda: Xml.Element("svg", xmlns="http://www.w3.org/2000/svg"))

    def box(self, x: float, y: float, width: float, text: str, kind: str = "", lines: int = 1) -> None:
        attributes = {"x": f"{x}", "y": f"{y}", "width": f"{width}", "height": f"{LINE * lines - 4}"}
        Xml.SubElement(self.root, "rect", attributes | ({"class": kind} if kind else {}))
        if text:
            self.text(x + GAP, y + 13, text, width - 2 * GAP, kind)

    def text(self, x: float, y: float, text: str, width: float, kind: str = "") -> None:
        most = int(width / CHARACTER)
        shown = text if len(text) <= most else text[: most - 1] + "…"
        node = Xml.SubElement(
            self.root, "text", {"x": f"{x}", "y": f"{y}"} | ({"class": kind} if kind else {})
        )
        node.text = shown
        if shown != text:
            Xml.SubElement(node, "title").text = text

    def wire(self, start: tuple[float, float], end: tuple[float, float], kind: str = "") -> None:
        (x1, y1), (x2, y2) = start, end
        middle = (x1 + x2) / 2
        curve = {"d": f"M{x1} {y1} C{middle} {y1} {middle} {y2} {x2} {y2}"}
        Xml.SubElement(self.root, "path", curve | ({"class": kind} if kind else {}))


def picture(cubes: Sequence[Cube], most_services: int, most_backends: int) -> str:
    drawing = _Picture()
    Xml.SubElement(drawing.root, "style").text = STYLE
    y: float = MARGIN
    for cube in cubes:
        y = _draw(drawing, cube, y, most_services, most_backends) + 2 * MARGIN
    width, height = COLUMNS[3] + WIDTHS[3] + MARGIN, max(y, 2 * MARGIN)
    drawing.root.attrib |= {"width": f"{width}", "height": f"{height}", "viewBox": f"0 0 {width} {height}"}
    Xml.indent(drawing.root)
    return Xml.tostring(drawing.root, encoding="unicode") + "\n"


def _draw(drawing: _Picture, cube: Cube, top: float, most_services: int, most_backends: int) -> float:
    """Draws a cube and what belongs to it from `top` on; returns where it ends."""
    left = [port for port in cube.ports if port.type != "BACKEND"]
    right = [port for port in cube.ports if port.type == "BACKEND"]
    services = cube.services[:most_services]
    rows = sum(
        max(1, min(len(service.backends), most_backends) + _more(service.backends, most_backends))
        for service in services
    )
    rows += _more(cube.services, most_services)
    lines = 1 + max(len(left), rows + len(right), 1)
    x = COLUMNS[2]
    drawing.box(x, top, WIDTHS[2], "", "cube", lines)
    title = " ".join(filter(None, (cube.name, cube.service_name, cube.type, cube.mode)))
    drawing.text(x + GAP, top + 15, title, WIDTHS[2] - 2 * GAP, "title")
    for row, port in enumerate(left, 1):
        y = top + row * LINE
        _peer(drawing, port, COLUMNS[0], WIDTHS[0], y, (x, y + 9), to_the_right=True)
    row = 1
    for service in services:
        y = top + row * LINE
        drawing.box(
            x + GAP,
            y,
            WIDTHS[2] - 2 * GAP,
            f"{service.address} {service.name}".rstrip(),
            "" if service.usable else "down",
        )
        for backend in service.backends[:most_backends]:
            at = top + row * LINE
            text = f"{backend.address} {service.share(backend)} {backend.name}".rstrip()
            drawing.box(COLUMNS[3], at, WIDTHS[3], text, "" if backend in service.usable else "down")
            drawing.wire(
                (x + WIDTHS[2] - GAP, y + 9),
                (COLUMNS[3], at + 9),
                "" if backend in service.usable else "down",
            )
            row += 1
        if _more(service.backends, most_backends):
            drawing.text(
                COLUMNS[3] + GAP,
                top + row * LINE + 13,
                f"… {len(service.backends) - most_backends} more",
                WIDTHS[3],
            )
            row += 1
        row += not service.backends
    if _more(cube.services, most_services):
        drawing.text(
            x + GAP, top + row * LINE + 13, f"… {len(cube.services) - most_services} more services", WIDTHS[2]
        )
        row += 1
    for port in right:
        y = top + row * LINE
        _peer(drawing, port, COLUMNS[3], WIDTHS[3], y, (x + WIDTHS[2], y + 9), to_the_right=False)
        row += 1
    return top + lines * LINE


def _more(things: Sequence[object], most: int) -> int:
    return int(len(things) > most)


def _peer(
    drawing: _Picture,
    port: Port,
    x: float,
    width: float,
    y: float,
    end: tuple[float, float],
    to_the_right: bool,
) -> None:
    """The peer of a port, and the line between it and the cube, with the port's name on it."""
    kind = "" if port.up else "down"
    drawing.box(x, y, width, port.peer or "(no peer)", kind)
    drawing.wire((x + width if to_the_right else x, y + 9), end, kind)
    at = (x + width + GAP, y + 5) if to_the_right else (end[0] - WIDTHS[2] + GAP, y + 13)
    drawing.text(
        *at, f"{port.name} {port.ip}".rstrip(), end[0] - at[0] - GAP if to_the_right else WIDTHS[2], kind
    )
