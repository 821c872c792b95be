"""Network devices: finding them, and attaching the host's entry programs to them.

Not locked: the engine's lock guards every call. Methods raise NetlinkError when the kernel refuses.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pcnhost.engine import bpf, state
from pcnhost.engine.netlink import (
    IFF_LOOPBACK,
    IFF_LOWER_UP,
    IFF_UP,
    TC_EGRESS,
    TC_INGRESS,
    Netlink,
    NetlinkError,
)

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
    """The netdevs of the network namespace; remembers in `notes` what is attached where."""

    def __init__(self, notes: Path, netlink: Netlink, log: logging.Logger) -> None:
        self._notes = notes
        self._netlink = netlink
        self._log = log
        self._attached: dict[str, _Attachment] = {}
        notes_left = state.read_notes(notes)
        self._leftover = {name: _Attachment.from_note(text) for name, text in notes_left.items()}

    def find(self, name: str) -> int | None:
        """The ifindex of the netdev if it exists and is administratively up."""
        links = self._netlink.links(ifname=name)
        return links[0]["index"] if links and links[0]["flags"] & IFF_UP else None

    def exists(self, ifindex: int) -> bool:
        return bool(self._netlink.links(ifindex))

    def usable(self) -> list[dict[str, Any]]:
        """Every netdev that is up and no loopback: `name`, and `addresses` (with prefix) if it has some."""
        addresses: dict[int, list[str]] = {}
        for message in self._netlink.addresses():
            address = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
            addresses.setdefault(message["index"], []).append(f"{address}/{message['prefixlen']}")
        answer = []
        for link in self._netlink.links():
            if link["flags"] & IFF_UP and not link["flags"] & IFF_LOOPBACK:
                entry = {"name": link.get_attr("IFLA_IFNAME")}
                if link["index"] in addresses:
                    entry["addresses"] = addresses[link["index"]]
                answer.append(entry)
        return answer

    def far_mac(self, ifindex: int) -> bytes | None:
        """The MAC address of a veth's other end if TC programs may put packets there at once, else None.

        That skips the way out of this end, so nothing may be there that packets have to meet. And the kernel
        drops such packets unless the other end is up and in another network namespace."""
        try:
            links = self._netlink.links(ifindex)
            if not links or not self._is_bare_veth(links[0]):
                return None
            namespace = links[0].get_attr("IFLA_LINK_NETNSID")
            if namespace is None:
                return None
            far = self._netlink.links(links[0].get_attr("IFLA_LINK"), IFLA_IF_NETNSID=namespace)
        except NetlinkError:  # it is changing right now, which will be reported
            return None
        # An XDP program in the driver would be skipped, too.
        if not far or far[0].get_nested("IFLA_XDP", "IFLA_XDP_ATTACHED"):
            return None
        return bytes.fromhex(far[0].get_attr("IFLA_ADDRESS").replace(":", ""))

    def _is_bare_veth(self, link: Any) -> bool:
        """Whether it is a veth with a link to its other end, and neither queues packets nor has programs for them."""
        return (
            link.get_nested("IFLA_LINKINFO", "IFLA_INFO_KIND") == "veth"
            and bool(link["flags"] & IFF_LOWER_UP)
            and link.get_attr("IFLA_QDISC") == "noqueue"
            and not self._netlink.has_filters(link["index"], TC_EGRESS)
            and not bpf.has_tcx_egress(link["index"])
        )

    def attach_tc(self, name: str, ifindex: int, program_fd: int) -> None:
        """Sends what the netdev receives to a TC program, instead of to an earlier one of ours."""
        self._claim(name, ifindex, xdp_mode=0)
        self._set_filter(name, TC_INGRESS, program_fd)

    def attach_xdp(self, name: str, ifindex: int, program_fd: int, mode: int) -> None:
        """Likewise to an XDP program; `mode` is one of XDP_MODES. Never replaces somebody else's program."""
        ours = self._claim(name, ifindex, mode)
        try:
            self._netlink.set_xdp(ifindex, program_fd, mode if ours else mode | _XDP_FLAGS_ONLY_IF_FREE)
        except NetlinkError:
            self.gone(name)
            raise

    def set_egress(self, name: str, program_fd: int | None) -> None:
        """Sends the packets that leave by an attached netdev through a TC program, or through none."""
        if program_fd is not None:
            self._set_filter(name, TC_EGRESS, program_fd)
        else:
            with self._best_effort():
                self._netlink.delete_filter(self._attached[name].ifindex, TC_EGRESS)

    def detach(self, name: str) -> None:
        """Takes off whatever of this host is on the netdev; a netdev that is gone is fine."""
        attachment = self._attached.pop(name, None) or self._leftover.pop(name, None)
        state.remove(self._notes / state.file_name(name))
        if attachment is None or not self.exists(attachment.ifindex):
            return
        if attachment.xdp_mode:
            with self._best_effort():
                self._netlink.set_xdp(attachment.ifindex, -1, attachment.xdp_mode)
        for hook in (TC_INGRESS, TC_EGRESS):
            with self._best_effort():
                self._netlink.delete_filter(attachment.ifindex, hook)
        if attachment.own_clsact:
            with self._best_effort():
                if not self._netlink.has_filters(attachment.ifindex, TC_INGRESS, TC_EGRESS):
                    self._netlink.delete_clsact(attachment.ifindex)

    def gone(self, name: str) -> None:
        """Nothing of this host is on the netdev: the kernel has removed it, or has not let us."""
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

    def _set_filter(self, name: str, hook: int, program_fd: int) -> None:
        attachment = self._attached[name]
        if self._netlink.add_clsact(attachment.ifindex):
            self._note(name, replace(attachment, own_clsact=True))
        self._netlink.set_filter(attachment.ifindex, hook, program_fd)

    @contextmanager
    def _best_effort(self) -> Iterator[None]:
        """What is to be removed may be missing."""
        try:
            yield
        except NetlinkError as e:
            self._log.debug("removing from a netdev: %s", e)
