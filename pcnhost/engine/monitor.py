"""Notices when netdevs change or are removed."""

import errno
import logging
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol

_RTMGRP_LINK, _RTMGRP_TC = 1, 8
_RTM_DELLINK = 17
_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
_NETDEV = struct.Struct("=BxxxI")  # family and ifindex, the head of struct ifinfomsg and of struct tcmsg
_RECEIVE_BYTES = 1 << 16
_ALIGN = 4
_AFTER_FAILURE_S = 0.1


class NetdevListener(Protocol):
    """Called from the monitor's thread."""

    def netdev_gone(self, ifindex: int) -> None:
        """It has left the network namespace."""

    def netdev_changed(self, ifindex: int) -> None:
        """It has other attributes, or the traffic control on it has changed."""

    def check_netdevs(self) -> None:
        """Reports have been lost."""


class NetdevMonitor:
    """Tells `listener` what happens to the netdevs of the network namespace, from a thread of its own."""

    def __init__(self, listener: NetdevListener, log: logging.Logger) -> None:
        self._listener = listener
        self._log = log
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.bind((0, _RTMGRP_LINK | _RTMGRP_TC))
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
                    self._log.error("reports about netdevs: %s", e)
                    time.sleep(_AFTER_FAILURE_S)
                self._tell(self._listener.check_netdevs)
                continue
            for gone, ifindex in dict.fromkeys(reports(messages)):
                self._tell(self._listener.netdev_gone if gone else self._listener.netdev_changed, ifindex)

    def _tell(self, event: Callable[..., None], *about: int) -> None:
        """A failure of the listener must not end the thread: what comes later has to be noticed, too."""
        try:
            event(*about)
        except Exception:
            self._log.exception("Error processing a change of a netdev")


def reports(messages: bytes) -> Iterator[tuple[bool, int]]:
    """The netdevs that a batch of rtnetlink messages is about: whether it is gone, and its ifindex."""
    at = 0
    while at + _HEADER.size <= len(messages):
        length, kind, *_ = _HEADER.unpack_from(messages, at)
        family, ifindex = _NETDEV.unpack_from(messages, at + _HEADER.size)
        if family == socket.AF_UNSPEC:  # a bridge reports its ports with a family of its own
            yield kind == _RTM_DELLINK, ifindex
        at += max(length, _HEADER.size) + -length % _ALIGN
