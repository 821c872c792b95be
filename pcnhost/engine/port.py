"""A port of a cube."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from pcnhost.errors import HostError

if TYPE_CHECKING:
    from pcnhost.engine.cube import Cube
    from pcnhost.engine.links import Links


class Port:
    """A port, numbered `index` within its cube, leading to a peer: a netdev, a port of a cube, or nothing.

    Safe to use from any thread. Only `Links` changes `peer`, `up`, `ifindex`, `problem`, `far_mac`, holding the
    engine's lock."""

    def __init__(self, cube: Cube, name: str, index: int, links: Links, adopted: bool) -> None:
        self.cube = cube
        self.name = name
        self.index = index
        self.uuid = str(uuid.uuid4())
        self.peer = ""
        self.up = False
        self.ifindex = 0  # of the peer when that is a netdev
        self.problem = ""  # why that netdev is not attached
        self.far_mac: bytes | None = None  # of that netdev's other end when packets may be put there at once
        # Its forwarding entry comes from an earlier process and stays until the link is known better.
        self.adopted = adopted
        self._links = links

    @property
    def path(self) -> str:
        return f"{self.cube.name}:{self.name}"

    @property
    def status(self) -> str:
        """`UP` when packets can leave by this port, otherwise `DOWN`."""
        return "UP" if self.up else "DOWN"

    @property
    def why_down(self) -> str:
        """Why the status is DOWN, for people; empty when it is UP."""
        return self._links.why_down(self)

    def set_peer(self, peer: str) -> None:
        """Connects the port to a netdev or `cube:port`, or to nothing (empty). Raises HostError."""
        self._links.set_peer(self, peer)

    def set_conf(self, conf: dict[str, Any]) -> None:
        """Applies the members the host knows: `peer`. Raises HostError."""
        if conf.get("tcubes"):
            raise HostError("Transparent cubes are not supported")
        if "peer" in conf:
            self.set_peer(conf["peer"])

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "uuid": self.uuid, "status": self.status, "peer": self.peer}

    def send_packet_out(self, packet: bytes, recirculate: bool = False) -> None:
        """Sends an Ethernet frame to the peer, or (recirculate) into the cube as if received by this port.

        Without a peer the frame is dropped, with a warning. Raises HostError when it cannot be sent."""
        self._links.send_packet_out(self, packet, recirculate)
