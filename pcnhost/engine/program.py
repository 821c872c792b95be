"""One program of a cube: from its text to the kernel, with its maps."""

import logging
import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from pcnhost.engine import bpf, source, state
from pcnhost.engine.compile import CompileError, Module, compile_text
from pcnhost.engine.source import Hook, Scope, Source
from pcnhost.errors import HostError

_VERIFIER_LINES = 6

FUNCTIONS = {Hook.TC: "handle_rx_wrapper", Hook.XDP: "handle_rx_xdp_wrapper"}
PROGRAM_TYPES = {Hook.TC: bpf.PROG_TYPE_SCHED_CLS, Hook.XDP: bpf.PROG_TYPE_XDP}

# BCC's names of the map types that can be declared `extern`, by the kernel's numbers.
_BCC_TYPES = {
    1: "hash",
    2: "array",
    3: "prog",
    5: "percpu_hash",
    6: "percpu_array",
    9: "lru_hash",
    10: "lru_percpu_hash",
    11: "lpm_trie",
    14: "devmap",
    16: "cpumap",
}

_ERRORS = {
    Hook.TC: ("failed to init ebpf program", "failed to load bpf program"),
    Hook.XDP: ("failed to init XDP program", "Failed to load XDP program"),
}


@dataclass
class OwnMap:
    """A map that a program has declared; the fd belongs to the program."""

    fd: int
    path: Path
    scope: Scope
    pinned: bool

    def pin(self) -> None:
        """Keeps the map in bpffs, in the place of whatever is there."""
        if not self.pinned:
            state.remove(self.path)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            bpf.pin(self.fd, self.path)
            self.pinned = True


@dataclass(frozen=True)
class Surroundings:
    """What a program finds in its cube: directories of pins by scope, maps it may use without declaring them
    (the wrapper's), and maps that other programs share."""

    name: str
    directories: Mapping[Scope, Path]
    builtin: Mapping[str, int]
    shared: Mapping[str, int]


@dataclass
class Program:
    """A program ready to be put in the prog arrays: text, maps, and one loaded program (fd) for each hook."""

    source: Source
    code: str
    own: dict[str, OwnMap] = field(default_factory=dict)
    externs: dict[str, int] = field(default_factory=dict)
    loaded: dict[Hook, int] = field(default_factory=dict)

    def full_text(self) -> str:
        """What the compiler gets, behind the wrapper. Raises HostError."""
        return self.source.with_extern_types({name: _bcc_type(fd) for name, fd in self.externs.items()})

    def table_fd(self, name: str) -> int:
        """The fd of a map this program declares, -1 when there is none."""
        return self.own[name].fd if name in self.own else self.externs.get(name, -1)

    def close_loaded(self) -> None:
        """Once in the prog arrays, the kernel keeps the programs."""
        for fd in self.loaded.values():
            os.close(fd)
        self.loaded = {}

    def drop_maps(self, keep: Mapping[str, OwnMap], unpin: bool = True) -> None:
        """Lets go of all maps but those in `keep`."""
        for name, own in self.own.items():
            if name not in keep:
                os.close(own.fd)
                if unpin:
                    state.remove(own.path)


def build(
    code: str,
    flags: Mapping[Hook, list[str]],
    around: Surroundings,
    previous: Program | None,
    log: logging.Logger,
) -> Program:
    """Compiles and loads a program for each hook in `flags` (hook -> cflags), first hook first.

    Maps that `previous` (the same slot's program until now) has declared are used again by name, whatever the
    text says of their type and size. Without it, maps pinned by an earlier process are taken over if they are
    as declared, and replaced otherwise. When it raises HostError, nothing has changed.
    """
    parsed = source.parse(code)
    inherited = previous.own if previous else {}
    first_hook = next(iter(flags))
    for name in parsed.scopes:
        if name in around.shared and name not in inherited:
            raise HostError(f"{_ERRORS[first_hook][0]}: table {name} already exists")
    program = Program(parsed, code, externs=_externs(parsed, around, first_hook))
    text = program.full_text()
    not_own = around.builtin.keys() | program.externs.keys()
    try:
        for hook, cflags in flags.items():
            with closing(_compile(text, hook, cflags, around.name, log)) as module:
                for name in module.tables.keys() - not_own - program.own.keys():
                    scope = parsed.scopes.get(name, Scope.PROGRAM)
                    path = around.directories[scope] / state.file_name(name)
                    program.own[name] = inherited.get(name) or _adopt(module.tables[name], path, scope, log)
                maps = {name: own.fd for name, own in program.own.items()}
                maps |= {**around.builtin, **program.externs}
                program.loaded[hook] = _load(module, maps, hook, around.name, log)
        for own in program.own.values():
            own.pin()
    except BaseException:
        program.close_loaded()
        program.drop_maps(keep=inherited, unpin=False)
        raise
    return program


def _externs(parsed: Source, around: Surroundings, hook: Hook) -> dict[str, int]:
    if missing := parsed.externs - around.shared.keys():
        raise HostError(f"{_ERRORS[hook][0]}: reference to undefined table {min(missing)}")
    return {name: around.shared[name] for name in parsed.externs}


def _bcc_type(fd: int) -> str:
    kind = bpf.map_spec(fd).type
    if kind not in _BCC_TYPES:
        raise HostError(f"a table of type {kind} cannot be extern")
    return _BCC_TYPES[kind]


def _adopt(new_fd: int, path: Path, scope: Scope, log: logging.Logger) -> OwnMap:
    """The map that an earlier process has pinned at `path` if it is like the new one; else the new one."""
    pinned = bpf.open_pin(path)
    if pinned is not None:
        if bpf.map_spec(pinned) == bpf.map_spec(new_fd):
            return OwnMap(pinned, path, scope, pinned=True)
        os.close(pinned)
        log.warning(
            "table %s is laid out otherwise than what an earlier process has left: it begins empty", path.name
        )
    return OwnMap(os.dup(new_fd), path, scope, pinned=False)


def _compile(text: str, hook: Hook, cflags: list[str], name: str, log: logging.Logger) -> Module:
    try:
        return compile_text(source.complete(text, hook), cflags)
    except CompileError as e:
        log.error("%s: the compiler says:\n%s", name, e)
        raise HostError(f"{_ERRORS[hook][0]}: {e}") from None


def _load(module: Module, maps: Mapping[str, int], hook: Hook, name: str, log: logging.Logger) -> int:
    try:
        return bpf.load_program(PROGRAM_TYPES[hook], name, module.linked(FUNCTIONS[hook], dict(maps)))
    except bpf.ProgramRejected as e:
        log.error("%s: the verifier says:\n%s", name, e.log)
        end = "\n".join(e.log.strip().splitlines()[-_VERIFIER_LINES:])
        raise HostError(f"{_ERRORS[hook][1]}: {e.strerror}: {end}") from None
