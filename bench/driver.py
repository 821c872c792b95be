"""Programs under test, run on packets of many flows (see programs/driver.h)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from ipaddress import IPv4Address

from bench import kernel
from k8slbrp import abi
from pcnhost.engine import bpf, source, testrun
from pcnhost.engine.compile import compile_text
from pcnhost.engine.program import PROGRAM_TYPES
from pcnhost.engine.source import Hook

_FLOW = struct.Struct("=4s4s2s2sI")
_COURSE = struct.Struct("=III")
_ENTRY = {Hook.TC: "handle_rx_wrapper", Hook.XDP: "handle_rx_xdp_wrapper"}
REDIRECT = {Hook.TC: 7, Hook.XDP: 4}  # verdicts


@dataclass(frozen=True)
class Flow:
    """Addresses and ports in network byte order, and the cube's port by which the packets come."""

    saddr: bytes
    daddr: bytes
    sport: bytes
    dport: bytes
    in_port: int

    @classmethod
    def of(cls, saddr: str, daddr: str, sport: int, dport: int, in_port: int) -> Flow:
        return cls(_address(saddr), _address(daddr), _port(sport), _port(dport), in_port)


def _address(text: str) -> bytes:
    return IPv4Address(text).packed


def _port(number: int) -> bytes:
    return number.to_bytes(2, "big")


def answers_of(key: bytes, value: bytes, in_port: int) -> tuple[Flow, int]:
    """An entry of the maps `clients` and `openings` as (flow of its answers, protocol)."""
    back = abi.struct("session").from_buffer_copy(value).back
    server, client = (number.to_bytes(4) for number in (back.server, back.client))
    flow = Flow(server, client, _port(back.server_port), _port(back.client_port), in_port)
    return flow, abi.struct("client_key").from_buffer_copy(key).proto


def program_text(name: str) -> str:
    return (resources.files(__package__) / "programs" / name).read_text()


def load_service_program(
    name: str, hook: Hook, maps: dict[str, int], defines: Sequence[str] = ()
) -> tuple[int, dict[str, int]]:
    """Load one of bench/programs as if it were a service's, under the host's wrapper, using `maps` where it can.

    Returns the fds of the program and of the maps it has brought."""
    return load_text(program_text(name), hook, maps, defines)


def load_text(
    program: str,
    hook: Hook,
    maps: dict[str, int],
    defines: Sequence[str] = (),
    change_flags: Callable[[list[str]], list[str]] = list,
) -> tuple[int, dict[str, int]]:
    """The same of a program's text; `change_flags` makes other flags for the compiler of the host's."""
    text = source.complete(source.parse(program).text, hook)
    flags = change_flags(source.cflags(hook, "reference", 0, False, "INFO"))
    module = compile_text(text, [*flags, *defines])
    program_fd = bpf.load_program(PROGRAM_TYPES[hook], "reference", module.linked(_ENTRY[hook], maps))
    return program_fd, module.tables


class Driver:
    """Sends the packets of `flows`, one after the other and over and over, through a loaded program.

    `metadata_fd` is the host's map `port_md`, where XDP programs find by which port a packet came."""

    def __init__(self, hook: Hook, metadata_fd: int, program_fd: int, flows: Sequence[Flow]) -> None:
        text = program_text("driver.h") + program_text(f"driver_{hook.value}.c")
        self._module = compile_text(text, [f"-DMAX_FLOWS={len(flows)}"])
        self._maps = self._module.tables
        self._count = len(flows)
        instructions = self._module.linked("drive", {"port_md": metadata_fd})
        self._fd = bpf.load_program(PROGRAM_TYPES[hook], "drive", instructions)
        bpf.update(self._maps["under_test"], bpf.u32(0), bpf.u32(program_fd))
        self.set_flows(flows)

    def set_flows(self, flows: Sequence[Flow]) -> None:
        """Replace the flows by as many others."""
        keys = b"".join(map(bpf.u32, range(self._count)))
        values = b"".join(_FLOW.pack(f.saddr, f.daddr, f.sport, f.dport, f.in_port) for f in flows)
        kernel.write_all(self._maps["flows"], keys, values, self._count)

    def run(self, packet: bytes, repeat: int) -> testrun.Run:
        """Send `repeat` packets, each `packet` with the next flow in it, beginning with the first."""
        is_icmp = packet[23] == 1
        bpf.update(self._maps["course"], bpf.u32(0), _COURSE.pack(0, self._count, not is_icmp))
        return testrun.run(self._fd, packet, repeat)
