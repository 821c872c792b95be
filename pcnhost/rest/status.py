"""`/status`: what is not as it is wanted, and why."""

from __future__ import annotations

from collections.abc import Sequence

from pcnhost.engine import Cube
from pcnhost.rest.jsontext import Json
from pcnhost.rest.writes import Writes


def status(writes: Writes, cubes: Sequence[Cube]) -> Json:
    persistence = "off" if not writes.kept else "failing" if writes.problem else "ok"
    return {
        "persistence": {"state": persistence, **({"problem": writes.problem} if writes.problem else {})},
        "cubes-not-restored": [
            {"name": missing.cube, "service-name": missing.service, "reason": missing.reason}
            for missing in writes.not_restored.values()
        ],
        "ports-down": [
            {"port": port.path, "peer": port.peer, "reason": why}
            for cube in cubes
            for port in cube.ports.values()
            if port.peer and (why := port.why_down)
        ],
    }
