"""What a service's program can say about a packet: sentences in its text, records in a map of its variant.

A service that can explain itself has a macro `DECISIONS(D)` in the text of its program: a list of D(NAME, "sentence"),
numbered in that order. A sentence names the values that come with the decision, in order: {name:ip}, {name:l4}
(port of TCP or UDP, ICMP identifier), {name:port} (a port of the cube), {name:number} or {name:zero|one|two}."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_LIST = re.compile(r"^[ \t]*#[ \t]*define[ \t]+DECISIONS\(D\)((?:.*\\\n)*.*)$", re.MULTILINE)
_ENTRY = re.compile(r'\bD\(\s*(\w+)\s*,((?:[\s\\]*"[^"\n]*")+)[\s\\]*\)')
_PART = re.compile(r'"([^"\n]*)"')
_VALUE = re.compile(r"\{([\w-]+):([^}]+)\}")

MOST = 24
_HEAD = struct.Struct("=32xQ8I")  # struct _pcn_record of wrapper_common.h
_DECISION = struct.Struct("=5I")
HEAD_BYTES = _HEAD.size
RECORD_BYTES = _HEAD.size + MOST * _DECISION.size


@dataclass(frozen=True)
class Sentence:
    name: str
    text: str


@dataclass(frozen=True)
class Decision:
    """`name` and `values` are for programs, `text` is for people."""

    name: str
    text: str
    values: Mapping[str, str | int]


@dataclass(frozen=True)
class Record:
    """`out` and `reason`: number of the port it was sent to, and why the control plane got it; None: not so."""

    decisions: Sequence[Decision]
    out: int | None
    reason: int | None


def sentences(text: str) -> list[Sentence]:
    """Those of a program's text, by their numbers; none when it cannot explain itself."""
    found = _LIST.search(text)
    entries = _ENTRY.findall(found[1]) if found else []
    return [Sentence(name, "".join(_PART.findall(parts))) for name, parts in entries]


@dataclass(frozen=True)
class TraceHead:
    """What a record of a trace begins with. `entering`: the packet as it enters, without decisions."""

    entering: bool
    moment: int  # nanoseconds of the monotonic clock
    cpu: int
    in_port: int
    length: int


def told_by_each_cpu(packets: int) -> bytes:
    """The record of a CPU that may tell so many packets of a trace."""
    return _HEAD.pack(0, 0, 0, 0, 0, packets, 0, 0, 0).ljust(-(-RECORD_BYTES // 8) * 8, b"\0")


def head(record: bytes) -> TraceHead:
    moment, kind, cpu, in_port, length, *_ = _HEAD.unpack_from(record)
    return TraceHead(kind == 1, moment, cpu, in_port, length)


def decode(record: bytes, known: Sequence[Sentence], port_name: Callable[[int], str]) -> Record:
    """`port_name` tells what the cube calls its port of a number."""
    *_, count, out, reason = _HEAD.unpack_from(record)
    decisions = []
    for at in range(min(count, MOST)):
        number, *values = _DECISION.unpack_from(record, _HEAD.size + at * _DECISION.size)
        decisions.append(_decision(known[number], values, port_name))
    return Record(decisions, out - 1 if out else None, reason - 1 if reason else None)


def _decision(sentence: Sentence, numbers: Sequence[int], port_name: Callable[[int], str]) -> Decision:
    rest = list(numbers)
    values: dict[str, str | int] = {}

    def filled(match: re.Match[str]) -> str:
        values[match[1]] = _value(match[2], rest.pop(0), port_name)
        return str(values[match[1]])

    return Decision(sentence.name, _VALUE.sub(filled, sentence.text), values)


def _value(kind: str, number: int, port_name: Callable[[int], str]) -> str | int:
    match kind:
        case "ip":
            return socket.inet_ntoa(struct.pack("=I", number))
        case "l4":
            return socket.ntohs(number & 0xFFFF)
        case "port":
            return port_name(number)
        case "number":
            return number
        case _:
            names = kind.split("|")
            return names[number] if number < len(names) else number
