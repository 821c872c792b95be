"""`POST /trace/CUBE`: the next packets of a flow, or (`dropped`) the next that are dropped, with the decisions they
took. It answers when they have come, or when the time is over. `GET /trace/CUBE` tells whether a trace is at work."""

from __future__ import annotations

from collections.abc import Mapping

from pcnhost import frames
from pcnhost.engine import Cube
from pcnhost.engine.trace import Flow, Traced
from pcnhost.rest.answers import bad_request
from pcnhost.rest.explain import address, ending, impossible, needed, number, told
from pcnhost.rest.jsontext import Json

OF_A_FLOW = ("protocol", "source", "sport", "destination", "dport")
MEMBERS = (*OF_A_FLOW, "dropped", "packets", "seconds")
MOST_PACKETS, MOST_SECONDS = 100, 60


def trace(cube: Cube, body: Mapping[str, Json]) -> Json:
    """Raises Refused, HostError, OSError."""
    dropped = body.get("dropped", False)
    if not isinstance(dropped, bool):
        raise bad_request("dropped: true or false is expected")
    given = {name: _text(name, value) for name, value in body.items() if name != "dropped"}
    if dropped and (other := next((name for name in OF_A_FLOW if name in given), None)):
        raise bad_request(f"{other}: not possible with dropped, which is about all packets")
    packets = number(given, "packets", 1, MOST_PACKETS) if "packets" in given else 10
    seconds = number(given, "seconds", 1, MOST_SECONDS) if "seconds" in given else 10
    found = cube.trace(None if dropped else _flow(given), packets, seconds)
    return {"cube": cube.name, "packets": [_shown(cube, packet) for packet in found]}


def tracing(cube: Cube) -> Json:
    return {"cube": cube.name, "tracing": cube.tracing}


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
    return {
        "time": round(traced.moment, 6),
        "port": traced.port,
        "packet": frames.describe(traced.entered),
        "decisions": told(traced.record),
        **ending(cube, traced.record, traced.left),
    }
