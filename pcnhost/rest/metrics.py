"""`/metrics`: the state of the host in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pcnhost.engine import Cube
from pcnhost.rest.services import Service
from pcnhost.rest.writes import Writes


def exposition(services: Sequence[Service], cubes: Sequence[Cube], writes: Writes) -> str:
    """One family a metric, one sample a cube or service."""
    persistence = [
        *_family(
            "pcnhost_persistence_failing",
            "Whether writes are refused because they cannot be kept",
            [("", int(bool(writes.problem)))],
        ),
        *_family(
            "pcnhost_cubes_not_restored",
            "Cubes that are kept but could not be created again",
            [("", len(writes.not_restored))],
        ),
    ]
    lines = [
        *_family(
            "polycube_service_cubes",
            "Cubes of a service",
            ((_labels(service=s.name), sum(c.service_name == s.name for c in cubes)) for s in services),
        ),
        *_family(
            "polycube_cube_ports",
            "Ports of a cube",
            ((_labels(cubeName=c.name, service=c.service_name), len(c.ports)) for c in cubes),
        ),
        *_family(
            "polycube_cube_ports_up",
            "Ports of a cube that are connected and forward packets",
            (
                (
                    _labels(cubeName=c.name, service=c.service_name),
                    sum(p.status == "UP" for p in c.ports.values()),
                )
                for c in cubes
            ),
        ),
        *(persistence if writes.kept else ()),
    ]
    return "\n".join(lines) + "\n"


def _family(name: str, text: str, samples: Iterable[tuple[str, int]]) -> list[str]:
    return [
        f"# HELP {name} {text}",
        f"# TYPE {name} gauge",
        *(f"{name}{labels} {value}" for labels, value in samples),
    ]


def _labels(**labels: str) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
