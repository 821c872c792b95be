"""Asks rtnetlink for one netdev.

pyroute2 encodes and decodes the messages, but does not carry them: IPRoute dumps all netdevs to answer for one,
or keeps the acknowledgement of such a request for ever."""

import errno
import os
import socket
import struct
import threading
from typing import Any

from pyroute2.netlink import NLM_F_REQUEST, NLMSG_ERROR
from pyroute2.netlink.rtnl import RTM_GETLINK
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

_ANSWER_BYTES = 1 << 18
_NAME_BYTES = 15
_TYPE = struct.Struct("=4xH")  # in struct nlmsghdr
_ERROR = struct.Struct("=16xi")  # in struct nlmsgerr, behind its nlmsghdr


class LinkReader:
    """Reads the netdevs of the network namespace of the thread that has created it. Safe to use from any thread."""

    def __init__(self) -> None:
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
        )
        self._lock = threading.Lock()

    def close(self) -> None:
        self._socket.close()

    def by_index(self, ifindex: int, netnsid: int | None = None) -> Any | None:
        """The netdev of this number, in the namespace that this one knows by `netnsid`; None without one.

        Raises OSError."""
        request = ifinfmsg()
        request["index"] = ifindex
        request["attrs"] = [] if netnsid is None else [("IFLA_IF_NETNSID", netnsid)]
        return self._ask(request)

    def by_name(self, name: str) -> Any | None:
        """The netdev of this name (alternative names do not count), None when there is none. Raises OSError."""
        if not 0 < len(os.fsencode(name)) <= _NAME_BYTES or "\0" in name:
            return None
        request = ifinfmsg()
        request["attrs"] = [("IFLA_IFNAME", name.encode(errors="replace"))]
        link = self._ask(request)
        return link if link and link.get_attr("IFLA_IFNAME") == name else None

    def _ask(self, request: Any) -> Any | None:
        request["header"]["type"] = RTM_GETLINK
        request["header"]["flags"] = NLM_F_REQUEST
        request.encode()
        with self._lock:
            self._socket.send(request.data)
            answer = self._socket.recv(_ANSWER_BYTES)
        if _TYPE.unpack_from(answer)[0] == NLMSG_ERROR:
            code = -_ERROR.unpack_from(answer)[0]
            if code == errno.ENODEV:
                return None
            raise OSError(code, os.strerror(code))
        link = ifinfmsg(answer)
        link.decode()
        return link
