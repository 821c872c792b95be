"""A port of a cube."""

from __future__ import annotations

import uuid
from typing import Any

from pcnhost.engine.link import Node
from pcnhost.engine.links import Links
from pcnhost.errors import HostError


class Port:
    """A port, numbered `index` within its cube, leading to a peer: a netdev, a port of a cube, or nothing.

    Safe to use from any thread. Its link belongs to `Links`."""

    def __init__(self, cube: Node, name: str, index: int, links: Links) -> None:
        self.cube = cube
        self.name = name
        self.index = index
        self.uuid = str(uuid.uuid4())
        self._links = links

    @property
    def path(self) -> str:
        return f"{self.cube.name}:{self.name}"

    @property
    def peer(self) -> str:
        """The peer that is wanted; the status says whether it is there."""
        return self._links.of(self).peer

    @property
    def status(self) -> str:
        """`UP` when packets can leave by this port, otherwise `DOWN`."""
        link = self._links.of(self)
        return "UP" if link.up and link.enabled else "DOWN"

    @property
    def carrier(self) -> bool:
        """Whether the interface that is the peer, if it is one, has somebody at its other end."""
        return self._links.of(self).carrier

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
        link = self._links.of(self)
        return {"name": self.name, "uuid": self.uuid, "status": self.status, "peer": link.peer}

    def send_packet_out(self, packet: bytes, recirculate: bool = False) -> None:
        """Sends an Ethernet frame to the peer, or (recirculate) into the cube as if received by this port.

        Without a peer the frame is dropped, with a warning. Raises HostError when it cannot be sent."""
        self._links.send_packet_out(self, packet, recirculate)
