"""Packets and log messages between the datapath and the services.

Up: perf buffers, each read by a thread of its own. Down: a TAP netdev of the host; each frame written to it
begins with where it goes (`struct packet_out` of host_programs.h), so threads do not get in each other's way.
"""

import fcntl
import logging
import os
import select
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pcnhost.engine.attachment import XDP_FLAGS, Spot
from pcnhost.engine.events import Receiver
from pcnhost.engine.netlink import TC_INGRESS, Netlink
from pcnhost.engine.panel import Panel
from pcnhost.engine.perf import PerfBuffer
from pcnhost.engine.source import Hook

METADATA_BYTES = 26  # struct PacketIn
LOG_HEADER_BYTES = 40  # struct LogMsg
_PACKET_LEN = struct.Struct("=4xI")  # in struct PacketIn
_LOG_LEN = struct.Struct("=6xH")  # in struct LogMsg
_CUBE_ID = struct.Struct("=H")
_LOG_CUBE_ID = struct.Struct("=2xH")

_PACKET_PAGES, _LOG_PAGES = 128, 32

_TUNSETIFF = 0x400454CA
_IFF_TAP, _IFF_NO_PI = 0x2, 0x1000
_TAP_MTU = 65521  # the largest the kernel allows: packets taken from the datapath can be that long
_HEAD = struct.Struct("=III")  # struct packet_out


class PerfReader:
    """Hands every record of a perf event array to `receive`, in a thread of its own.

    Failures of `receive` are logged; so are records lost because the thread was too slow."""

    def __init__(
        self, map_fd: int, pages: int, name: str, receive: Callable[[bytes], None], log: logging.Logger
    ) -> None:
        self._name = name
        self._receive = receive
        self._log = log
        self._stop_reading, self._stop = os.pipe2(os.O_CLOEXEC)
        self._buffer = PerfBuffer(map_fd, pages, self._sample, self._lost)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Waits for the record in work, if any, unless that is what closes the reader."""
        os.close(self._stop)
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        waiting = select.poll()
        waiting.register(self._buffer, select.POLLIN)
        waiting.register(self._stop_reading)
        while self._stop_reading not in dict(waiting.poll()):
            # Not perf_buffer__poll(): a perf event says only once that it has something, and just has.
            self._buffer.consume()
        self._buffer.close()
        os.close(self._stop_reading)

    def _sample(self, record: bytes) -> None:
        try:
            self._receive(record)
        except Exception:
            self._log.exception("Error processing packet in event")

    def _lost(self, cpu: int, count: int) -> None:
        self._log.warning("%s: %d records lost on cpu %d", self._name, count, cpu)


class PacketOutDevice:
    """The TAP netdev; it goes away with the process. Raises OSError."""

    def __init__(self, panel: Panel, netlink: Netlink) -> None:
        self._fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        try:
            request = struct.pack("16sH14x", b"pcn_out%d", _IFF_TAP | _IFF_NO_PI)
            answer = fcntl.ioctl(self._fd, _TUNSETIFF, request)
            name = answer[:16].split(b"\0")[0].decode()
            self.ifindex = socket.if_nametoindex(name)
            self._set_up(name, panel, netlink)
        except BaseException:
            os.close(self._fd)
            raise

    def _set_up(self, name: str, panel: Panel, netlink: Netlink) -> None:
        with suppress(OSError):  # no IPv6 in this kernel
            Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
        tc, xdp = panel.load("packet_out_tc"), panel.load("packet_out_xdp")
        try:
            netlink.set_up(self.ifindex, _TAP_MTU)
            netlink.set_xdp(self.ifindex, xdp, XDP_FLAGS[Spot.XDP_SKB])
            netlink.add_clsact(self.ifindex)
            netlink.set_filter(self.ifindex, TC_INGRESS, tc)
        finally:
            os.close(tc)
            os.close(xdp)

    def send(self, hop: tuple[int, int], hook: Hook, packet: bytes) -> None:
        """Sends a frame to `hop` (ifindex, target), among programs of `hook`."""
        os.write(self._fd, _HEAD.pack(*hop, hook is Hook.XDP) + packet)

    def close(self) -> None:
        os.close(self._fd)


def split_packet(record: bytes) -> tuple[int, bytes, bytes]:
    """Cube id, metadata and frame of a record of the controller's perf buffer (which pads records)."""
    (length,) = _PACKET_LEN.unpack_from(record)
    (cube_id,) = _CUBE_ID.unpack_from(record)
    return cube_id, record[:METADATA_BYTES], record[METADATA_BYTES : METADATA_BYTES + length]


def split_log(record: bytes) -> tuple[int, bytes]:
    """Cube id and exact bytes of a record of the log's perf buffer."""
    (length,) = _LOG_LEN.unpack_from(record)
    (cube_id,) = _LOG_CUBE_ID.unpack_from(record)
    return cube_id, record[: LOG_HEADER_BYTES + length]


class SlowPath:
    """Reads both perf buffers and calls the events of the cube each record belongs to."""

    def __init__(self, panel: Panel, find: Callable[[int], Receiver | None], log: logging.Logger) -> None:
        self._find = find
        self._packets = PerfReader(panel.maps["pcn_controller"], _PACKET_PAGES, "packets", self._packet, log)
        self._logs = PerfReader(panel.maps["log_buffer"], _LOG_PAGES, "datapath-log", self._log_message, log)

    def close(self) -> None:
        self._packets.close()
        self._logs.close()

    def _packet(self, record: bytes) -> None:
        cube_id, metadata, packet = split_packet(record)
        if receiver := self._find(cube_id):
            receiver.packet_in(metadata, packet)

    def _log_message(self, record: bytes) -> None:
        cube_id, message = split_log(record)
        if receiver := self._find(cube_id):
            receiver.log_message(message)
