"""Packets straight into the running program of a cube: for more flows than clients in namespaces can make.

Program, maps and host are the real ones; only the interfaces are left out.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pcnhost.engine import bpf
from testbed.api import Api
from testbed.lab import Lab
from tests.datapath.headers import ACK, SYN
from tests.datapath.kernel import Runner

_BPF, _PROG_GET_FD_BY_ID = 321, 13
_libc = ctypes.CDLL(None, use_errno=True)

_ETHERNET = bytes.fromhex("020000000001 020000000002 0800")


def first_program(state_dir: Path) -> int:
    """A file descriptor of the first program on a host's patch panel. Raises RuntimeError if it is bare."""
    panel = bpf.open_pin(state_dir / "nodes")
    if panel is None:
        raise RuntimeError(f"no host keeps its state in {state_dir}")
    for slot in range(1, 64):
        found = bpf.lookup(panel, struct.pack("=I", slot), 4)
        if found:
            os.close(panel)
            attributes = ctypes.create_string_buffer(found + bytes(12))
            fd = int(_libc.syscall(_BPF, _PROG_GET_FD_BY_ID, attributes, len(attributes.raw)))
            if fd < 0:
                raise OSError(ctypes.get_errno(), "BPF_PROG_GET_FD_BY_ID")
            return fd
    raise RuntimeError("the host has no cube")


@dataclass(frozen=True)
class Flow:
    """A client's side of a flow to a VIP; addresses as 4 bytes."""

    client: bytes
    vip: bytes
    sport: int
    vport: int
    protocol: int = socket.IPPROTO_TCP

    def frame(self, flags: int = 0) -> bytes:
        """A packet of the flow without payload and without checksums, which the datapath adjusts unseen."""
        if self.protocol == socket.IPPROTO_TCP:
            l4 = struct.pack(">HHIIBBHHH", self.sport, self.vport, 1, 1, 0x50, flags, 1024, 0, 0)
        else:
            l4 = struct.pack(">HHHH", self.sport, self.vport, 8, 0)
        ip = struct.pack(
            ">BBHHHBBH4s4s", 0x45, 0, 20 + len(l4), 1, 0, 64, self.protocol, 0, self.client, self.vip
        )
        return _ETHERNET + ip + l4


@dataclass
class Live:
    """A host with a cube lb1 whose ports lead nowhere; packets enter its program directly, clients' by port 1."""

    lab: Lab
    api: Api

    def __post_init__(self) -> None:
        program = first_program(self.lab.state_dir)
        self.send = sender(program, in_port=1)
        self._send_back = sender(program, in_port=0)

    def connect(self, flow: Flow) -> tuple[str, int]:
        """A TCP handshake, or one exchange of UDP; tells the server's address and port."""
        ip, port = server = self.send(flow, SYN)
        back = Flow(socket.inet_aton(ip), flow.client, port, flow.sport, flow.protocol)
        self._send_back(back, SYN | ACK)
        if flow.protocol == socket.IPPROTO_TCP:
            self.send(flow, ACK)
        return server


def sender(program: int, in_port: int) -> Callable[[Flow, int], tuple[str, int]]:
    """A function that sends a packet of a flow in by a port and tells the address and port it goes to."""
    runner = Runner()

    def send(flow: Flow, flags: int = 0) -> tuple[str, int]:
        frame = runner.skb(program, flow.frame(flags), in_port << 16, complete=False).frame
        return socket.inet_ntoa(frame[30:34]), int.from_bytes(frame[36:38], "big")

    return send
