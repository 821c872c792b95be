"""From a request to its answer: find the resource by walking the path, call the method, word the failures."""

from __future__ import annotations

import logging
from dataclasses import replace

from pcnhost.engine import Engine
from pcnhost.errors import HostError, StorageError
from pcnhost.names import decode_name
from pcnhost.rest import changes
from pcnhost.rest.answers import Answer, Refused, answer_problems
from pcnhost.rest.context import Call
from pcnhost.rest.daemon import Daemon, Endpoint
from pcnhost.rest.request import BASE_PATH, Request, query_pairs
from pcnhost.rest.services import Services
from pcnhost.rest.writes import Writes

log = logging.getLogger(__name__)

_READS = ("GET", "OPTIONS")
NO_ROUTE = Answer(404, "Cannot find a matching route.")


class Router:
    """answer() may be called by many threads at once."""

    def __init__(self, engine: Engine, services: Services, daemon: Daemon, writes: Writes) -> None:
        self._engine = engine
        self._services = services
        self._endpoints = daemon.endpoints
        self._writes = writes

    def answer(self, request: Request) -> Answer:
        """Never raises."""
        answer = self._answer(request)
        if request.method in changes.WRITES:
            changes.note(self._engine, request, answer)
        return answer

    def _answer(self, request: Request) -> Answer:
        try:
            return self._route(request)
        except Refused as e:
            return answer_problems(e.problems)
        except StorageError as e:
            log.error("%s %s is refused: %s", request.method, request.segments, e)
            return Answer(507, f"{e}; nothing has been changed")
        except HostError as e:
            log.error("%s %s: %s", request.method, request.segments, e)
            return Answer(500, str(e))
        except Exception as e:
            log.exception("%s %s failed", request.method, request.segments)
            return Answer(500, str(e))

    def _route(self, request: Request) -> Answer:
        segments = request.segments
        if segments is None:
            return NO_ROUTE
        head = segments[0] if segments else ""
        endpoint = self._endpoints.get((head, max(0, len(segments) - 1)))
        if endpoint is not None:
            return self._call_daemon(endpoint, Call(request, segments))
        if request.method == "DELETE" and len(segments) == 2:
            forgotten = self._writes.delete_missing(
                self._engine, Call(request, segments, decode_name(segments[1]))
            )
            if forgotten:
                return forgotten
        service = self._services.get(head)
        if service is not None:
            with service.in_use() as usable:
                found = service.resolve(request, segments) if usable else None
                if found is not None:
                    resource, call = found
                    if request.method in _READS or request.method not in resource.methods:
                        return _call(resource.methods, call)
                    return self._writes.write(service.root, resource, call)
        return self._unknown(request, segments)

    def _call_daemon(self, methods: dict[str, Endpoint], call: Call) -> Answer:
        """Texts of the host itself, unlike those of the services, have no content type."""
        try:
            return _call(methods, call)
        except Refused as e:
            answer = answer_problems(e.problems)
            return answer if answer.text.startswith("{") else replace(answer, content_type=None)

    def _unknown(self, request: Request, segments: tuple[str, ...]) -> Answer:
        """A path that starts with a cube leads, once, to the full path with its service in front."""
        if request.has_referer:
            return NO_ROUTE
        name = decode_name(segments[0])
        cube = self._engine.cubes.get(name)
        if cube is None:
            return Answer(404, f"No cube found named {name}")
        location = "/".join((BASE_PATH, cube.service_name, *segments))
        if request.raw_query:
            location += "?" + "&".join(f"{name}={value}" for name, value in query_pairs(request.raw_query))
        return Answer(308, headers=(("Location", location),))


def _call(methods: dict[str, Endpoint], call: Call) -> Answer:
    method = methods.get(call.request.method)
    if method is None:
        return Answer(405, "Method Not Allowed", headers=(("Allow", ", ".join(methods)),))
    return method(call)
