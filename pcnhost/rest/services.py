"""The services of the host: loading, finding a resource in one, unloading."""

from __future__ import annotations

import logging
import platform
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from codegen import schema
from pcnhost.engine import Engine
from pcnhost.library import LibraryError, ServiceLibrary
from pcnhost.names import decode_name
from pcnhost.rest.answers import bad_request
from pcnhost.rest.context import Call, Context, Entry
from pcnhost.rest.cubes import CubeResource, NameClaims, ServiceResource
from pcnhost.rest.keys import decode
from pcnhost.rest.request import Request
from pcnhost.rest.resources import ListResource, Resource

log = logging.getLogger(__name__)


class Service:
    """A loaded service. It stays loaded for as long as somebody is in `in_use()`."""

    def __init__(self, library: ServiceLibrary, module: schema.Module, root: ServiceResource) -> None:
        self.library = library
        self.module = module
        self.name = library.name
        self.root = root
        self._users = 0
        self._closing = False
        self._idle = threading.Condition()

    @property
    def cube(self) -> CubeResource:
        return self.root.cube

    @contextmanager
    def in_use(self) -> Iterator[bool]:
        """True while the service may be called; False when it is being unloaded."""
        with self._idle:
            if self._closing:
                usable = False
            else:
                usable = True
                self._users += 1
        try:
            yield usable
        finally:
            if usable:
                with self._idle:
                    self._users -= 1
                    self._idle.notify_all()

    def close(self) -> None:
        """Wait for running calls, delete the cubes, unload the library."""
        with self._idle:
            self._closing = True
            self._idle.wait_for(lambda: self._users == 0)
        engine = self.root.context.engine
        for cube in list(engine.cubes.values()):
            if cube.service_name == self.name:
                response = self.cube.delete(cube.name)
                if cube.name in engine.cubes:
                    log.error(
                        "service %s does not delete cube %s: %s", self.name, cube.name, response.message
                    )
                    engine.destroy_cube(cube.name)
        self.library.close()

    def resolve(self, request: Request, segments: tuple[str, ...]) -> tuple[Resource, Call] | None:
        """The resource at `segments` (the first is the service itself) and its call; None without one."""
        if len(segments) == 1:
            return self.root, Call(request, segments)
        resource: Resource = self.cube
        entries: list[Entry] = []
        rest = list(reversed(segments[2:]))
        while rest:
            child = resource.children.get(rest.pop())
            if child is None:
                return None
            if isinstance(child, ListResource):
                wanted = len(child.key_rules)
                texts = tuple(decode(rest.pop()) for _ in range(min(wanted, len(rest))))
                entries.append(Entry(child.key_rules, child.leaf_order, texts))
                child = child.entry if len(texts) == wanted else child.partial if texts else child
            resource = child
        return resource, Call(request, segments, decode_name(segments[1]), tuple(entries))


@dataclass
class Services:
    """All loaded services by name. `reserved` are names no service can have, `trusted` directories of
    libraries that need not belong to root.

    `restore` gets each service that is loaded from now on, before clients can reach it."""

    engine: Engine
    logfile: Path
    authority: str
    reserved: frozenset[str]
    trusted: Sequence[Path] = ()

    def __post_init__(self) -> None:
        self.restore: Callable[[Service], None] = lambda service: None
        self._services: dict[str, Service] = {}
        self._claims = NameClaims()
        self._lock = threading.Lock()

    def get(self, name: str) -> Service | None:
        return self._services.get(name)

    def all(self) -> list[Service]:
        return list(self._services.values())

    def load(self, name: str, uri: str) -> None:
        """Load a service from a shared library. Raises Refused with what is wrong with it."""
        with self._lock:
            if name in self._services:
                raise bad_request("Service Controller already exists")
            if name in self.reserved:
                raise bad_request(f"{name} is a name of the host itself")
            try:
                library = ServiceLibrary.open(name, uri, self.engine, self.logfile, self.trusted)
            except LibraryError as e:
                raise bad_request(str(e)) from None
            try:
                service = self._start(library)
            except (LibraryError, schema.SchemaError) as e:
                library.close()
                raise bad_request(str(e)) from None
            except BaseException:
                library.close()
                raise
            self.restore(service)
            self._services[name] = service
        log.info("service %s loaded from %s", name, uri)

    def _start(self, library: ServiceLibrary) -> Service:
        module = schema.load(library.data_model)
        if module.name != library.name or module.service_name not in ("", module.name):
            raise bad_request("Inconsistent module name, service-name, and request name.")
        if _release(platform.release()) < _release(module.min_kernel):
            raise bad_request("kernel version does not satisfy service requirement.")
        context = Context(library, self.engine, self.authority)
        root = ServiceResource(context, module, self._claims)
        library.require(library.uri, ["init", *root.all_symbols()])
        library.init()
        return Service(library, module, root)

    def unload(self, name: str) -> None:
        with self._lock:
            service = self._services.pop(name, None)
            if service is None:
                raise bad_request("Service Controller does not exist")
            service.close()
        log.info("service %s unloaded", name)

    def unload_all(self) -> None:
        for service in self.all():
            self.unload(service.name)


def _release(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])
