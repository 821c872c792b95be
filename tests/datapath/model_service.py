"""Services as the model of the load balancer knows them: who gets new sessions, and from where they may come."""

from __future__ import annotations

from dataclasses import dataclass, field

Address = bytes
Endpoint = tuple[Address, int]
ServiceKey = tuple[Address, int, int]  # address, port, protocol


@dataclass
class Service:
    """`usable` backends get new sessions; `members` keep those they have. `version` counts changes. `affinity` is its
    timeout; `sources` are networks and the lengths of their prefixes."""

    usable: frozenset[Endpoint]
    members: frozenset[Endpoint]
    version: int
    affinity: int = 0
    sources: tuple[tuple[Address, int], ...] = ()

    def serves(self, client: Address) -> bool:
        def bits(address: Address, length: int) -> int:
            return int.from_bytes(address) >> (32 - length)

        return not self.sources or any(bits(client, n) == bits(net, n) for net, n in self.sources)


@dataclass
class Affinities:
    """The backend of each client's last new session, and when that was."""

    _last: dict[tuple[ServiceKey, Address], tuple[Endpoint, int]] = field(default_factory=dict)

    def of(self, key: ServiceKey, service: Service, client: Address, now: int) -> Endpoint | None:
        """The backend that a new session has to get, if it does not choose."""
        last = self._last.get((key, client))
        if not service.affinity or last is None:
            return None
        backend, opened = last
        return backend if now - opened <= service.affinity and backend in service.usable else None

    def note(self, key: ServiceKey, service: Service, client: Address, backend: Endpoint, now: int) -> None:
        if service.affinity:
            self._last[key, client] = backend, now
