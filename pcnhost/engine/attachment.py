"""A program of this host on a hook of a netdev, and the record of it in the state directory.

It is a BPF link where the kernel has them: pinned, it outlives the process, and nobody replaces it by accident.
Otherwise it is what came before: a filter of a clsact qdisc, or an XDP program set by rtnetlink; then the record is
a note. Methods raise OSError."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

from pcnhost.engine import bpf, bpf_link, state
from pcnhost.engine.netlink import TC_EGRESS, TC_INGRESS, Netlink

_XDP_FLAGS_ONLY_IF_FREE = 1


class Spot(Enum):
    """Where on a netdev a program can be; the value names the record."""

    TC_INGRESS = "tc_ingress"
    TC_EGRESS = "tc_egress"
    XDP_SKB = "xdp_skb"
    XDP_DRV = "xdp_drv"


CLSACT_HOOKS = {Spot.TC_INGRESS: TC_INGRESS, Spot.TC_EGRESS: TC_EGRESS}
XDP_FLAGS = {Spot.XDP_SKB: 2, Spot.XDP_DRV: 4}
_LINK_TYPES = {
    Spot.TC_INGRESS: (bpf_link.ATTACH_TCX_INGRESS, 0),
    Spot.TC_EGRESS: (bpf_link.ATTACH_TCX_EGRESS, 0),
    **{spot: (bpf_link.ATTACH_XDP, flag) for spot, flag in XDP_FLAGS.items()},
}


class Attachment(Protocol):
    """A program on a netdev."""

    def replace(self, program_fd: int) -> None:
        """Puts another program in the place of this one, without a gap."""

    def detach(self) -> None:
        """Takes the program off, and removes the record. What is gone already is fine; what is not ours stays."""

    def is_on(self) -> bool:
        """Whether the program is where it was put."""


def attach(record: Path, netlink: Netlink, ifindex: int, spot: Spot, program_fd: int) -> Attachment:
    """Puts a program on a netdev. Never replaces somebody else's."""
    link_fd = bpf_link.create(program_fd, ifindex, *_LINK_TYPES[spot])
    if link_fd is not None:
        try:
            record.parent.mkdir(parents=True, exist_ok=True)
            bpf.pin(link_fd, record)
        finally:
            os.close(link_fd)  # without a pin this takes the program off
        return _Link(record, ifindex)
    if spot in CLSACT_HOOKS:
        clsact = _Filter(record, netlink, ifindex, spot, netlink.add_clsact(ifindex))
        clsact.replace(program_fd)
        return clsact
    netlink.set_xdp(ifindex, program_fd, XDP_FLAGS[spot] | _XDP_FLAGS_ONLY_IF_FREE)
    xdp = _NetlinkXdp(record, netlink, ifindex, spot, 0)
    xdp.note(program_fd)
    return xdp


def recorded(record: Path, netlink: Netlink, ifindex: int, spot: Spot) -> Attachment:
    """What an earlier process has recorded there."""
    note = state.read_note(record)
    if note is None:
        return _Link(record, ifindex)
    if spot in CLSACT_HOOKS:
        return _Filter(record, netlink, ifindex, spot, bool(int(note)))
    return _NetlinkXdp(record, netlink, ifindex, spot, int(note))


@dataclass(frozen=True)
class _Link:
    """By a BPF link; the record is its pin."""

    record: Path
    ifindex: int

    def replace(self, program_fd: int) -> None:
        with self._open() as fd:
            bpf_link.update(fd, program_fd)

    def detach(self) -> None:
        with suppress(FileNotFoundError), self._open() as fd:
            bpf_link.detach(fd)
        state.remove(self.record)

    def is_on(self) -> bool:
        with suppress(FileNotFoundError), self._open() as fd:
            return bpf_link.ifindex(fd) == self.ifindex
        return False

    @contextmanager
    def _open(self) -> Iterator[int]:
        fd = bpf.open_pin(self.record)
        if fd is None:
            raise FileNotFoundError(self.record)
        try:
            yield fd
        finally:
            os.close(fd)


@dataclass(frozen=True)
class _Filter:
    """By a filter; the record tells whether the clsact qdisc is ours, too."""

    record: Path
    netlink: Netlink
    ifindex: int
    spot: Spot
    own_clsact: bool

    def replace(self, program_fd: int) -> None:
        state.write_note(self.record, str(int(self.own_clsact)))
        self.netlink.set_filter(self.ifindex, CLSACT_HOOKS[self.spot], program_fd)

    def detach(self) -> None:
        state.remove(self.record)
        with suppress(OSError):  # the netdev has gone, or the filter
            self.netlink.delete_filter(self.ifindex, CLSACT_HOOKS[self.spot])
        if self.own_clsact:
            with suppress(OSError):
                if not self.netlink.has_filters(self.ifindex, TC_INGRESS, TC_EGRESS):
                    self.netlink.delete_clsact(self.ifindex)

    def is_on(self) -> bool:
        return self.netlink.has_own_filter(self.ifindex, CLSACT_HOOKS[self.spot])


@dataclass
class _NetlinkXdp:
    """By rtnetlink; the record tells which program is ours."""

    record: Path
    netlink: Netlink
    ifindex: int
    spot: Spot
    program_id: int

    def note(self, program_fd: int) -> None:
        self.program_id = bpf.program_id(program_fd)
        state.write_note(self.record, str(self.program_id))

    def replace(self, program_fd: int) -> None:
        self.netlink.set_xdp(self.ifindex, program_fd, XDP_FLAGS[self.spot])
        self.note(program_fd)

    def detach(self) -> None:
        state.remove(self.record)
        with suppress(OSError):
            if self.is_on():
                self.netlink.set_xdp(self.ifindex, -1, XDP_FLAGS[self.spot])

    def is_on(self) -> bool:
        link = self.netlink.by_index(self.ifindex)
        return link is not None and link.get_nested("IFLA_XDP", "IFLA_XDP_PROG_ID") == self.program_id
