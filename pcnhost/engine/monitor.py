"""Notices when the kernel removes netdevs."""

import errno
import os
import select
import socket
import struct
import threading
from collections.abc import Callable

_RTMGRP_LINK = 1
_RTM_DELLINK = 17
_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
_LINK = struct.Struct("=BxHiII")  # struct ifinfomsg
_RECEIVE_BYTES = 1 << 16
_ALIGN = 4


class NetdevMonitor:
    """Calls `gone(ifindex)` for every netdev that leaves the network namespace, from a thread of its own.

    Calls `overrun()` when messages were lost."""

    def __init__(self, gone: Callable[[int], None], overrun: Callable[[], None]) -> None:
        self._gone = gone
        self._overrun = overrun
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.bind((0, _RTMGRP_LINK))
        self._stop_reading, self._stop = os.pipe2(os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="netdev-monitor", daemon=True)
        self._thread.start()

    def close(self) -> None:
        os.close(self._stop)
        self._thread.join()
        os.close(self._stop_reading)
        self._socket.close()

    def _run(self) -> None:
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN)
        waiting.register(self._stop_reading)
        while self._stop_reading not in dict(waiting.poll()):
            try:
                messages = self._socket.recv(_RECEIVE_BYTES)
            except OSError as e:
                if e.errno != errno.ENOBUFS:
                    raise
                self._overrun()
                continue
            for ifindex in removed_netdevs(messages):
                self._gone(ifindex)


def removed_netdevs(messages: bytes) -> list[int]:
    """The ifindexes of the netdevs that a batch of rtnetlink messages reports as removed."""
    answer = []
    at = 0
    while at + _HEADER.size <= len(messages):
        length, kind, *_ = _HEADER.unpack_from(messages, at)
        if kind == _RTM_DELLINK:
            family, _, ifindex, *_ = _LINK.unpack_from(messages, at + _HEADER.size)
            if family == socket.AF_UNSPEC:  # a bridge reports its ports with a family of its own
                answer.append(ifindex)
        at += max(length, _HEADER.size) + -length % _ALIGN
    return answer
