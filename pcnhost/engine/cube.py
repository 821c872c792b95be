"""A cube: programs, maps and ports of one instance of a service."""

from __future__ import annotations

import logging
import os
import threading
import uuid
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pcnhost.engine import bpf, state
from pcnhost.engine.decisions import Record
from pcnhost.engine.events import CubeEvents, Receiver
from pcnhost.engine.explain import Explainer, Variant
from pcnhost.engine.links import Hops, Links
from pcnhost.engine.panel import Panel, egress_node, ingress_node, pinned_maps
from pcnhost.engine.port import Port
from pcnhost.engine.program import Program, Surroundings, build
from pcnhost.engine.source import LOG_LEVELS, MAX_PORTS, MAX_PROGRAMS, Hook, Scope, cflags
from pcnhost.engine.trace import Busy, Flow, Trace, Traced
from pcnhost.errors import HostError
from pcnhost.names import check_name

INGRESS, EGRESS = "INGRESS", "EGRESS"
DIRECTIONS = (INGRESS, EGRESS)
_HOP_BYTES = 16

Slot = tuple[str, int]  # direction, program index


@dataclass(frozen=True)
class Identity:
    """What a cube is called; `loglevel` may change later."""

    name: str
    id: int
    type: str
    loglevel: str
    service_name: str


@dataclass(frozen=True)
class Shared:
    """What all cubes of an engine share; `public` are the maps with the scope HOST by name."""

    lock: threading.RLock
    panel: Panel
    links: Links
    public: dict[str, int]
    log: logging.Logger
    provisional: set[str]  # cubes whose creation may still fail, see Engine.provisional()


class Cube:
    """One cube. Safe to use from any thread.

    `_programs_lock` is held while a program changes, compilation included. It comes before the engine's lock,
    which guards ports and peers and is only held for moments."""

    max_ports = MAX_PORTS

    def __init__(
        self, identity: Identity, directory: Path, events: CubeEvents, engine: Shared, adopted: bool = False
    ) -> None:
        self.adopted = adopted  # an earlier process has made it, packets flow
        self.name = identity.name
        self.id = identity.id
        self.uuid = str(uuid.uuid4())
        self.service_name = identity.service_name
        self.type = identity.type
        self.loglevel = identity.loglevel
        self.shadow = False
        self.span = False
        self.hook = Hook.TC if self.type == "TC" else Hook.XDP
        self.receiver = Receiver(events)
        self._directory = directory
        self._panel = engine.panel
        self._links = engine.links
        self._lock = engine.lock
        self._log = engine.log
        self._public = engine.public
        self._provisional = engine.provisional
        self._programs_lock = threading.RLock()
        self._programs: dict[Slot, Program] = {}
        self._explainer: tuple[Program, Explainer] | None = None
        self._one_trace = threading.Lock()
        self._traced = False  # the switch of a trace stands before the first program
        self._ports: Mapping[str, Port] = MappingProxyType({})
        # Port numbers given by an earlier process to ports that are not back yet.
        self._remembered = {name: int(index) for name, index in state.read_notes(directory / "ports").items()}
        self._maps = self._open_maps()
        self._found_hops = {index: self._read_hops(index) for index in self._remembered.values()}

    def _open_maps(self) -> dict[str, int]:
        hops = bpf.MapSpec(bpf.MAP_TYPE_ARRAY, 4, _HOP_BYTES, MAX_PORTS)
        programs = bpf.MapSpec(bpf.MAP_TYPE_PROG_ARRAY, 4, 4, MAX_PROGRAMS)
        specs = {"_POLYCUBE_peers": hops, "egress_next": hops}
        specs |= {"ingress_programs": programs, "egress_programs": programs}
        if self.hook is Hook.XDP:
            specs["egress_programs_xdp"] = programs
        return pinned_maps(self._directory, specs)

    # --- programs

    def load_all(self, ingress: Sequence[str], egress: Sequence[str]) -> None:
        """Loads the cube's first programs and forgets those of an earlier process. Raises HostError."""
        codes = {(INGRESS, i): code for i, code in enumerate(ingress)}
        codes |= {(EGRESS, i): code for i, code in enumerate(egress)}
        with self._programs_lock:
            for slot, code in codes.items():
                self._install(slot, code, self.loglevel)
            for direction in DIRECTIONS:
                for index in range(MAX_PROGRAMS):
                    if (direction, index) not in codes:
                        self._clear_arrays((direction, index))
            known = {_slot_directory(slot) for slot in codes} | {"ports", "shared"}
            for directory in state.directories(self._directory):
                if directory not in known:
                    state.remove(self._directory / directory)

    def reload(self, code: str, index: int, direction: str) -> None:
        """Replaces a program without losing a packet; maps of the same name keep their contents."""
        slot = _slot(direction, index)
        with self._programs_lock:
            if slot not in self._programs:
                raise HostError("ebpf does not exist")
            self._install(slot, code, self.loglevel)

    def add_program(self, code: str, index: int, direction: str) -> int:
        """Adds a program at `index`, or at the first free one when -1; answers where."""
        with self._programs_lock:
            if index == -1:
                free = (i for i in range(MAX_PROGRAMS) if (direction, i) not in self._programs)
                index = next(free, -1)
                if index == -1:
                    raise HostError("Maximum number of programs reached")
            slot = _slot(direction, index)
            if slot in self._programs:
                raise HostError("Program is not empty")
            self._install(slot, code, self.loglevel)
            return index

    def del_program(self, index: int, direction: str) -> None:
        slot = _slot(direction, index)
        with self._programs_lock:
            if slot not in self._programs:
                raise HostError("ebpf program does not exist")
            self._clear_arrays(slot)
            with self._lock:
                program = self._programs.pop(slot)
                if slot == (EGRESS, 0):
                    self._links.egress_changed(self)
            self._forget_public(program)
            program.close_loaded()
            program.drop_maps(keep={})
            state.remove(self._directory / _slot_directory(slot))

    def table_fd(self, table: str, index: int, direction: str) -> int:
        """The fd of a map declared by a program, -1 when unknown. It stays open, and the same, as long as the
        program (in whatever version) declares the map."""
        program = self._programs.get((direction, index))
        return program.table_fd(table) if program else -1

    def index(self, direction: str) -> int:
        """The patch panel slot of the first program."""
        return ingress_node(self.id) if direction == INGRESS else egress_node(self.id)

    def explain(self, port: Port, frame: bytes) -> tuple[Record, bytes]:
        """What the first program would do now with a frame that enters by a port, and how it would leave.

        Takes as long as a compilation when the program is new. Raises HostError, OSError."""
        names = {other.index: other.name for other in self._ports.values()}
        with self._programs_lock:
            explainer = self._current_explainer()
            return explainer.ask(port.index, frame, lambda index: names.get(index, f"number {index}"))

    @property
    def tracing(self) -> bool:
        """Whether a trace is at work, and packets tell."""
        return self._traced

    def trace(self, flow: Flow | None, packets: int, seconds: float) -> list[Traced]:
        """The next packets of a flow, or (None) the next that are dropped, with the decisions they took; waits for
        that many, or for that long.

        Raises HostError, when another trace of the cube is at work, too."""
        if not self._one_trace.acquire(blocking=False):
            raise Busy(f"another trace of cube {self.name} is at work")
        try:
            with self._programs_lock:
                program, name, flags, maps = self._variant()
                trace = Trace(
                    Variant(name, program.full_text(), program.source, self.hook, flags, maps),
                    flow,
                    packets,
                    self._maps["ingress_programs"],
                    self._log,
                )
            with closing(trace):
                try:
                    with self._programs_lock:
                        self._check_present()
                        self._traced = True
                        self._enter_by(trace.switch)
                    trace.wait(seconds)
                finally:
                    self._end_trace()
            names = {port.index: port.name for port in self._ports.values()}
            return trace.packets(lambda index: names.get(index, f"number {index}"))
        finally:
            self._one_trace.release()

    def _end_trace(self) -> None:
        with self._programs_lock:
            if self._traced and (program := self._programs.get((INGRESS, 0))):
                self._enter_by(program.loaded[self.hook])
            self._traced = False

    def _enter_by(self, program_fd: int) -> None:
        bpf.update(self._panel.nodes(self.hook), bpf.u32(self.index(INGRESS)), bpf.u32(program_fd))

    def _variant(self) -> tuple[Program, str, list[str], dict[str, int]]:
        """The first program, and what a variant of it needs: a name, flags and maps. Raises HostError."""
        self._check_present()
        slot = (INGRESS, 0)
        program = self._programs.get(slot)
        if program is None:
            raise HostError(f"Cube {self.name} has no program")
        around = self._surroundings(slot)
        maps = {name: own.fd for name, own in program.own.items()}
        maps |= {**around.builtin, **program.externs}
        return program, around.name, cflags(self.hook, self.name, self.id, False, "OFF"), maps

    def _current_explainer(self) -> Explainer:
        program, name, flags, maps = self._variant()
        if self._explainer and self._explainer[0] is program:
            return self._explainer[1]
        self._close_explainer()
        explainer = Explainer(Variant(name, program.full_text(), program.source, self.hook, flags, maps))
        self._explainer = program, explainer
        return explainer

    def _close_explainer(self) -> None:
        if self._explainer:
            self._explainer[1].close()
        self._explainer = None

    @property
    def has_egress(self) -> bool:
        return (EGRESS, 0) in self._programs

    def _install(self, slot: Slot, code: str, loglevel: str) -> None:
        self._check_present()
        direction, index = slot
        hooks = [self.hook] if self.hook is Hook.TC or direction == INGRESS else [Hook.XDP, Hook.TC]
        flags = {hook: cflags(hook, self.name, self.id, direction == EGRESS, loglevel) for hook in hooks}
        previous = self._programs.get(slot)
        program = build(code, flags, self._surroundings(slot), previous, self._log)
        first_egress = slot == (EGRESS, 0) and not previous
        with self._lock:
            self._programs = {**self._programs, slot: program}
            self._public.update({n: own.fd for n, own in program.own.items() if own.scope is Scope.HOST})
            for hook, fd in program.loaded.items():
                self._put(slot, hook, fd)
            if first_egress:
                self._links.egress_changed(self)
        if previous:
            previous.close_loaded()
            previous.drop_maps(keep=program.own)
        self._log.debug("%s: %s program %d is in place", self.name, direction, index)

    def _surroundings(self, slot: Slot) -> Surroundings:
        shared = dict(self._public)
        for program in self._programs.values():
            shared |= {name: own.fd for name, own in program.own.items() if own.scope is Scope.CUBE}
        return Surroundings(
            name=f"{self.name}_{slot[0][0].lower()}{slot[1]}",
            directories={
                Scope.PROGRAM: self._directory / _slot_directory(slot),
                Scope.CUBE: self._directory / "shared",
                Scope.HOST: self._directory.parent.parent / "public",
            },
            builtin={**self._panel.maps, **self._maps},
            shared=shared,
        )

    def _forget_public(self, program: Program) -> None:
        for name, own in program.own.items():
            if own.scope is Scope.HOST:
                self._public.pop(name, None)

    def _arrays(self, slot: Slot) -> dict[Hook, int]:
        """The cube's own prog array for each hook that programs of the slot have."""
        if slot[0] == INGRESS:
            return {self.hook: self._maps["ingress_programs"]}
        arrays = {Hook.TC: self._maps["egress_programs"]}
        if self.hook is Hook.XDP:
            arrays[Hook.XDP] = self._maps["egress_programs_xdp"]
        return arrays

    def _put(self, slot: Slot, hook: Hook, program_fd: int) -> None:
        direction, index = slot
        bpf.update(self._arrays(slot)[hook], bpf.u32(index), bpf.u32(program_fd))
        if index == 0 and not (self._traced and direction == INGRESS):
            bpf.update(self._panel.nodes(hook), bpf.u32(self.index(direction)), bpf.u32(program_fd))

    def _clear_arrays(self, slot: Slot) -> None:
        direction, index = slot
        for hook, array in self._arrays(slot).items():
            if index == 0:
                bpf.delete(self._panel.nodes(hook), bpf.u32(self.index(direction)))
            bpf.delete(array, bpf.u32(index))

    # --- configuration

    def set_log_level(self, level: str) -> None:
        """Sets the level (any case) below which pcn_log messages are left out of the programs."""
        level = log_level_name(level)
        with self._programs_lock:
            if level == self.loglevel:
                return
            for slot, program in self._programs.items():
                if program.source.logs:
                    self._install(slot, program.code, level)
            self.loglevel = level
        self.receiver.log_level(level)

    def set_span(self, span: bool) -> None:
        """Span needs a shadow cube, which this host does not have."""
        if span:
            raise HostError("span: true is not possible in a cube that is no shadow, allowed: false")

    def set_conf(self, conf: dict[str, Any]) -> None:
        """Applies the members that can change: `loglevel`."""
        if "loglevel" in conf:
            self.set_log_level(conf["loglevel"])

    def to_json(self) -> dict[str, Any]:
        """The base JSON of a cube, members in their usual order."""
        answer: dict[str, Any] = {
            "name": self.name,
            "uuid": self.uuid,
            "service-name": self.service_name,
            "type": self.type,
            "loglevel": self.loglevel,
        }
        if ports := [{"name": p.name} | ({"peer": p.peer} if p.peer else {}) for p in self._ports.values()]:
            answer["ports"] = ports
        return answer | {"shadow": self.shadow, "span": self.span}

    # --- ports

    @property
    def ports(self) -> Mapping[str, Port]:
        """The ports by name, in the order of their names; a snapshot."""
        return self._ports

    def add_port(self, name: str, conf: dict[str, Any]) -> Port:
        """Adds a port and sets its peer. Raises HostError, and then nothing has changed."""
        with self._lock:
            self._check_present()
            check_name("port", name)
            if name in self._ports:
                raise HostError(f"Port {name} already exists")
            adopted = name in self._remembered
            index = self._remembered[name] if adopted else self._free_index()
            state.write_note(self._directory / "ports" / state.file_name(name), str(index))
            port = Port(self, name, index, self._links)
            self._set_ports({**self._ports, name: port})
            try:
                self._links.port_added(port, adopted)
                port.set_conf(conf)
            except BaseException:
                self.remove_port(name)
                raise
            self._remembered.pop(name, None)
            return port

    def remove_port(self, name: str) -> None:
        with self._lock:
            if name not in self._ports:
                raise HostError(f"Port {name} does not exist")
            port = self._ports[name]
            self._set_ports({n: p for n, p in self._ports.items() if n != name})
            if self.adopted and self.name in self._provisional:
                self._links.port_left(port, self._found_hops)
                if port.index in self._found_hops:
                    self._remembered[name] = port.index
                    return
            else:
                self._links.port_removed(port)
            self._remembered.pop(name, None)
            state.remove(self._directory / "ports" / state.file_name(name))

    def _free_index(self) -> int:
        taken = {port.index for port in self._ports.values()} | set(self._remembered.values())
        index = next((i for i in range(MAX_PORTS) if i not in taken), None)
        if index is None:
            raise HostError(f"Maximum number of ports ({MAX_PORTS}) reached")
        return index

    def _set_ports(self, ports: dict[str, Port]) -> None:
        self._ports = MappingProxyType(dict(sorted(ports.items())))

    # --- for the engine

    def set_hops(self, port_index: int, after_ingress: bytes, after_egress: bytes) -> None:
        """Writes the forwarding entries (`struct _POLYCUBE_peer_info`) of a port."""
        bpf.update(self._maps["egress_next"], bpf.u32(port_index), after_egress)
        bpf.update(self._maps["_POLYCUBE_peers"], bpf.u32(port_index), after_ingress)

    def _read_hops(self, port_index: int) -> Hops:
        peers, egress = (
            bpf.lookup(self._maps[name], bpf.u32(port_index), _HOP_BYTES) or bytes(_HOP_BYTES)
            for name in ("_POLYCUBE_peers", "egress_next")
        )
        return peers, egress

    def end_adoption(self) -> None:
        """Forgets the ports of an earlier process that did not come back."""
        with self._lock:
            for name in self._remembered:
                state.remove(self._directory / "ports" / state.file_name(name))
            self._remembered = {}

    def destroy(self) -> None:
        """Removes ports, programs and maps."""
        with self._programs_lock, self._lock:
            for name in self._ports:
                self.remove_port(name)
            for direction in DIRECTIONS:
                for index in range(MAX_PROGRAMS):
                    self._clear_arrays((direction, index))
            for program in self._programs.values():
                self._forget_public(program)
                program.close_loaded()
                program.drop_maps(keep={})
            self._programs = {}
            self._close_maps()
            state.remove(self._directory)

    def give_back(self) -> None:
        """Forgets the ports, whose packets go on as an earlier process has left them. leave() is to follow."""
        with self._programs_lock, self._lock:
            for name in self._ports:
                self.remove_port(name)
            self._links.cube_left(self, self._found_hops)

    def leave(self) -> None:
        """Closes what this process holds; packets keep flowing."""
        with self._programs_lock, self._lock:
            self._end_trace()
            for program in self._programs.values():
                self._forget_public(program)
                program.close_loaded()
                program.drop_maps(keep={}, unpin=False)
            self._programs = {}
            self._close_maps()

    def _check_present(self) -> None:
        """Whoever holds on to a cube that has been destroyed must not revive it."""
        if not self._maps:
            raise HostError(f"Cube {self.name} does not exist")

    def _close_maps(self) -> None:
        self._close_explainer()
        for fd in self._maps.values():
            os.close(fd)
        self._maps = {}


def log_level_name(level: str) -> str:
    """The host's spelling of a log level given in any case; raises HostError."""
    if level.upper() not in LOG_LEVELS:
        raise HostError(f"{level} is not a log level")
    return level.upper()


def _slot(direction: str, index: int) -> Slot:
    if direction not in DIRECTIONS or not 0 <= index < MAX_PROGRAMS:
        raise HostError("Invalid ebpf program index")
    return direction, index


def _slot_directory(slot: Slot) -> str:
    return f"{slot[0].lower()}{slot[1]}"
