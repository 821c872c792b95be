"""The two resources every service has: the set of its cubes, and one cube."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from codegen.schema import Module
from pcnhost.library import ErrorTag, Key, Response
from pcnhost.names import check_name
from pcnhost.rest import help as cli_help
from pcnhost.rest import jsontext, rules, symbols
from pcnhost.rest.answers import Answer, Problem, Refused, answer_response, yang_json
from pcnhost.rest.context import Call, Context, answer_write
from pcnhost.rest.help import Help
from pcnhost.rest.jsontext import Json
from pcnhost.rest.links import links_element
from pcnhost.rest.resources import MembersResource, Resource, build_children, host_call, validated


class NameClaims:
    """Cube names being created right now: a cube exists for others only once it is complete."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._lock = threading.Lock()

    @contextmanager
    def claim(self, name: str) -> Iterator[None]:
        with self._lock:
            if name in self._names:
                raise Refused(_exists(name))
            self._names.add(name)
        try:
            yield
        finally:
            with self._lock:
                self._names.remove(name)


def _port_names(body: Json) -> Iterator[str]:
    """Those of a body that may be anything."""
    ports = body.get("ports") if isinstance(body, dict) else None
    for port in ports if isinstance(ports, list) else ():
        if isinstance(port, dict) and isinstance(port.get("name"), str):
            yield port["name"]


def _exists(name: str) -> Problem:
    return Problem(ErrorTag.DATA_EXISTS, text=f"Cube {name} already exists")


class CubeResource(MembersResource):
    """`/<service>/<cube>`"""

    def __init__(self, context: Context, module: Module, claims: NameClaims) -> None:
        super().__init__(context, (module.name,), module.children, rules.cube_rule(module))
        self._claims = claims
        build_children(self, module.children, (), f"/{module.name}/:name")

    def keys(self, call: Call) -> list[Key]:
        return []

    def body(self, call: Call) -> dict[str, Json]:
        return {**call.object_body(), "name": call.cube}

    def _post(self, call: Call) -> Answer:
        return answer_response(self.create(call.cube, self.body(call)))

    _put = _post

    def _patch(self, call: Call) -> Answer:
        return answer_response(self.update(call.cube, self.body(call)))

    def _delete(self, call: Call) -> Answer:
        if self.context.cube(call.cube) is None:
            raise Refused(Problem(ErrorTag.DATA_MISSING, text=f"Cube {call.cube} does not exist"))
        return answer_write(self.delete(call.cube), 200)

    def create(self, name: str, body: Json) -> Response:
        """Make a cube from a request body. Raises Refused."""
        host_call(check_name, "cube", name)
        for port in _port_names(body):
            host_call(check_name, "port", port)
        with self._claims.claim(name):
            if name in self.context.engine.cubes:
                raise Refused(_exists(name))
            body = validated(self.rule, body, create=True)
            given = body.get("service-name", self.path[0])
            if given != self.path[0]:
                text = f"{rules.shown(given)} is not possible, allowed: {self.path[0]}"
                raise Refused(Problem(ErrorTag.INVALID_VALUE, text=text, place="service-name"))
            for port in body.get("ports", ()):
                port.pop("tcubes", None)
            # Before the service writes into tables that packets meet.
            if self.context.engine.goes_on(name):
                peers = [port["peer"] for port in body.get("ports", ()) if "peer" in port]
                host_call(self.context.engine.check_peers, name, peers)
            with self.context.engine.provisional(name):
                return self.context.write(self.symbol("create"), name, (), jsontext.compact(body))

    def recreate(self, name: str, body: Json) -> Response:
        """Like create(), from what has been kept: polycubed keeps numbers that came as keys in a URL as strings."""
        return self.create(name, self.rule.with_numeric_keys(body))

    def update(self, name: str, body: Json) -> Response:
        body = validated(self.rule, body, create=False)
        return self.context.write(self.symbol("update"), name, (), jsontext.compact(body))

    def delete(self, name: str) -> Response:
        return self.context.write(self.symbol("delete"), name, (), None)

    def read(self, name: str) -> Response:
        return self.context.library.call(self.symbol("read"), name)


class ServiceResource(Resource):
    """`/<service>`"""

    def __init__(self, context: Context, module: Module, claims: NameClaims) -> None:
        super().__init__(context, (module.name,))
        self._module = module
        self.cube = CubeResource(context, module, claims)
        self.methods = {"GET": self._get, "POST": self._post, "PATCH": self._patch, "OPTIONS": self._options}

    def symbols(self) -> Iterator[str]:
        yield symbols.list_handler("read", self.path)
        yield symbols.list_handler("update", self.path)
        yield symbols.list_help(self.path)
        yield from self.cube.all_symbols()

    def _get(self, call: Call) -> Answer:
        cubes = [
            cube for cube in self.context.engine.cubes.values() if cube.service_name == self._module.name
        ]
        url = self.context.url(call.segments)
        return yang_json(
            jsontext.compact([*(c.to_json() for c in cubes), links_element(url, (c.name for c in cubes))])
        )

    def _post(self, call: Call) -> Answer:
        name, body = self._named(call)
        return answer_response(self.cube.create(name, body))

    def _patch(self, call: Call) -> Answer:
        name, body = self._named(call)
        return answer_response(self.cube.update(name, body))

    def _named(self, call: Call) -> tuple[str, Json]:
        """The name and the body of a request that names its cube in the body."""
        body = call.object_body()
        match body.get("name"):
            case None:
                text = "missing, allowed: strings"
                raise Refused(Problem(ErrorTag.MISSING_ATTRIBUTE, "name", text, "name"))
            case str(name) if name:
                return name, body
            case other:
                text = f"{rules.shown(other)} is not possible, allowed: strings"
                raise Refused(Problem(ErrorTag.BAD_ATTRIBUTE, "name", text, "name"))

    def _options(self, call: Call) -> Answer:
        which, completion = cli_help.wanted(call.request)
        if which is Help.SET:
            cli_help.refuse()
        response = self.context.read(symbols.list_help(self.path), call, ())
        if response.tag is not ErrorTag.OK:
            return answer_response(response)
        elements = jsontext.parse(response.message)
        if completion:
            return yang_json(jsontext.compact(_words(which, elements)))
        shown = cli_help.list_help(self._name_help(), self._module.children, which, elements, writable=True)
        return yang_json(jsontext.compact(shown))

    def _name_help(self) -> Json:
        service = self._module.name
        return {
            "name": {
                "name": "name",
                "type": "key",
                "simpletype": "string",
                "description": f"Name of the {service} service",
                "example": f"{service}1",
            }
        }


def _words(which: Help, elements: Json) -> list[str]:
    words = [value for element in elements for value in element.values()]
    if which is Help.ADD:
        words.append("<name>")
    if which is Help.NONE:
        words += ["add", "del", "show"]
    return words
