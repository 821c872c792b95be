"""Network devices: finding them, and attaching the host's entry programs to them.

Not locked: the engine's lock guards every call.
"""

import errno
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from pcnhost.engine import state

_IFF_UP, _IFF_LOOPBACK = 1, 8
_TC_INGRESS, _TC_EGRESS = 0xFFFFFFF2, 0xFFFFFFF3
_ETH_P_ALL = 3
_FILTER_PRIORITY = 1
_FILTER_HANDLE = 0x50434E  # tells this host's filter from others of the same priority
_FILTER = {"prio": _FILTER_PRIORITY, "protocol": _ETH_P_ALL, "handle": _FILTER_HANDLE}
_XDP_FLAGS_ONLY_IF_FREE = 1
XDP_MODES = {"XDP_SKB": 2, "XDP_DRV": 4}  # cube type -> flag of the attachment


@dataclass(frozen=True)
class _Attachment:
    """What this host has put on a netdev: XDP mode flag (0: TC), and whether clsact is its own."""

    ifindex: int
    xdp_mode: int
    own_clsact: bool

    def note(self) -> str:
        return f"{self.ifindex} {self.xdp_mode} {int(self.own_clsact)}"

    @classmethod
    def from_note(cls, text: str) -> "_Attachment":
        ifindex, xdp_mode, own_clsact = map(int, text.split())
        return cls(ifindex, xdp_mode, bool(own_clsact))


class Netdevs:
    """The netdevs of the process's network namespace. Raises OSError when the kernel refuses."""

    def __init__(self, notes: Path, log: logging.Logger) -> None:
        self._notes = notes
        self._log = log
        self._ipr = IPRoute()
        self._attached: dict[str, _Attachment] = {}
        self._leftover = {name: _Attachment.from_note(text) for name, text in state.read_notes(notes).items()}

    def close(self) -> None:
        self._ipr.close()

    def find(self, name: str) -> int | None:
        """The ifindex of the netdev if it exists and is administratively up."""
        links = self._links(ifname=name)
        return links[0]["index"] if links and links[0]["flags"] & _IFF_UP else None

    def exists(self, ifindex: int) -> bool:
        return bool(self._links(ifindex))

    def usable(self) -> list[dict[str, Any]]:
        """Every netdev that is up and no loopback: `name`, and `addresses` (with prefix) if it has some."""
        addresses: dict[int, list[str]] = {}
        for message in self._ipr.get_addr():
            address = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
            addresses.setdefault(message["index"], []).append(f"{address}/{message['prefixlen']}")
        answer = []
        for link in self._links():
            if link["flags"] & _IFF_UP and not link["flags"] & _IFF_LOOPBACK:
                entry = {"name": link.get_attr("IFLA_IFNAME")}
                if link["index"] in addresses:
                    entry["addresses"] = addresses[link["index"]]
                answer.append(entry)
        return answer

    def attach_tc(self, name: str, ifindex: int, program_fd: int) -> None:
        """Sends what the netdev receives to a TC program, instead of to an earlier one of ours."""
        self._claim(name, ifindex, xdp_mode=0)
        self._set_filter(name, _TC_INGRESS, program_fd)

    def attach_xdp(self, name: str, ifindex: int, program_fd: int, mode: int) -> None:
        """Likewise to an XDP program; `mode` is one of XDP_MODES. Never replaces somebody else's program."""
        ours = self._claim(name, ifindex, mode)
        flags = mode if ours else mode | _XDP_FLAGS_ONLY_IF_FREE
        try:
            self._set_xdp(ifindex, program_fd, flags)
        except NetlinkError:
            self.detach(name)
            raise

    def set_egress(self, name: str, program_fd: int | None) -> None:
        """Sends the packets that leave by an attached netdev through a TC program, or through none."""
        if program_fd is not None:
            self._set_filter(name, _TC_EGRESS, program_fd)
        elif self._attached[name].own_clsact or not self._attached[name].xdp_mode:
            self._delete_filter(self._attached[name].ifindex, _TC_EGRESS)

    def detach(self, name: str) -> None:
        """Takes off whatever of this host is on the netdev; a netdev that is gone is fine."""
        attachment = self._attached.pop(name, None) or self._leftover.pop(name, None)
        state.remove(self._notes / state.file_name(name))
        if attachment is None or not self.exists(attachment.ifindex):
            return
        if attachment.xdp_mode:
            self._ignoring_missing(self._set_xdp, attachment.ifindex, -1, attachment.xdp_mode)
        for parent in (_TC_INGRESS, _TC_EGRESS):
            self._delete_filter(attachment.ifindex, parent)
        if attachment.own_clsact and not self._has_filters(attachment.ifindex):
            self._ignoring_missing(self._ipr.tc, "del", "clsact", attachment.ifindex)

    def gone(self, name: str) -> None:
        """The kernel has removed the netdev, and everything on it."""
        self._attached.pop(name, None)
        state.remove(self._notes / state.file_name(name))

    def sweep(self) -> None:
        """Detaches what an earlier process left and this one has not taken over."""
        for name in list(self._leftover):
            self.detach(name)

    def _claim(self, name: str, ifindex: int, xdp_mode: int) -> bool:
        """Makes the netdev ours; answers whether it has been so before, in the same mode."""
        earlier = self._leftover.get(name)
        if earlier and (earlier.ifindex, earlier.xdp_mode) != (ifindex, xdp_mode):
            self.detach(name)
            earlier = None
        self._leftover.pop(name, None)
        self._note(name, earlier or _Attachment(ifindex, xdp_mode, own_clsact=False))
        return earlier is not None

    def _note(self, name: str, attachment: _Attachment) -> None:
        self._attached[name] = attachment
        state.write_note(self._notes / state.file_name(name), attachment.note())

    def _links(self, *args: int, **filters: str) -> list[Any]:
        try:
            return list(self._ipr.get_links(*args, **filters))
        except NetlinkError:
            return []

    def _has_filters(self, ifindex: int) -> bool:
        return any(self._ipr.get_filters(ifindex, parent=parent) for parent in (_TC_INGRESS, _TC_EGRESS))

    def _set_filter(self, name: str, parent: int, program_fd: int) -> None:
        attachment = self._attached[name]
        try:
            self._ipr.tc("add", "clsact", attachment.ifindex)
            self._note(name, replace(attachment, own_clsact=True))
        except NetlinkError as e:
            if e.code != errno.EEXIST:
                raise
        self._ipr.tc(
            "replace-filter",
            "bpf",
            attachment.ifindex,
            parent=parent,
            fd=program_fd,
            name="pcnhost",
            direct_action=True,
            **_FILTER,
        )

    def _delete_filter(self, ifindex: int, parent: int) -> None:
        self._ignoring_missing(self._ipr.tc, "del-filter", "bpf", ifindex, parent=parent, **_FILTER)

    def _set_xdp(self, ifindex: int, program_fd: int, flags: int) -> None:
        self._ipr.link(
            "set", index=ifindex, xdp={"attrs": [("IFLA_XDP_FD", program_fd), ("IFLA_XDP_FLAGS", flags)]}
        )

    def _ignoring_missing(self, call: Any, *args: Any, **kwargs: Any) -> None:
        try:
            call(*args, **kwargs)
        except NetlinkError as e:
            self._log.debug("%s: %s", args, e)
