"""A cube of the host on netdevs, for packets that BPF_PROG_TEST_RUN cannot make: scattered over pages, with
unfinished checksums, or to be cut into segments later."""

from __future__ import annotations

import logging
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pyroute2 import IPRoute

from codegen.datapath import join
from pcnhost.engine import Cube, Engine
from tests.datapath.harness import SOURCES, defines
from tests.engine.support import Events
from tests.engine.wire import Wire

MTU = 9000
_SOL_PACKET, _PACKET_VNET_HDR, _PACKET_AUXDATA = 263, 15, 8
_AUXILIARY = struct.Struct("=IIIHHHH")  # struct tpacket_auxdata
_HAS_TAG = 0x10
_OUTGOING = 4
_NEEDS_CHECKSUM = 1
_HEADER = struct.Struct("=BBHHHH")  # struct virtio_net_hdr

LOGGER = logging.getLogger("live")


@dataclass(frozen=True)
class Offload:
    """What a sender has left to the NIC. `linear`: bytes that are not in pages of their own, 0 for all;
    `checksum`: start of what an unfinished checksum covers, and its place there; `segments`: virtio's type of
    segmentation, and size."""

    linear: int = 0
    checksum: tuple[int, int] | None = None
    segments: tuple[int, int] = (0, 0)

    def pack(self) -> bytes:
        flags = 0 if self.checksum is None else _NEEDS_CHECKSUM
        return _HEADER.pack(
            flags, self.segments[0], self.linear, self.segments[1], *(self.checksum or (0, 0))
        )

    @staticmethod
    def unpack(raw: bytes) -> Offload:
        flags, kind, linear, size, start, offset = _HEADER.unpack(raw)
        checksum = (start, offset) if flags & _NEEDS_CHECKSUM else None
        return Offload(linear, checksum, (kind, size))


class OffloadWire:
    """The test's end of a Wire; frames come and go with what is left to the NIC."""

    def __init__(self, wire: Wire) -> None:
        with IPRoute() as ipr:
            for end in (wire.name, f"{wire.name}x"):
                ipr.link("set", index=ipr.link_lookup(ifname=end)[0], mtu=MTU)
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self._socket.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
        self._socket.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        self._socket.bind((f"{wire.name}x", 3))
        self._socket.settimeout(2)

    def send(self, frame: bytes, offload: Offload) -> None:
        self._socket.send(offload.pack() + frame)

    def receive(self) -> tuple[bytes, Offload]:
        """The next frame; raises TimeoutError."""
        while True:
            raw, ancillary, _, address = self._socket.recvmsg(1 << 17, 128)
            if address[2] != _OUTGOING:
                frame = raw[_HEADER.size :]
                status, *_, tci, tag_type = _AUXILIARY.unpack(ancillary[0][2])
                if status & _HAS_TAG:  # which the kernel has put beside the bytes
                    frame = frame[:12] + struct.pack("!HH", tag_type, tci) + frame[12:]
                return frame, Offload.unpack(raw[: _HEADER.size])

    def close(self) -> None:
        self._socket.close()


class LiveCube:
    """The datapath in a cube of `engine`: its maps, for Tables. Ports get their neighbours by add_port()."""

    def __init__(self, engine: Engine) -> None:
        code = defines(4096) + join([Path(SOURCES) / "K8sLbrp_dp.c"])
        self._cube: Cube = engine.create_cube({"name": "lb"}, [code], [], Events(), "live")
        names = (
            "ports",
            "frontends",
            "services",
            "vips",
            "chunks",
            "endpoints",
            "removals",
            "known",
            "settings",
        )
        self.maps: Mapping[str, int] = {name: self._cube.table_fd(name, 0, "INGRESS") for name in names}

    def add_port(self, name: str, peer: str) -> int:
        """The index of a new port with a netdev as peer."""
        return self._cube.add_port(name, {"peer": peer}).index

    def connect(self, port: int) -> None:
        """Nothing to do: add_port() has done it."""

    def disconnect(self, port: int) -> None:
        """Ports go away with the cube."""
