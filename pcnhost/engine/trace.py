"""Follows the next packets of a flow through a cube's program, or those that it drops, while it forwards.

Two programs come for that time: a variant of the cube's own that tells its decisions (PCN_TRACE), and a switch before
both, which sends packets of the flow to the variant and all others to the program as it is. To find what is dropped,
all packets go to the variant, which tells of those alone. Without a trace there is neither. Should the host end
meanwhile, the variant goes with it, and the switch sends all to the program."""

from __future__ import annotations

import logging
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from importlib import resources

from pcnhost.engine import bpf, decisions
from pcnhost.engine.compile import CompileError, compile_text
from pcnhost.engine.decisions import Record
from pcnhost.engine.explain import Variant
from pcnhost.engine.program import FUNCTIONS, PROGRAM_TYPES
from pcnhost.engine.slowpath import PerfReader
from pcnhost.engine.source import epoch_base
from pcnhost.errors import HostError

_PAGES = 64
_SETTLE_S = 0.1  # for packets that other CPUs have seen before


class Busy(HostError):
    """One trace of a cube at a time."""


@dataclass(frozen=True)
class Flow:
    """Packets from `source` to `destination`, and those to `source`; None is any address or port. ICMP: the identifier
    is `sport`."""

    protocol: int
    source: str
    sport: int | None = None
    destination: str | None = None
    dport: int | None = None

    def defines(self) -> list[str]:
        values = {"PROTOCOL": self.protocol}
        for name, address in (("SOURCE", self.source), ("DESTINATION", self.destination)):
            (number,) = struct.unpack("=I", socket.inet_aton(address or "0.0.0.0"))
            values |= {name: number, f"{name}_MASK": 0xFFFFFFFF if address else 0}
        for name, port in (("SPORT", self.sport), ("DPORT", self.dport)):
            values |= {name: socket.htons(port or 0), f"{name}_MASK": 0 if port is None else 0xFFFF}
        return [f"-D{name}={value}" for name, value in values.items()]


@dataclass(frozen=True)
class Traced:
    """`entered` and `left` are the beginnings of the frame, `moment` is in seconds since the epoch."""

    moment: float
    port: str
    entered: bytes
    record: Record
    left: bytes


@dataclass
class _Collected:
    wanted: int
    dropped: bool  # packets tell nothing as they enter
    entering: dict[int, bytes] = field(default_factory=dict)  # by CPU
    found: list[tuple[bytes, bytes]] = field(default_factory=list)  # as it enters, and the record
    complete: threading.Event = field(default_factory=threading.Event)

    def take(self, record: bytes) -> None:
        head = decisions.head(record)
        if head.entering:
            at = decisions.HEAD_BYTES
            self.entering[head.cpu] = record[at : at + head.length]
        elif entered := self._entered(head, record):
            self.found.append((entered, record))
            if len(self.found) >= self.wanted:
                self.complete.set()

    def _entered(self, head: decisions.TraceHead, record: bytes) -> bytes | None:
        if self.dropped:
            return record[decisions.RECORD_BYTES :][: head.length]
        return self.entering.pop(head.cpu, None)


class Trace:
    """Made before the switch is put in place, closed after it has been taken away. Raises HostError, OSError.

    Without a flow it is about packets that are dropped. `switch` is the descriptor of the program to enter by; it
    sends on to the first of `programs`, a prog array."""

    def __init__(
        self, variant: Variant, flow: Flow | None, packets: int, programs: int, log: logging.Logger
    ) -> None:
        self._sentences = variant.sentences()
        self._collected = _Collected(packets, dropped=flow is None)
        defines = ["PCN_DECISIONS", "PCN_TRACE", *([] if flow else ["PCN_TRACE_DROPPED"])]
        with closing(variant.compiled(*defines)) as module, ExitStack() as undo:
            budget = decisions.told_by_each_cpu(packets) * bpf.possible_cpus()
            bpf.update(module.tables["_pcn_records"], bpf.u32(0), budget)
            traced = bpf.create_map("traced", bpf.MapSpec(bpf.MAP_TYPE_PROG_ARRAY, 4, 4, 1))
            undo.callback(os.close, traced)
            program = _load(variant, module.linked(FUNCTIONS[variant.hook], dict(variant.maps)))
            try:
                bpf.update(traced, bpf.u32(0), bpf.u32(program))
            finally:
                os.close(program)
            self.switch = _switch(variant, flow, {"ingress_programs": programs, "traced": traced})
            undo.callback(os.close, self.switch)
            traces = os.dup(module.tables["_pcn_traces"])
            undo.callback(os.close, traces)
            reader = PerfReader(traces, _PAGES, "trace", self._collected.take, log)
            undo.callback(reader.close)
            self._held = undo.pop_all()

    def wait(self, seconds: float) -> None:
        if self._collected.complete.wait(seconds):
            time.sleep(_SETTLE_S)

    def close(self) -> None:
        self._held.close()

    def packets(self, port_name: Callable[[int], str]) -> list[Traced]:
        found = [(decisions.head(record), entered, record) for entered, record in self._collected.found]
        found.sort(key=lambda one: one[0].moment)  # each CPU tells its own in order
        return [
            Traced(
                (epoch_base() + head.moment) / 1e9,
                port_name(head.in_port),
                entered,
                decisions.decode(record, self._sentences, port_name),
                record[decisions.RECORD_BYTES :][: head.length],
            )
            for head, entered, record in found[: self._collected.wanted]
        ]


def _switch(variant: Variant, flow: Flow | None, maps: dict[str, int]) -> int:
    text = (resources.files(__package__) / "trace_switch.h").read_text()
    try:
        module = compile_text(text, [*variant.flags, *(flow.defines() if flow else ["-DEVERY_PACKET"])])
    except CompileError as e:
        raise HostError(f"the switch of the trace does not compile: {e}") from None
    with closing(module):
        return _load(variant, module.linked("trace_switch", maps))


def _load(variant: Variant, insns: bytes) -> int:
    try:
        return bpf.load_program(PROGRAM_TYPES[variant.hook], variant.name, insns)
    except bpf.ProgramRejected as e:
        last = "\n".join(e.log.strip().splitlines()[-3:])
        raise HostError(f"a program of the trace is refused: {e.strerror}: {last}") from None
