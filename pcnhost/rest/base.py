"""Leaves of the base data model, which the host answers itself for every service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pcnhost.engine import Cube, Port
from pcnhost.rest.jsontext import Json


@dataclass(frozen=True)
class CubeLeaf:
    """`write` is None for a leaf that cannot be changed; it raises HostError."""

    read: Callable[[Cube], Json]
    write: Callable[[Cube, Json], None] | None = None


@dataclass(frozen=True)
class PortLeaf:
    read: Callable[[Port], Json]
    write: Callable[[Port, Json], None] | None = None


def _set_loglevel(cube: Cube, value: Json) -> None:
    cube.set_log_level(value.upper())


def _set_span(cube: Cube, value: Json) -> None:
    cube.set_span(value)


def _set_peer(port: Port, value: Json) -> None:
    port.set_peer(value)


def _flag(value: bool) -> str:
    """Flags are read as text, unlike in the object of the cube."""
    return "true" if value else "false"


CUBE_LEAVES: Mapping[str, CubeLeaf] = {
    "uuid": CubeLeaf(lambda cube: cube.uuid),
    "type": CubeLeaf(lambda cube: cube.type),
    "service-name": CubeLeaf(lambda cube: cube.service_name),
    "loglevel": CubeLeaf(lambda cube: cube.loglevel, _set_loglevel),
    "shadow": CubeLeaf(lambda cube: _flag(cube.shadow)),
    "span": CubeLeaf(lambda cube: _flag(cube.span), _set_span),
}

PORT_LEAVES: Mapping[str, PortLeaf] = {
    "uuid": PortLeaf(lambda port: port.uuid),
    "status": PortLeaf(lambda port: port.status),
    "peer": PortLeaf(lambda port: port.peer, _set_peer),
    # Chains of transparent cubes do not exist in this host.
    "tcubes": PortLeaf(lambda port: []),
}
