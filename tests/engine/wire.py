"""The test's end of a veth pair, and the frames on it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from pyroute2 import IPRoute

from pcnhost.engine import bpf

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000
_ETH_P_ALL = 3
_ETH_P_TEST = 0x88B5  # reserved for experiments
_PACKET_OUTGOING = 4
_SOL_PACKET, _PACKET_AUXDATA = 263, 8
_AUXDATA = struct.Struct("=IIIHHHH")  # struct tpacket_auxdata; the last two are the VLAN tag and its type
_TAG_VALID = 0x10
_XDP_PASS = bytes.fromhex("b7000000020000009500000000000000")  # r0 = 2; exit


def frame(payload: bytes, ethertype: int = _ETH_P_TEST) -> bytes:
    """An Ethernet frame, padded to the minimum size."""
    head = bytes.fromhex("020000000002020000000001") + struct.pack("!H", ethertype)
    return (head + payload).ljust(60, b"\0")


def _sum(data: bytes) -> bytes:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)


def ipv4_checksum(packet: bytes) -> bytes:
    """What the IPv4 header checksum of a frame has to be."""
    return _sum(packet[14:24] + b"\0\0" + packet[26:34])


def udp_checksum(packet: bytes) -> bytes:
    """What the UDP checksum of a frame has to be."""
    (length,) = struct.unpack("!H", packet[38:40])
    data = packet[26:34] + struct.pack("!HH", socket.IPPROTO_UDP, length)
    data += packet[34:40] + b"\0\0" + packet[42 : 34 + length]
    return _sum(data.ljust(len(data) + len(data) % 2, b"\0")).replace(b"\0\0", b"\xff\xff")


def udp_frame(mac: bytes, source: str, destination: str, port: int, payload: bytes) -> bytes:
    """A UDP packet from port 4000, with right checksums."""
    ip = struct.pack("!BBHHHBB2x", 0x45, 0, 28 + len(payload), 1, 0, 64, socket.IPPROTO_UDP)
    ip += socket.inet_aton(source) + socket.inet_aton(destination)
    udp = struct.pack("!HHH2x", 4000, port, 8 + len(payload))
    packet = mac + bytes.fromhex("0200000000010800") + ip + udp + payload
    packet = packet[:24] + ipv4_checksum(packet) + packet[26:]
    return packet[:40] + udp_checksum(packet) + packet[42:]


def _set_up(name: str) -> None:
    with contextlib.suppress(OSError):
        Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
    with IPRoute() as ipr:
        ipr.link("set", index=ipr.link_lookup(ifname=name)[0], state="up")


def _wait_until_it_sends(name: str) -> None:
    """The kernel lets a netdev send some time after its other end is up."""
    end = time.monotonic() + 2
    with IPRoute() as ipr:
        (index,) = ipr.link_lookup(ifname=name)
        while ipr.link("get", index=index)[0].get_attr("IFLA_QDISC") == "noop":
            assert time.monotonic() < end, f"{name} does not send"
            time.sleep(0.01)


def _listen(name: str) -> socket.socket:
    listening = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    listening.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
    listening.bind((name, _ETH_P_ALL))
    return listening


class Namespace:
    """A network namespace: the calling thread's, or a new one."""

    def __init__(self, new: bool) -> None:
        create = (ctypes.CDLL(None).unshare, (_CLONE_NEWNET,)) if new else (None, ())
        # A thread begins in the namespace of the one that makes it.
        self._thread = ThreadPoolExecutor(1, "namespace", *create)
        self.fd = self.run(lambda: os.open("/proc/thread-self/ns/net", os.O_RDONLY))

    def run(self, action: Callable[[], T]) -> T:
        """Runs it in the namespace."""
        return self._thread.submit(action).result()

    def close(self) -> None:
        """May be called again."""
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1
        self._thread.shutdown()


class Wire:
    """Makes a veth pair `name` (for the engine) and `<name>x` (the test's end), both up.

    With `apart` the test's end is in a new network namespace."""

    def __init__(self, name: str, apart: bool = False) -> None:
        self.name = name
        self.far = f"{name}x"
        self._namespace = Namespace(new=apart)
        with IPRoute() as ipr:
            peer = {"ifname": self.far, "net_ns_fd": self._namespace.fd}
            ipr.link("add", ifname=name, kind="veth", peer=peer)
        _set_up(name)
        self._open()

    def _open(self) -> None:
        self.inside(lambda: _set_up(self.far))
        _wait_until_it_sends(self.name)
        self.socket = self.inside(lambda: _listen(self.far))

    def inside(self, action: Callable[[], T]) -> T:
        """Runs something where the test's end is."""
        return self._namespace.run(action)

    def set_far(self, **attributes: object) -> None:
        """Changes something of the test's end."""

        def change() -> None:
            with IPRoute() as ipr:
                ipr.link("set", index=ipr.link_lookup(ifname=self.far)[0], **attributes)

        self.inside(change)

    def move(self, apart: bool) -> None:
        """Moves the test's end into a new namespace, or into that of the calling thread."""
        namespace = Namespace(new=apart)
        self.set_far(net_ns_fd=namespace.fd)
        self.close()
        self._namespace = namespace
        self._open()

    def send(self, packet: bytes) -> None:
        self.socket.send(packet)

    def receive_tagged(self, timeout: float = 2.0) -> tuple[bytes, int | None] | None:
        """The next frame without its VLAN tag, and the tag; None when none arrives in `timeout` seconds."""
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                packet, ancillary, _, address = self.socket.recvmsg(1 << 16, 128)
            except TimeoutError:
                return None
            if address[2] != _PACKET_OUTGOING:
                status, *_, tag, _ = _AUXDATA.unpack(ancillary[0][2])
                return packet, tag if status & _TAG_VALID else None
        return None

    def receive(self, timeout: float = 2.0) -> bytes | None:
        """The next frame, None when none arrives in `timeout` seconds."""
        received = self.receive_tagged(timeout)
        return received[0] if received else None

    def silent(self, seconds: float = 0.2) -> bool:
        """Whether no frame arrives for a while."""
        return self.receive(seconds) is None

    def accept_native_xdp(self) -> None:
        """Lets frames arrive that come from XDP on the other end: veth wants an XDP program on both."""
        program = bpf.load_program(bpf.PROG_TYPE_XDP, "pass", _XDP_PASS)
        self.set_far(xdp={"attrs": [("IFLA_XDP_FD", program), ("IFLA_XDP_FLAGS", 4)]})

    def remove(self) -> None:
        """Deletes both netdevs."""
        with IPRoute() as ipr:
            for index in ipr.link_lookup(ifname=self.name):
                ipr.link("del", index=index)

    def close(self) -> None:
        """Lets go of the test's end, which stays if it is in the calling thread's namespace."""
        self.socket.close()
        self._namespace.close()
