"""The sessions of model.py: what their packets look like, and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass
from socket import IPPROTO_TCP, IPPROTO_UDP

from tests.datapath.model_service import Address, Endpoint
from tests.datapath.tables import BACKEND, FRONTEND

CLOSING = ("client closed", "server closed", "closed", "reset", "reset, client", "reset, server")
RESET = ("reset", "reset, client", "reset, server")

FlowKey = tuple[Address, Address, int, int, int, int]  # source, destination, their ports, protocol, side
Client = tuple[Address, int, int]  # address and port on the clients' side, protocol


def client_of(key: FlowKey) -> Client:
    src, dst, sport, dport, proto, side = key
    return (src, sport, proto) if side == FRONTEND else (dst, dport, proto)


@dataclass
class Session:
    """A client's flow to a service, or (`direct`) to a backend itself. `seen`: when either side was last heard of.
    Answers leave by `port` while it is of this `generation`."""

    client: Endpoint
    vip: Endpoint
    visible: Endpoint
    backend: Endpoint
    proto: int
    state: str
    seen: int
    port: int
    generation: int
    direct: bool = False
    confirmed: bool = False
    server_sequence: int = 0  # of a segment of the server, until the session is confirmed; 0: none
    contested: bool = False  # a successor stands in `openings`, or did

    @property
    def request(self) -> FlowKey:
        return self.client[0], self.vip[0], self.client[1], self.vip[1], self.proto, FRONTEND

    @property
    def answer(self) -> FlowKey:
        side = FRONTEND if self.client[0] == self.backend[0] else BACKEND
        return self.backend[0], self.visible[0], self.backend[1], self.visible[1], self.proto, side

    @property
    def answer_from_server(self) -> FlowKey:
        return *self.answer[:5], BACKEND

    @property
    def is_plain(self) -> bool:
        """The backend sees the client as it is."""
        return self.client == self.visible

    @property
    def timeout(self) -> int:
        if self.proto == IPPROTO_TCP:
            by_state = {"established": 86400, "client closed": 3600, "server closed": 3600}
            return by_state.get(self.state, 240)
        if self.proto == IPPROTO_UDP:
            return 180 if self.state == "established" else 120
        return 60

    def is_same(self, other: Session) -> bool:
        return (self.request, self.visible, self.backend) == (other.request, other.visible, other.backend)

    def take_state(self, other: Session) -> None:
        for name in ("state", "seen", "port", "generation", "confirmed", "server_sequence"):
            setattr(self, name, getattr(other, name))


@dataclass
class Found:
    """An entry of the table called `table`, and which of both sent the packet that has found it."""

    table: str
    session: Session
    from_client: bool
    is_successor: bool = False

    @property
    def result(self) -> tuple[Address, Address, int, int]:
        """Addresses and ports of the packets that come out."""
        s = self.session
        one, two = (s.visible, s.backend) if self.from_client else (s.vip, s.client)
        return one[0], two[0], one[1], two[1]
