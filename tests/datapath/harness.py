"""The datapath, loaded under the host's own wrapper, between neighbours that report where packets leave."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from types import MappingProxyType

import pytest

from codegen.datapath import join
from pcnhost.engine import bpf, source
from pcnhost.engine.compile import Module, compile_text
from pcnhost.engine.program import PROGRAM_TYPES
from pcnhost.engine.source import Hook
from tests.datapath.kernel import Run, Runner
from tests.datapath.punts import PuntReader

SOURCES = Path(__file__).resolve().parents[2] / "src"
SESSION_ENTRIES = 1 << 16
OPENINGS_SECRET = 0x9E3779B97F4A7C15
RETIRED_ENTRIES = 64  # few, so that tests see what happens when it is their turn
UNCONFIRMED_ENTRIES = 1 << 17  # many, so that chance plays no part

VLAN_TCI = 0x6042  # priority 3, VLAN 66
_ENTRY_NODE, _EXIT_NODE = 1, 2
_EXIT_VERDICT = 0x4000
_STACK = {Hook.TC: 0, Hook.XDP: 2}  # TC_ACT_OK, XDP_PASS
_DROPPED = {Hook.TC: 2, Hook.XDP: 1}  # TC_ACT_SHOT, XDP_DROP
_METADATA = struct.Struct("=HHIIHIII")  # struct pkt_metadata


class Verdict(Enum):
    """The ways a packet ends that are not an output port."""

    DROPPED = "dropped"
    STACK = "passed to the host's stack"


@dataclass(frozen=True)
class Punt:
    """A packet given to the control plane."""

    reason: int
    in_port: int
    frame: bytes


@dataclass(frozen=True)
class Outcome:
    """What became of a packet: the port it left by or a Verdict, its bytes, the VLAN tag held beside them
    (0: none), and what the control plane got."""

    out: int | Verdict
    frame: bytes
    tci: int
    punts: tuple[Punt, ...]


# A clock that tests set, in the place of the kernel's.
_CLOCK = """
BPF_ARRAY(test_clock, u64, 1);
static __always_inline u64 test_time(void) {
  u32 zero = 0;
  u64 *now = test_clock.lookup(&zero);
  return now ? *now : 0;
}
#define bpf_jiffies64() test_time()
#define KERNEL_HZ 1
"""


# Counts what takes the fast path.
_COUNTER = """
BPF_PERCPU_ARRAY(test_fast_path, u64, 1);
static __always_inline void count_fast_path(void) {
  u32 zero = 0;
  u64 *count = test_fast_path.lookup(&zero);
  if (count) (*count)++;
}
"""


# What the kernel's hash tables may do while an entry is replaced. Five of six times, so that a test needs no luck.
_MISSING = """
BPF_ARRAY(test_lookups, u32, 1);
static __always_inline struct service *services_lookup(struct service_key *key) {
  u32 zero = 0;
  u32 *count = test_lookups.lookup(&zero);
  return count && (*count)++ % 6 != 5 ? 0 : services.lookup(key);
}
"""


# What a lookup may find while an entry is written: what Tables.put_beside() puts under a key with another pad.
_WRITING = """
BPF_ARRAY(test_lookups, u32, 1);
static __always_inline struct service *services_lookup(struct service_key *key) {
  u32 zero = 0;
  u32 *count = test_lookups.lookup(&zero);
  struct service_key other = *key;
  other.pad = 1;
  struct service *beside = count && (*count)++ == 0 ? services.lookup(&other) : 0;
  return beside ? beside : services.lookup(key);
}
"""


# What another CPU may do while a packet looks for its session: after each lookup, the session is moved to `clients`.
_MOVING = """
static __always_inline void move_opening(struct client_key *key) {
  struct opening opening = find_opening(key);
  if (!opening.entry) return;
  clients.insert(key, opening.entry);
  free_place(opening.place, opening.entry);
}
static __always_inline struct session *clients_lookup(struct client_key *key) {
  struct session *entry = clients.lookup(key);
  move_opening(key);
  return entry;
}
static __always_inline struct opening opening_lookup(struct client_key *key) {
  struct opening opening = find_opening(key);
  move_opening(key);
  return opening;
}
"""


# What another CPU may do between the lookup of a session and the storing of a new one: it stores the same.
_LATE = """
static __always_inline struct session *clients_lookup(struct client_key *key) { return clients.lookup(key); }
static __always_inline struct opening opening_lookup(struct client_key *key) {
  struct opening none = {.place = NO_PLACE};
  return none;
}
"""


# What fragments of one datagram may do on another CPU.
_FIRST_FRAGMENT = """
  struct fragment first = {.last_seen = now, .port = NO_PORT, .verdict = FRAGMENT_PASS};
  store_note(key, &first, true);
"""
_LATER_FRAGMENT = """
static __always_inline bool fragments_store(struct fragment_key *key, struct fragment *note, bool replaces) {
  struct fragment held = {.last_seen = note->last_seen, .port = NO_PORT, .verdict = FRAGMENT_HELD};
  store_note(key, &held, false);
  return store_note(key, note, replaces);
}
"""


class Way(Enum):
    """Which ways a copy of the program has."""

    BOTH = "both"
    FULL = "full"
    COUNTED = "counted"  # both, and test_fast_path counts the packets of the fast path
    MISSING = "missing"  # both, and five of six lookups of a service miss it
    WRITING = "writing"  # both, and the first lookup of a service finds what Tables.put_beside() has left
    PREFETCHED = "prefetched"  # both, and prefetch_service() finds that
    MOVING = "moving"  # both, and find_session() has the session moved to `clients` after its first lookup
    MOVING_LATER = "moving later"  # both, and the functions that look in the tables later do
    LATE = "late"  # both, and find_session() sees nothing of what stands in `openings`
    OVERTAKEN = "overtaken"  # both; before a later fragment leaves a note, the first one leaves its own
    HELD = "held"  # both; before the first fragment leaves a note, a later one leaves its own


def through(way: Way) -> pytest.MarkDecorator:
    """For tests whose `lab` has another copy of the program than usual."""
    return pytest.mark.parametrize("datapaths", [way], ids=[way.value], indirect=True)


_OTHER_CALLS = {  # code, and the functions whose lookups, or notes, it replaces; it is put before the first one
    Way.MISSING: (_MISSING, ("find_service",)),
    Way.WRITING: (_WRITING, ("find_service",)),
    Way.PREFETCHED: (_WRITING, ("prefetch_service",)),
    Way.MOVING: (_MOVING, ("find_session",)),
    Way.MOVING_LATER: (
        _MOVING,
        ("refresh_partner", "remove_session", "make_way", "is_unused", "store_client_entry"),
    ),
    Way.LATE: (_LATE, ("find_session",)),
    Way.HELD: (_LATER_FRAGMENT, ("note_first_fragment",)),
}


@cache
def _program_text(own_clock: bool, way: Way, sessions: int | None) -> str:
    text = defines(sessions or SESSION_ENTRIES) + join([SOURCES / "K8sLbrp_dp.c"])
    if sessions is None:
        text = re.sub(r"(#define RETIRED_ENTRIES) .*", rf"\1 {RETIRED_ENTRIES}", text)
        text = re.sub(r"(#define UNCONFIRMED_ENTRIES) .*", rf"\1 {UNCONFIRMED_ENTRIES}", text)
    if way is Way.FULL:
        text = _replaced(text, "= take_fast_path(ctx, &role);", "= NO_FAST_PATH;")
    if way is Way.COUNTED:
        handle_rx = "if (out != NO_FAST_PATH) return send_out(ctx, md, out);"
        text = _COUNTER + _replaced(text, handle_rx, handle_rx.replace("return", "return count_fast_path(),"))
    if way in _OTHER_CALLS:
        code, functions = _OTHER_CALLS[way]
        text = _with_other_calls(text, code, functions)
    if way is Way.OVERTAKEN:
        held = "return store_note(key, &note, replaces);"
        text = _replaced(text, held, _FIRST_FRAGMENT + held)
    return _CLOCK + text if own_clock else text


def _with_other_calls(text: str, code: str, functions: Sequence[str]) -> str:
    """In these functions, `table.lookup()` becomes `table_lookup()`, and store_note() fragments_store(): which `code`
    brings."""
    for index, name in enumerate(functions):
        function = re.compile(rf"^static __always_inline [^\n]*\b{name}\(.*?^\}}$", re.MULTILINE | re.DOTALL)
        (found,) = function.finditer(text)
        body, lookups = re.subn(r"\b(services|clients)\.lookup\(", r"\1_lookup(", found[0])
        body, others = re.subn(r"\bfind_opening\(", "opening_lookup(", body)
        body, notes = re.subn(r"\bstore_note\(", "fragments_store(", body)
        assert lookups or others or notes
        text = text[: found.start()] + ("" if index else code) + body + text[found.end() :]
    return text


def _replaced(text: str, what: str, by: str) -> str:
    assert text.count(what) == 1, what
    return text.replace(what, by)


def defines(entries: int) -> str:
    """What the control plane puts before the text. As in the tests, on one CPU."""
    return (
        f"#define SESSION_ENTRIES {entries}\n#define CPUS 1\n#define OPENINGS_SECRET {OPENINGS_SECRET}ULL\n"
    )


def _compile(hook: Hook, own_clock: bool, way: Way, sessions: int | None) -> Module:
    text = source.complete(source.parse(_program_text(own_clock, way, sessions)).text, hook)
    return compile_text(text, source.cflags(hook, "lb", 1, egress=False, loglevel="INFO"))


@contextmanager
def copies(load: Callable[[Hook], Datapath]) -> Iterator[Callable[[Hook], Datapath]]:
    """A function that answers with one copy of the program for each hook, loaded when it is first wanted."""
    loaded: dict[Hook, Datapath] = {}

    def copy(hook: Hook) -> Datapath:
        if hook not in loaded:
            loaded[hook] = load(hook)
        return loaded[hook]

    try:
        yield copy
    finally:
        for datapath in loaded.values():
            datapath.close()


@contextmanager
def timeless_copies(sessions: int | None = None) -> Iterator[Callable[[Hook], Datapath]]:
    """The same of programs whose clock stands still unless the test moves it, on one CPU with its counters."""
    cpus = os.sched_getaffinity(0)
    with copies(lambda hook: Datapath(hook, own_clock=True, sessions=sessions)) as copy:

        def on_one_cpu(hook: Hook) -> Datapath:
            datapath = copy(hook)
            os.sched_setaffinity(0, {min(cpus)})
            return datapath

        try:
            yield on_one_cpu
        finally:
            os.sched_setaffinity(0, cpus)


class Datapath:
    """One loaded copy of the program; `maps` are the fds of its maps by name. It runs on the caller's CPU.

    `replaced`: maps of the caller, by name, in the place of the program's own."""

    def __init__(
        self,
        hook: Hook,
        own_clock: bool = False,
        way: Way = Way.BOTH,
        replaced: Mapping[str, int] = MappingProxyType({}),
        sessions: int | None = None,
    ) -> None:
        self.hook = hook
        self._runner = Runner()
        self._cpus = bpf.possible_cpus()
        self._module = _compile(hook, own_clock, way, sessions)
        self.maps = {**self._module.tables, **replaced}
        name = "handle_rx_wrapper" if hook is Hook.TC else "handle_rx_xdp_wrapper"
        self._fd = bpf.load_program(
            PROGRAM_TYPES[hook], "datapath", self._module.linked(name, dict(replaced))
        )
        self._load_probes()
        self._punts = PuntReader(self._controller())
        self._port_md_of = -1

    def _load_probes(self) -> None:
        flags = {"NODES": 2 * source.MAX_NODES, "EXIT_VERDICT": _EXIT_VERDICT}
        flags |= {"ENTRY_NODE": _ENTRY_NODE, "VLAN_TCI": VLAN_TCI}
        text = (Path(__file__).parent / "probes.c").read_text()
        self._probes = compile_text(text, [f"-D{name}={value}" for name, value in flags.items()])
        nodes = self.maps["nodes" if self.hook is Hook.TC else "xdp_nodes"]
        self._exit_fd = self._load_probe(f"{self.hook.value}_exit")
        for node, fd in ((_ENTRY_NODE, self._fd), (_EXIT_NODE, self._exit_fd)):
            bpf.update(nodes, struct.pack("=I", node), struct.pack("=I", fd))
        if self.hook is Hook.TC:
            self._tagged_entry_fd = self._load_probe("tc_tagged_entry")

    def _load_probe(self, name: str) -> int:
        insns = self._probes.linked(name, {map_name: fd for map_name, fd in self.maps.items() if fd})
        return bpf.load_program(PROGRAM_TYPES[self.hook], name, insns)

    def _controller(self) -> int:
        arrays = {
            name: fd
            for name, fd in self.maps.items()
            if bpf.map_spec(fd).type == bpf.MAP_TYPE_PERF_EVENT_ARRAY
        }
        del arrays["log_buffer"]
        (fd,) = arrays.values()
        return fd

    def close(self) -> None:
        self._punts.close()
        os.close(self._fd)
        os.close(self._exit_fd)
        self._probes.close()
        self._module.close()

    def connect(self, port: int) -> None:
        """Gives `port` a neighbour."""
        self._set_peer(port, port << 16 | _EXIT_NODE)

    def disconnect(self, port: int) -> None:
        self._set_peer(port, 0)

    def _set_peer(self, port: int, target: int) -> None:
        bpf.update(self.maps["_POLYCUBE_peers"], struct.pack("=I", port), struct.pack("=II8x", 0, target))

    def forget_lookups(self) -> None:
        """The next lookup is the first one, if this copy counts them."""
        bpf.update(self.maps["test_lookups"], bytes(4), bytes(4))

    def set_clock(self, tick: int) -> None:
        """The time, if this copy has a clock of its own. A tick is about a second."""
        bpf.update(self.maps["test_clock"], bytes(4), struct.pack("=Q", tick))

    def send(
        self,
        port: int,
        frame: bytes,
        *,
        tagged: bool = False,
        gso: tuple[int, int] = (0, 0),
        complete: bool = True,
    ) -> Outcome:
        """Lets `frame` enter by `port`. TC only: a VLAN tag beside the bytes (`tagged`), segments and their size
        (`gso`), the kernel's check of the packet sum (`complete`, see Runner.skb)."""
        run = self.run(port, frame, tagged=tagged, gso=gso, complete=complete)
        return Outcome(self.verdict(run), run.frame, run.mark & 0xFFFF, self.punts())

    def punts(self) -> tuple[Punt, ...]:
        """What the control plane got since the last call."""
        return tuple(Punt(reason, in_port, packet) for reason, in_port, packet in self._punts.take())

    def run(
        self,
        port: int,
        frame: bytes,
        *,
        tagged: bool = False,
        gso: tuple[int, int] = (0, 0),
        complete: bool = True,
    ) -> Run:
        """The cheap part of send()."""
        if self.hook is Hook.TC:
            fd = self._tagged_entry_fd if tagged else self._fd
            return self._runner.skb(fd, frame, port << 16, gso, complete)
        metadata = _METADATA.pack(0, port, len(frame), 0, 0, 0, 0, 0).ljust(32, b"\0")
        bpf.update(self.maps["port_md"], bytes(4), metadata * self._cpus)
        return self._runner.xdp(self._fd, frame)

    def verdict(self, run: Run) -> int | Verdict:
        if run.retval & _EXIT_VERDICT:
            return run.retval & ~_EXIT_VERDICT
        if run.retval == _STACK[self.hook]:
            return Verdict.STACK
        assert run.retval == _DROPPED[self.hook], f"unknown verdict {run.retval}"
        return Verdict.DROPPED
