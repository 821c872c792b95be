"""What links and cubes know of each other, and the state of a link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from pcnhost.engine.source import Hook


@dataclass
class Link:
    """The connection of one port. Only Links changes it, holding the engine's lock."""

    peer: str = ""  # what is wanted: a netdev, `cube:port`, or nothing
    up: bool = False  # there is a way for packets
    enabled: bool = True  # the peer is not a netdev that has been set down since
    carrier: bool = True  # the peer is not a netdev whose other end is down or unplugged
    ifindex: int = 0  # of the peer when that is a netdev and attached
    problem: str = ""  # why that netdev is not attached
    far_mac: bytes | None = None  # of that netdev's other end when packets may be put there at once
    # Its forwarding entry comes from an earlier process and stays until the link is known better.
    adopted: bool = False

    def forget_netdev(self) -> None:
        """What was found out about the one that is the peer no more."""
        self.far_mac, self.enabled, self.carrier = None, True, True


class End(Protocol):
    """A port, as a link sees it."""

    @property
    def cube(self) -> Node: ...
    @property
    def name(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def index(self) -> int: ...


class Node(Protocol):
    """A cube, as a link sees it."""

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def hook(self) -> Hook: ...
    @property
    def has_egress(self) -> bool: ...
    @property
    def max_ports(self) -> int: ...
    @property
    def ports(self) -> Mapping[str, End]: ...
    def set_hops(self, port_index: int, after_ingress: bytes, after_egress: bytes) -> None:
        """Writes the forwarding entries (`struct _POLYCUBE_peer_info`) of a port."""
