"""`POST /trace/CUBE`: the next packets of a flow, with the decisions they took. It answers when they have come, or when
the time is over."""

from __future__ import annotations

from collections.abc import Mapping

from pcnhost import frames
from pcnhost.engine import Cube
from pcnhost.engine.trace import Flow, Traced
from pcnhost.rest.answers import bad_request
from pcnhost.rest.explain import address, ending, impossible, needed, number, told
from pcnhost.rest.jsontext import Json

MEMBERS = ("protocol", "source", "sport", "destination", "dport", "packets", "seconds")
MOST_PACKETS, MOST_SECONDS = 100, 60


def trace(cube: Cube, body: Mapping[str, Json]) -> Json:
    """Raises Refused, HostError, OSError."""
    given = {name: _text(name, value) for name, value in body.items()}
    packets = number(given, "packets", 1, MOST_PACKETS) if "packets" in given else 10
    seconds = number(given, "seconds", 1, MOST_SECONDS) if "seconds" in given else 10
    found = cube.trace(_flow(given), packets, seconds)
    return {"cube": cube.name, "packets": [_shown(cube, packet) for packet in found]}


def _text(name: str, value: Json) -> str:
    if name not in MEMBERS:
        raise bad_request(f"{name[:40]} is no member, allowed: {', '.join(MEMBERS)}")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise bad_request(f"{name}: a string or a number is expected")
    return str(value)


def _flow(given: Mapping[str, str]) -> Flow:
    protocol = needed(given, "protocol").upper()
    if protocol not in frames.PROTOCOLS:
        raise impossible("protocol", given["protocol"], ", ".join(frames.PROTOCOLS))
    return Flow(
        frames.PROTOCOLS[protocol],
        address(given, "source"),
        number(given, "sport") if "sport" in given else None,
        address(given, "destination") if "destination" in given else None,
        number(given, "dport") if "dport" in given else None,
    )


def _shown(cube: Cube, traced: Traced) -> Json:
    entered = frames.read(traced.entered)
    return {
        "time": round(traced.moment, 6),
        "port": traced.port,
        "packet": str(entered) if entered else "",
        "decisions": told(traced.record),
        **ending(cube, traced.record, traced.left),
    }
