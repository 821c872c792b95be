"""The test's end of a veth pair, and the frames on it."""

import contextlib
import socket
import struct
import time
from pathlib import Path

from pyroute2 import IPRoute

from pcnhost.engine import bpf

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


class Wire:
    """Makes a veth pair `name` (for the engine) and `<name>x` (the test's end), both up."""

    def __init__(self, name: str) -> None:
        self.name = name
        with IPRoute() as ipr:
            ipr.link("add", ifname=name, kind="veth", peer={"ifname": f"{name}x"})
            for end in (name, f"{name}x"):
                with contextlib.suppress(OSError):
                    Path(f"/proc/sys/net/ipv6/conf/{end}/disable_ipv6").write_text("1")
                ipr.link("set", index=ipr.link_lookup(ifname=end)[0], state="up")
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        self.socket.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        self.socket.bind((f"{name}x", _ETH_P_ALL))

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
        with IPRoute() as ipr:
            attach = [("IFLA_XDP_FD", program), ("IFLA_XDP_FLAGS", 4)]
            ipr.link("set", index=ipr.link_lookup(ifname=f"{self.name}x")[0], xdp={"attrs": attach})

    def remove(self) -> None:
        """Deletes both netdevs."""
        with IPRoute() as ipr:
            for index in ipr.link_lookup(ifname=self.name):
                ipr.link("del", index=index)

    def close(self) -> None:
        self.socket.close()
