"""The test's end of a veth pair, and the frames on it."""

import contextlib
import socket
import struct
import time
from pathlib import Path

from pyroute2 import IPRoute

_ETH_P_ALL = 3
_ETH_P_TEST = 0x88B5  # reserved for experiments: the kernel sends no such frame by itself
_PACKET_OUTGOING = 4


def frame(payload: bytes, ethertype: int = _ETH_P_TEST) -> bytes:
    """An Ethernet frame, padded to the minimum size."""
    head = bytes.fromhex("020000000002" "020000000001") + struct.pack("!H", ethertype)
    return (head + payload).ljust(60, b"\0")


class Wire:
    """Makes a veth pair `name` (for the engine) and `<name>x` (the test's end)."""

    def __init__(self, name: str) -> None:
        self.name = name
        with IPRoute() as ipr:
            ipr.link("add", ifname=name, kind="veth", peer={"ifname": f"{name}x"})
            for end in (name, f"{name}x"):
                with contextlib.suppress(OSError):
                    Path(f"/proc/thread-self/net/../../sys/net/ipv6/conf/{end}/disable_ipv6").write_text("1")
                ipr.link("set", index=ipr.link_lookup(ifname=end)[0], state="up")
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        self.socket.bind((f"{name}x", _ETH_P_ALL))

    def send(self, packet: bytes) -> None:
        self.socket.send(packet)

    def receive(self, timeout: float = 2.0) -> bytes | None:
        """The next test frame that arrives, None when none does in `timeout` seconds."""
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                packet, address = self.socket.recvfrom(65536)
            except TimeoutError:
                return None
            if address[2] != _PACKET_OUTGOING and not _kernels_own(packet):
                return packet
        return None

    def silent(self, seconds: float = 0.2) -> bool:
        """Whether no test frame arrives for a while."""
        return self.receive(seconds) is None

    def remove(self) -> None:
        """Deletes both netdevs."""
        with IPRoute() as ipr:
            for index in ipr.link_lookup(ifname=self.name):
                ipr.link("del", index=index)

    def close(self) -> None:
        self.socket.close()


def _kernels_own(packet: bytes) -> bool:
    return packet[:3] == bytes.fromhex("333300")  # IPv6 neighbour discovery
