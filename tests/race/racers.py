"""Two CPUs against each other: scripts of packets through a cube's own program, and who leaves with what.

The cube, its program and its maps are those of a real host; packets enter by BPF_PROG_TEST_RUN on a chosen CPU, and
a program at the other side of every port compares each packet that leaves with what its script expects.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import kernel
from bench.host import Host
from pcnhost.engine import bpf, state, testrun
from pcnhost.engine.compile import compile_text
from pcnhost.engine.panel import ingress_node, target
from pcnhost.engine.program import PROGRAM_TYPES
from pcnhost.engine.source import MAX_NODES, Hook
from tests.datapath.headers import ACK

# How many packets each kind of race sends at least, and how many updates of maps; `make race` asks for many more.
PACKETS = int(os.environ.get("RACE_PACKETS", "3000000"))
UPDATES = int(os.environ.get("RACE_UPDATES", "60000"))

_LEAVE_NODE = 2 * MAX_NODES - 1
_STEPS = 4096
_STEP = struct.Struct("=4s4s2s2s 4s4s2s2s 4sIIIIIII")
_COURSE = struct.Struct("=IIII 12x I")
_RESULT = struct.Struct("=QQQI4s4s2s2s")
_RESULT_BYTES = -(-_RESULT.size // 8) * 8
_COURSE_BYTES = -(-_COURSE.size // 8) * 8
_FRAME = (
    bytes(12)
    + b"\x08\x00"
    + struct.pack(">BBHHHBBH8x", 0x45, 0, 40, 1, 0, 64, socket.IPPROTO_TCP, 0)
    + struct.pack(">HHIIBBHHH", 0, 0, 1, 1, 0x50, ACK, 1024, 0, 0)
)
_ANY_PORT = 0xFFFF
_IN_ONE_CALL = 4_000  # entries of a map
_IN_ONE_RUN = 200_000  # packets of one system call; the kernel lets other tasks run between them


def _port(number: int) -> bytes:
    return number.to_bytes(2, "big")


@dataclass(frozen=True)
class Step:
    """A packet of a script, of TCP or UDP, and how it has to leave if it leaves at all.

    `to` is the destination it must have, an address or a network ("10.20.0.0/16"), and a port. `source` is the
    source it must have; None: the one it came with. `clients`: of how many clients the packets are, a power
    of two; each time that the script is sent it is the next one, whose address follows `saddr`. `fragment`: the
    IPv4 header's flags and fragment offset. `out_port`: by which port it has to leave; None: by any. `acknowledged`: a
    TCP segment's acknowledgement; all have 1 as their sequence number.
    """

    saddr: str
    daddr: str
    sport: int
    dport: int
    in_port: int
    to: tuple[str, int]
    source: tuple[str, int] | None = None
    flags: int = ACK
    clients: int = 1
    proto: int = socket.IPPROTO_TCP
    fragment: int = 0
    out_port: int | None = None
    acknowledged: int = 1

    def pack(self) -> bytes:
        network, _, bits = self.to[0].partition("/")
        mask = (0xFFFFFFFF << 32 - int(bits or 32)) & 0xFFFFFFFF
        source, sport = self.source or ("0.0.0.0", 0)
        return _STEP.pack(
            *(socket.inet_aton(self.saddr), socket.inet_aton(self.daddr)),
            *(_port(self.sport), _port(self.dport)),
            *(socket.inet_aton(source), socket.inet_aton(network)),
            *(_port(sport), _port(self.to[1])),
            *(mask.to_bytes(4, "big"), self.clients - 1, self.in_port, self.flags, self.proto),
            *(self.fragment, _ANY_PORT if self.out_port is None else self.out_port, self.acknowledged),
        )


@dataclass(frozen=True)
class Tally:
    """Packets of one CPU: sent, and those that left as expected or otherwise; the rest was dropped. `astray`: of those
    that left as expected, how many by another port."""

    sent: int
    right: int
    wrong: int
    astray: int
    example: str


@dataclass
class Changes:
    """Beside a race: one entry of an array map gets one of `values` after the other, `made` times in all."""

    fd: int
    index: int
    values: Sequence[bytes]
    made: int = 0

    def __call__(self, over: Callable[[], bool]) -> None:
        values = [*self.values] * (_IN_ONE_CALL // len(self.values))
        keys = bpf.u32(self.index) * len(values)
        while not over():
            kernel.write_all(self.fd, keys, b"".join(values), len(values))
            self.made += len(values)


def serve(host: Host, vip: str, server: tuple[str, int], proto: str = "TCP") -> None:
    """Gives the cube a service at port 80 with this one backend, in the place of one that it has."""
    service = {"backend": [{"ip": server[0], "port": server[1]}]}
    host.api.put(f"k8slbrp/race/service/{vip}/80/{proto}", service)


class Track:
    """A cube's program between `enter` and `leave` on each CPU."""

    def __init__(self, host: Host, cube: str, hook: Hook) -> None:
        directory = host.directory(cube)
        node = ingress_node(int(state.read_note(directory / "id") or 0))
        nodes = kernel.open_map(host.state_dir / ("nodes" if hook is Hook.TC else "xdp_nodes"))
        maps = {"nodes": nodes, "xdp_nodes": nodes, "port_md": kernel.open_map(host.state_dir / "port_md")}
        flags = [f"-DSTEPS={_STEPS}", f"-DNODES={2 * MAX_NODES}", f"-DCUBE_NODE={node}"]
        if hook is Hook.XDP:
            flags.append("-DXDP_RACE")
        self._module = compile_text((Path(__file__).parent / "racers.c").read_text(), flags)
        self._enter = self._load("enter", hook, maps)
        leave = self._load("leave", hook, maps)
        bpf.update(nodes, bpf.u32(_LEAVE_NODE), bpf.u32(leave))
        self._peers = kernel.open_map(directory / "_POLYCUBE_peers")
        self.connect_ports()
        self._fds = [self._enter, leave, self._peers, *set(maps.values())]

    def connect_ports(self) -> None:
        """Makes `leave` the neighbour of every port; once more after ports were removed or added."""
        for port in range(8):
            bpf.update(self._peers, bpf.u32(port), struct.pack("=II8x", 0, target(port, _LEAVE_NODE)))

    def _load(self, name: str, hook: Hook, maps: dict[str, int]) -> int:
        return bpf.load_program(PROGRAM_TYPES[hook], name, self._module.linked(name, maps))

    def close(self) -> None:
        for fd in self._fds:
            os.close(fd)
        self._module.close()

    def race(
        self,
        scripts: Sequence[Sequence[Step]],
        enough: Callable[[int], bool],
        beside: Callable[[Callable[[], bool]], None] | None = None,
        in_one_run: int = _IN_ONE_RUN,
    ) -> list[Tally]:
        """Sends the packets of each script, over and over, from a CPU of its own, all at once.

        Ends when `enough` of the packets that the first one has sent. `beside` runs in the thread of one CPU more; it
        gets a function that tells whether the race is over.
        """
        cpus = sorted(os.sched_getaffinity(0))
        courses = [bytes(_COURSE_BYTES)] * bpf.possible_cpus()
        first = 0
        for cpu, script in zip(cpus, scripts, strict=False):
            for index, step in enumerate(script, first):
                bpf.update(self._module.tables["script"], bpf.u32(index), step.pack())
            courses[cpu] = _COURSE.pack(first, len(script), 0, 0, 0).ljust(_COURSE_BYTES, b"\0")
            first += len(script)
        bpf.update(self._module.tables["course"], bpf.u32(0), b"".join(courses))
        over = threading.Event()
        with ThreadPoolExecutor(len(scripts) + 1) as pool:
            parts = others = [
                pool.submit(self._send, cpu, over.is_set, in_one_run) for cpu in cpus[1 : len(scripts)]
            ]
            if beside:
                parts = [*others, pool.submit(_pinned, cpus[len(scripts)], beside, over.is_set)]
            sent = 0

            def done() -> bool:
                nonlocal sent
                sent += in_one_run
                return enough(sent) or any(part.done() for part in parts)

            try:
                tally = pool.submit(self._send, cpus[0], done, in_one_run).result()
            finally:
                over.set()
            for part in parts:
                part.result()
            return [tally, *(other.result() for other in others)]

    def _send(self, cpu: int, done: Callable[[], bool], in_one_run: int) -> Tally:
        os.sched_setaffinity(0, {cpu})
        before, sent = self._result(cpu), 0
        while True:
            testrun.run(self._enter, _FRAME, in_one_run)
            sent += in_one_run
            if done():
                break
        after = self._result(cpu)
        counts = [now - then for now, then in zip(after[:3], before[:3], strict=True)]
        step, saddr, daddr, sport, dport = after[3:]
        example = f"step {step}: {_text(saddr, sport)} > {_text(daddr, dport)}" if after[1] else ""
        return Tally(sent, *counts, example)

    def _result(self, cpu: int) -> tuple[int, int, int, int, bytes, bytes, bytes, bytes]:
        raw = bpf.lookup(self._module.tables["result"], bpf.u32(0), _RESULT_BYTES * bpf.possible_cpus())
        assert raw is not None
        return _RESULT.unpack_from(raw, cpu * _RESULT_BYTES)


def _text(address: bytes, port: bytes) -> str:
    return f"{socket.inet_ntoa(address)}:{int.from_bytes(port)}"


def _pinned(cpu: int, act: Callable[[Callable[[], bool]], None], over: Callable[[], bool]) -> None:
    os.sched_setaffinity(0, {cpu})
    act(over)


@contextmanager
def track(host: Host, cube: str, hook: Hook) -> Iterator[Track]:
    on = Track(host, cube, hook)
    try:
        yield on
    finally:
        on.close()
