"""Network devices, known by their index: names change. Finding them, and this host's programs on them.

Not locked: the engine's lock guards every call. Methods raise OSError when the kernel refuses.
"""

import logging
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pcnhost.engine import bpf, state
from pcnhost.engine.attachment import CLSACT_HOOKS, XDP_FLAGS, Attachment, Spot, attach, recorded
from pcnhost.engine.netlink import IFF_LOOPBACK, IFF_LOWER_UP, IFF_UP, TC_EGRESS, Netlink
from pcnhost.errors import HostError

ENTRIES = {"TC": Spot.TC_INGRESS, "XDP_SKB": Spot.XDP_SKB, "XDP_DRV": Spot.XDP_DRV}  # by type of the cube
_CUBE = "cube"  # note: whom the netdev leads to


class Netdevs:
    """The netdevs of the network namespace. `records` is where the state directory tells what is attached to them."""

    def __init__(self, records: Path, netlink: Netlink, log: logging.Logger) -> None:
        self._records = records
        self._netlink = netlink
        self._log = log
        self._attached: dict[int, dict[Spot, Attachment]] = {}
        self._read_records()
        self._leftover = set(self._attached)  # by an earlier process
        self.packet_out = 0  # the ifindex of the host's own

    def find(self, name: str) -> int | None:
        """The ifindex of the netdev if it exists and is administratively up.

        Raises HostError when no program may take its packets: what the machine says to itself, the API included,
        and what services send."""
        link = self._netlink.by_name(name)
        if link and (link["flags"] & IFF_LOOPBACK or link["index"] == self.packet_out):
            what = "the loopback interface" if link["flags"] & IFF_LOOPBACK else "how the host sends packets"
            raise HostError(f"peer: {name} is {what}, allowed: another port, another network interface")
        return link["index"] if link and link["flags"] & IFF_UP else None

    def look(self, ifindex: int) -> Any | None:
        """What the kernel says about a netdev, None when there is none."""
        return self._netlink.by_index(ifindex)

    def usable(self) -> list[dict[str, Any]]:
        """Every netdev that is up and may be a peer: `name`, and `addresses` (with prefix) if it has some."""
        addresses: dict[int, list[str]] = {}
        for message in self._netlink.addresses():
            address = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
            addresses.setdefault(message["index"], []).append(f"{address}/{message['prefixlen']}")
        answer = []
        for link in self._netlink.links():
            if link["index"] != self.packet_out and link["flags"] & (IFF_UP | IFF_LOOPBACK) == IFF_UP:
                entry = {"name": link.get_attr("IFLA_IFNAME")}
                if link["index"] in addresses:
                    entry["addresses"] = addresses[link["index"]]
                answer.append(entry)
        return answer

    def far_mac(self, link: Any) -> bytes | None:
        """The MAC address of a veth's other end if TC programs may put packets there at once, else None.

        That skips the way out of this end, so nothing may be there that packets have to meet. And the kernel
        drops such packets unless the other end is up and in another network namespace."""
        try:
            namespace = link.get_attr("IFLA_LINK_NETNSID")
            if namespace is None or not self._is_bare_veth(link):
                return None
            far = self._netlink.by_index(link.get_attr("IFLA_LINK"), namespace)
        except OSError:  # it is changing right now, which will be reported
            return None
        # An XDP program in the driver would be skipped, too.
        if not far or far.get_nested("IFLA_XDP", "IFLA_XDP_ATTACHED"):
            return None
        return bytes.fromhex(far.get_attr("IFLA_ADDRESS").replace(":", ""))

    def _is_bare_veth(self, link: Any) -> bool:
        """Whether it is a veth with a link to its other end, and neither queues packets nor has programs for them."""
        return (
            link.get_nested("IFLA_LINKINFO", "IFLA_INFO_KIND") == "veth"
            and bool(link["flags"] & IFF_LOWER_UP)
            and link.get_attr("IFLA_QDISC") == "noqueue"
            and not self._netlink.has_filters(link["index"], TC_EGRESS)
            and not bpf.has_tcx_egress(link["index"])
        )

    def attach(self, ifindex: int, cube: str, entry: Spot, program_fd: int) -> None:
        """Sends what the netdev receives to a program, instead of to an earlier one of ours."""
        for spot in set(self._attached.get(ifindex, ())) - {entry, Spot.TC_EGRESS}:
            self._attached[ifindex].pop(spot).detach()
        self._put(ifindex, entry, program_fd)
        self._leftover.discard(ifindex)
        state.write_note(self._directory(ifindex) / _CUBE, cube)

    def set_egress(self, ifindex: int, program_fd: int | None) -> None:
        """Sends the packets that leave by an attached netdev through a TC program, or through none."""
        if program_fd is not None:
            self._put(ifindex, Spot.TC_EGRESS, program_fd)
        elif egress := self._attached.get(ifindex, {}).pop(Spot.TC_EGRESS, None):
            egress.detach()

    def is_attached(self, ifindex: int) -> bool:
        """Whether all that this host has put on the netdev is there, and so is the netdev."""
        attached = self._attached.get(ifindex, {})
        return self.look(ifindex) is not None and all(one.is_on() for one in attached.values())

    def detach(self, ifindex: int) -> None:
        """Takes off whatever of this host is on the netdev; one that is gone, or somewhere else now, is fine."""
        attached = self._attached.pop(ifindex, {})
        for spot in sorted(
            attached, key=lambda spot: spot is not Spot.TC_EGRESS
        ):  # the clsact qdisc goes last
            attached[spot].detach()
        self._leftover.discard(ifindex)
        state.remove(self._directory(ifindex))

    def leave(self, ifindex: int) -> None:
        """It is again as if an earlier process had left what is attached."""
        self._leftover.add(ifindex)

    def sweep(self, kept: Collection[str] = ()) -> None:
        """Detaches what an earlier process left and this one has not taken over, but for what leads to cubes `kept`."""
        for ifindex in list(self._leftover):
            if state.read_note(self._directory(ifindex) / _CUBE) not in kept:
                self._log.info("netdev %d is released, nobody has taken it over", ifindex)
                self.detach(ifindex)

    def _put(self, ifindex: int, spot: Spot, program_fd: int) -> None:
        attached = self._attached.setdefault(ifindex, {})
        earlier = attached.get(spot)
        if earlier and earlier.is_on():
            earlier.replace(program_fd)
            return
        if earlier:
            attached.pop(spot).detach()
        attached[spot] = attach(
            self._directory(ifindex) / spot.value, self._netlink, ifindex, spot, program_fd
        )

    def _directory(self, ifindex: int) -> Path:
        return self._records / str(ifindex)

    def _read_records(self) -> None:
        for name, text in state.read_notes(self._records).items():
            self._convert(text)
            state.remove(self._records / state.file_name(name))
        for name in state.directories(self._records):
            directory, ifindex = self._records / name, int(name)
            spots = [spot for spot in Spot if os.path.lexists(directory / spot.value)]
            self._attached[ifindex] = {
                spot: recorded(directory / spot.value, self._netlink, ifindex, spot) for spot in spots
            }

    def _convert(self, text: str) -> None:
        """Reads the record of version 3.0.0, which knew netdevs by name: ifindex, XDP flag (0: TC), own clsact."""
        ifindex, xdp_flag, own_clsact = map(int, text.split())
        link = self.look(ifindex)
        if not link:
            return
        directory = self._directory(ifindex)
        if xdp_flag:
            spot = Spot.XDP_SKB if xdp_flag == XDP_FLAGS[Spot.XDP_SKB] else Spot.XDP_DRV
            state.write_note(
                directory / spot.value, str(link.get_nested("IFLA_XDP", "IFLA_XDP_PROG_ID") or 0)
            )
            return
        for spot, hook in CLSACT_HOOKS.items():
            if self._netlink.has_own_filter(ifindex, hook):
                state.write_note(directory / spot.value, str(own_clsact))
