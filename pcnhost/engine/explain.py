"""Asks a cube's program what it would do with a packet, without leaving a trace.

The program's own text is compiled once more, so that it notes its decisions (PCN_DECISIONS) and writes nothing through
pointers (PCN_DRY_RUN), and linked with the maps that are in use. Calls of the kernel that do more than look or change
the packet become zeros. Statistics by CPU (all per-CPU maps) are private ones. That nothing else is written is not
believed but proven: first the program is loaded on twins of the maps that programs may only read, and the kernel's
verifier refuses a program that could write to one."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace

from pcnhost.engine import bpf, decisions, source, testrun
from pcnhost.engine.compile import CompileError, Module, compile_text, with_calls_replaced
from pcnhost.engine.decisions import Record, Sentence
from pcnhost.engine.program import FUNCTIONS, PROGRAM_TYPES
from pcnhost.engine.source import Hook, Source
from pcnhost.errors import HostError

# By their numbers in the kernel: map_lookup_elem, ktime_get_ns, get_prandom_u32, get_smp_processor_id, what reads or
# changes a packet, jiffies64.
_HARMLESS = frozenset({1, 5, 7, 8, 9, 10, 11, 18, 19, 26, 28, 32, 38, 39, 40, 41, 44, 54, 65, 118, 125, 160})
_PER_CPU = (bpf.MAP_TYPE_PERCPU_ARRAY, bpf.MAP_TYPE_PERCPU_HASH, bpf.MAP_TYPE_LRU_PERCPU_HASH)
_OF_DESCRIPTORS = (bpf.MAP_TYPE_PROG_ARRAY, bpf.MAP_TYPE_PERF_EVENT_ARRAY)  # programs cannot write to them
_RECORDS, _METADATA = "_pcn_records", "port_md"
_PORT_MD_BYTES = 32  # struct pkt_metadata, as per-CPU maps keep it
_IN_PORT_AT = 2


class CannotExplain(HostError):
    """The program of the cube has no sentences."""


@dataclass(frozen=True)
class Variant:
    """A program that is to be compiled once more: its text, and all maps that it uses, by name."""

    name: str
    text: str
    parsed: Source
    hook: Hook
    flags: list[str]
    maps: Mapping[str, int]

    def sentences(self) -> list[Sentence]:
        """Raises CannotExplain."""
        found = decisions.sentences(self.parsed.text)
        if not found:
            raise CannotExplain("the program of this cube cannot explain what it does")
        return found

    def compiled(self, *defines: str) -> Module:
        """Raises HostError."""
        try:
            flags = [*self.flags, *(f"-D{define}" for define in defines)]
            return compile_text(source.complete(self.text, self.hook), flags)
        except CompileError as e:
            raise HostError(f"the explaining variant does not compile: {e}") from None


class Explainer:
    """For one version of a program. Raises HostError, OSError."""

    def __init__(self, variant: Variant) -> None:
        self.sentences: list[Sentence] = variant.sentences()
        self._hook = hook = variant.hook
        name, maps = variant.name, variant.maps
        with closing(variant.compiled("PCN_DECISIONS", "PCN_DRY_RUN")) as module:
            private = {table for table, fd in module.tables.items() if bpf.map_spec(fd).type in _PER_CPU}
            shared = {
                table: fd for table, fd in maps.items() if table in module.tables and table not in private
            }
            self._records = os.dup(module.tables[_RECORDS])
            self._metadata = os.dup(module.tables[_METADATA]) if _METADATA in module.tables else -1
            try:
                _prove(name, module, hook, shared)
                self._program = _load(name, module, hook, shared)
            except BaseException:
                self._close_maps()
                raise

    def ask(self, port: int, frame: bytes, port_name: Callable[[int], str]) -> tuple[Record, bytes]:
        """What would become of a frame that enters by a port, and how it would leave. One call at a time."""
        cpus = bpf.possible_cpus()
        size = -(-decisions.RECORD_BYTES // 8) * 8
        bpf.update(self._records, bpf.u32(0), bytes(size * cpus))
        if self._hook is Hook.XDP:
            metadata = bytearray(_PORT_MD_BYTES)
            metadata[_IN_PORT_AT : _IN_PORT_AT + 2] = bpf.u32(port)[:2]
            bpf.update(self._metadata, bpf.u32(0), bytes(metadata) * cpus)
        cb0 = port << 16 if self._hook is Hook.TC else None
        left = testrun.run(self._program, frame, cb0=cb0).packet
        records = bpf.lookup(self._records, bpf.u32(0), size * cpus) or b""
        found = (records[at : at + size] for at in range(0, len(records), size))
        record = next((one for one in found if any(one)), bytes(size))
        return decisions.decode(record, self.sentences, port_name), left

    def close(self) -> None:
        os.close(self._program)
        self._close_maps()

    def _close_maps(self) -> None:
        os.close(self._records)
        if self._metadata >= 0:
            os.close(self._metadata)


def _prove(name: str, module: Module, hook: Hook, shared: Mapping[str, int]) -> None:
    """Raises HostError when the program could write to a map."""
    with ExitStack() as stack:
        twins = {}
        for table, fd in shared.items():
            spec = bpf.map_spec(fd)
            if spec.type in _OF_DESCRIPTORS:
                continue
            twins[table] = bpf.create_map(
                table, replace(spec, max_entries=1, flags=spec.flags | bpf.F_RDONLY_PROG)
            )
            stack.callback(os.close, twins[table])
        os.close(_load(name, module, hook, {**shared, **twins}))


def _load(name: str, module: Module, hook: Hook, maps: Mapping[str, int]) -> int:
    insns = with_calls_replaced(module.linked(FUNCTIONS[hook], dict(maps)), _HARMLESS)
    try:
        return bpf.load_program(PROGRAM_TYPES[hook], name, insns)
    except bpf.ProgramRejected as e:
        last = "\n".join(e.log.strip().splitlines()[-3:])
        raise HostError(f"the explaining variant is refused: {e.strerror}: {last}") from None
