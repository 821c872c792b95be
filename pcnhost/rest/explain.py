"""`GET /explain/CUBE?port=…`: what a cube's datapath would do with a packet now, and why.

A resource of this host, outside of the model: the service's program says it, and the host asks for it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import unquote_plus

from pcnhost import frames
from pcnhost.engine import Cube, Port
from pcnhost.engine.decisions import Record
from pcnhost.frames import Packet
from pcnhost.rest.answers import Refused, bad_request
from pcnhost.rest.jsontext import Json
from pcnhost.rest.request import Request, query_pairs

PARAMETERS = ("port", "frame", "protocol", "source", "sport", "destination", "dport", "id", "reply", "flags")
HIGHEST_PORT = 65535
SHORTEST_FRAME, LONGEST_FRAME = 14, 1514


def explanation(cube: Cube, request: Request) -> Json:
    """Raises Refused, HostError, OSError."""
    given = _parameters(request)
    port = _port(cube, given)
    asked = _frame(given) if "frame" in given else _packet(given).frame()
    record, frame = cube.explain(port, asked)
    return {
        "cube": cube.name,
        "port": port.name,
        "packet": frames.describe(asked),
        "decisions": told(record),
        **ending(cube, record, frame),
    }


def told(record: Record) -> Json:
    return [
        {"decision": decision.name, "text": decision.text, "values": dict(decision.values)}
        for decision in record.decisions
    ]


def ending(cube: Cube, record: Record, frame: bytes) -> dict[str, Json]:
    """What becomes of the packet: `leaves`, `control-plane` or `dropped`."""
    if record.out is None:
        if record.reason is not None:
            return {"verdict": "control-plane", "text": "It goes to the control plane."}
        return {"verdict": "dropped", "text": "It is dropped."}
    port = next((port for port in cube.ports.values() if port.index == record.out), None)
    if port is None or port.status != "UP":
        name = port.name if port else f"number {record.out}"
        why = port.why_down or "it has no peer" if port else "there is no such port"
        return {"verdict": "dropped", "out": name, "text": f"It is lost at port {name}: {why}."}
    leaving = frames.describe(frame)
    lost = (
        "" if port.carrier else f" {port.peer} has no carrier: its other end is down, and the packet is lost."
    )
    return {
        "verdict": "leaves",
        "out": port.name,
        "peer": port.peer,
        "leaving": leaving,
        "text": f"It leaves by port {port.name} to {port.peer} as {leaving}.{lost}",
    }


def _parameters(request: Request) -> Mapping[str, str]:
    given: dict[str, str] = {}
    for raw_name, value in query_pairs(request.raw_query):
        name = unquote_plus(raw_name)
        if name not in PARAMETERS:
            raise bad_request(f"{name[:40]} is no parameter, allowed: {', '.join(PARAMETERS)}")
        if name in given:
            raise bad_request(f"{name} is given twice")
        given[name] = unquote_plus(value)
    return given


def _port(cube: Cube, given: Mapping[str, str]) -> Port:
    name = needed(given, "port")
    if name not in cube.ports:
        raise bad_request(
            f"port: {name[:100]} is no port of {cube.name}, allowed: {', '.join(cube.ports) or 'none'}"
        )
    return cube.ports[name]


def _frame(given: Mapping[str, str]) -> bytes:
    """Any frame, in hexadecimal digits."""
    _without(given, "frame", *(name for name in PARAMETERS if name not in ("port", "frame")))
    try:
        frame = bytes.fromhex(given["frame"])
    except ValueError:
        raise impossible("frame", given["frame"], "hexadecimal digits") from None
    if not SHORTEST_FRAME <= len(frame) <= LONGEST_FRAME:
        raise impossible("frame", f"{len(frame)} bytes", f"{SHORTEST_FRAME}..{LONGEST_FRAME}")
    return frame


def _packet(given: Mapping[str, str]) -> Packet:
    protocol = needed(given, "protocol").upper()
    if protocol not in frames.PROTOCOLS:
        raise impossible("protocol", given["protocol"], ", ".join(frames.PROTOCOLS))
    ends = address(given, "source"), address(given, "destination")
    if protocol != "TCP" and "flags" in given:
        raise bad_request(f"flags are those of TCP, not of {protocol}")
    if protocol == "ICMP":
        _without(given, protocol, "sport", "dport")
        identifier = number(given, "id", 1)
        reply = given.get("reply", "false")
        if reply not in ("true", "false"):
            raise impossible("reply", reply, "true, false")
        numbers = (0, identifier) if reply == "true" else (identifier, 0)
        return Packet(protocol, ends[0], numbers[0], ends[1], numbers[1])
    _without(given, protocol, "id", "reply")
    flags = _flags(given.get("flags", "SYN")) if protocol == "TCP" else ()
    return Packet(protocol, ends[0], number(given, "sport"), ends[1], number(given, "dport"), flags)


def _without(given: Mapping[str, str], protocol: str, *names: str) -> None:
    for name in names:
        if name in given:
            raise bad_request(f"{name} is none of {protocol}")


def needed(given: Mapping[str, str], name: str) -> str:
    if not given.get(name):
        raise bad_request(f"{name} is missing")
    return given[name]


def address(given: Mapping[str, str], name: str) -> str:
    try:
        return str(ipaddress.IPv4Address(needed(given, name)))
    except ValueError:
        raise impossible(name, given[name], "IPv4 addresses") from None


def number(given: Mapping[str, str], name: str, lowest: int = 0, highest: int = HIGHEST_PORT) -> int:
    text = needed(given, name)
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and lowest <= int(text) <= highest):
        raise impossible(name, text, f"{lowest}..{highest}")
    return int(text)


def _flags(text: str) -> tuple[str, ...]:
    flags = text.upper().split(",") if text else []
    for flag in flags:
        if flag not in frames.TCP_FLAGS:
            raise impossible("flags", flag, ", ".join(frames.TCP_FLAGS))
    return tuple(name for name in frames.TCP_FLAGS if name in flags)


def impossible(name: str, value: str, allowed: str) -> Refused:
    return bad_request(f"{name}: {value[:100]} is not possible, allowed: {allowed}")
