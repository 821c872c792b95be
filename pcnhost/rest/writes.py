"""How requests that change something are carried out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pcnhost.engine import Engine
from pcnhost.rest.answers import Answer
from pcnhost.rest.context import Call
from pcnhost.rest.cubes import ServiceResource
from pcnhost.rest.resources import Resource

if TYPE_CHECKING:
    from pcnhost.rest.services import Services


@dataclass(frozen=True)
class NotRestored:
    """A cube that is kept but is not there. `reason` says why."""

    cube: str
    service: str
    reason: str


class Writes:
    """Just carries them out. Its methods raise what the requests do; a subclass that keeps what has changed also
    raises StorageError, before it carries out anything."""

    kept = False
    problem = ""
    """Why nothing can be kept at present; empty when all is well."""
    not_restored: Mapping[str, NotRestored] = {}

    def write(self, root: ServiceResource, resource: Resource, call: Call) -> Answer:
        """To a service, whose root resource is `root`."""
        return resource.methods[call.request.method](call)

    def delete_missing(self, engine: Engine, call: Call) -> Answer | None:
        """Deletes a cube that is not restored, in the place of its service; None when the call is about none."""
        return None

    def write_peers(
        self, engine: Engine, call: Call, peers: Sequence[str], operation: Callable[[], Answer]
    ) -> Answer:
        """To the peers of ports (`cube:port`)."""
        return operation()

    def write_cubes(
        self, services: Services, call: Call, names: Sequence[str], operation: Callable[[], Answer]
    ) -> Answer:
        """To several cubes."""
        return operation()

    def unload(self, service: str, operation: Callable[[], None]) -> None:
        """To all cubes of a service, which goes."""
        operation()
