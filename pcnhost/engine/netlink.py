"""What the engine asks of rtnetlink, by pyroute2."""

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from pcnhost.engine.netlink_link import LinkReader

__all__ = ["IFF_LOOPBACK", "IFF_LOWER_UP", "IFF_UP", "TC_EGRESS", "TC_INGRESS", "Netlink"]

IFF_UP, IFF_LOOPBACK, IFF_LOWER_UP = 1, 8, 0x10000
TC_INGRESS, TC_EGRESS = 0xFFFFFFF2, 0xFFFFFFF3  # the two hooks of a clsact qdisc
_ETH_P_ALL = 3
_FILTER_HANDLE = 0x50434E  # tells this host's filter from others of the same priority
_FILTER = {"prio": 1, "protocol": _ETH_P_ALL, "handle": _FILTER_HANDLE}


class Netlink:
    """Works in the network namespace of the thread that has created it; safe to use from any thread.

    Methods raise OSError when the kernel refuses."""

    def __init__(self) -> None:
        # IPRoute opens a socket for every thread it is used from, and keeps it: let that be only one.
        self._thread = ThreadPoolExecutor(1, "netlink")
        self._ipr = self._thread.submit(IPRoute).result()
        reader = LinkReader()
        self.by_index, self.by_name = reader.by_index, reader.by_name
        self._reader = reader

    def close(self) -> None:
        self._reader.close()
        self._thread.submit(self._ipr.close).result()
        self._thread.shutdown()

    def links(self) -> list[Any]:
        """All netdevs."""
        return self._request("get_links")

    def addresses(self) -> list[Any]:
        return self._request("get_addr")

    def set_up(self, ifindex: int, mtu: int) -> None:
        self._request("link", "set", index=ifindex, mtu=mtu, state="up")

    def set_xdp(self, ifindex: int, program_fd: int, flags: int) -> None:
        """Attaches an XDP program, or takes it off (-1)."""
        attach = [("IFLA_XDP_FD", program_fd), ("IFLA_XDP_FLAGS", flags)]
        self._request("link", "set", index=ifindex, xdp={"attrs": attach})

    def add_clsact(self, ifindex: int) -> bool:
        """Makes sure that there is a clsact qdisc; answers whether there was none."""
        try:
            self._request("tc", "add", "clsact", ifindex)
        except OSError as e:
            if e.errno != errno.EEXIST:
                raise
            return False
        return True

    def delete_clsact(self, ifindex: int) -> None:
        self._request("tc", "del", "clsact", ifindex)

    def set_filter(self, ifindex: int, hook: int, program_fd: int) -> None:
        """Puts a direct-action filter on TC_INGRESS or TC_EGRESS, in the place of our earlier one."""
        bpf = {"fd": program_fd, "name": "pcnhost", "direct_action": True}
        self._request("tc", "replace-filter", "bpf", ifindex, parent=hook, **_FILTER, **bpf)

    def delete_filter(self, ifindex: int, hook: int) -> None:
        self._request("tc", "del-filter", "bpf", ifindex, parent=hook, **_FILTER)

    def has_filters(self, ifindex: int, *hooks: int) -> bool:
        """Whether anybody has a filter on one of the hooks of the clsact qdisc."""
        return any(self._filters(ifindex, hook) for hook in hooks)

    def has_own_filter(self, ifindex: int, hook: int) -> bool:
        """Whether our filter is on the hook."""
        return any(message["handle"] == _FILTER_HANDLE for message in self._filters(ifindex, hook))

    def _filters(self, ifindex: int, hook: int) -> list[Any]:
        return self._request("get_filters", ifindex, parent=hook)

    def _request(self, method: str, *args: Any, **kwargs: Any) -> list[Any]:
        try:
            return self._thread.submit(
                lambda: list(getattr(self._ipr, method)(*args, **kwargs) or ())
            ).result()
        except NetlinkError as e:
            raise OSError(e.code, os.strerror(e.code)) from None
