"""What the resources of a service share, and what they know about one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from pcnhost.engine import Cube, Engine
from pcnhost.library import ErrorTag, Key, Response, ServiceLibrary
from pcnhost.rest import jsontext
from pcnhost.rest.answers import Answer, answer_response, bad_request, yang_json
from pcnhost.rest.jsontext import Json
from pcnhost.rest.keys import KeyRule
from pcnhost.rest.request import BASE_PATH, Request


@dataclass(frozen=True, slots=True)
class Entry:
    """A step of a path into a list: its keys and their decoded texts (fewer when the path ends early)."""

    rules: tuple[KeyRule, ...]
    leaf_order: tuple[str, ...]
    texts: tuple[str, ...]

    def values(self, *, checked: bool) -> dict[str, Json]:
        """Key leaf -> typed value, in URL order."""
        return {
            rule.name: rule.checked_value(text) if checked else rule.value(text)
            for rule, text in zip(self.rules, self.texts, strict=True)
        }

    def keys(self, *, checked: bool) -> list[Key]:
        """What handlers get: in the order of the leaves in the schema."""
        values = self.values(checked=checked)
        rules = {rule.name: rule for rule in self.rules}
        return [rules[name].key(values[name]) for name in self.leaf_order]


@dataclass(frozen=True, slots=True)
class Call:
    """A request that has found its resource. `entries` are the lists passed on the way, outermost first."""

    request: Request
    segments: tuple[str, ...]
    cube: str = ""
    entries: tuple[Entry, ...] = ()

    def path_keys(self) -> list[Key]:
        """Keys of all lists on the way, innermost first, each checked to be a possible value."""
        return _inside_out(self.entries)

    def outer_keys(self) -> list[Key]:
        """path_keys() without those of the innermost list."""
        return _inside_out(self.entries[:-1])

    def entry_keys(self, *, checked: bool = False) -> list[Key]:
        """Keys of the entry the path ends at; unless `checked`, its own may be values the schema forbids."""
        return [*self.entries[-1].keys(checked=checked), *self.outer_keys()]

    def object_body(self) -> dict[str, Json]:
        """The body as a JSON object; no body is an empty one."""
        value = self._body()
        if value is None and not self.request.body.strip():
            return {}
        if not isinstance(value, dict):
            raise bad_request(f"body: {_kind_of(value)} is not possible, a JSON object is expected")
        return value

    def list_body(self) -> Json:
        """The body, which ought to be an array; no body is an empty one."""
        value = self._body()
        return [] if value is None and not self.request.body.strip() else value

    def leaf_body(self) -> Json:
        """The body as a bare JSON value; None without one."""
        return self._body()

    def _body(self) -> Json:
        if not self.request.body.strip():
            return None
        try:
            return jsontext.parse(self.request.body.decode())
        except UnicodeDecodeError as e:
            raise bad_request(f"body: byte {e.start} is not possible in UTF-8 text") from None
        except jsontext.MalformedJson as e:
            raise bad_request(f"body: {e}") from None


def _inside_out(entries: Sequence[Entry]) -> list[Key]:
    return [key for entry in reversed(entries) for key in entry.keys(checked=True)]


def _kind_of(value: Json) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "a number"


@dataclass(frozen=True)
class Context:
    """The surroundings of one loaded service."""

    library: ServiceLibrary
    engine: Engine
    authority: str

    def cube(self, name: str) -> Cube | None:
        """The cube of this name, when it belongs to this service."""
        cube = self.engine.cubes.get(name)
        return cube if cube is not None and cube.service_name == self.library.name else None

    def read(self, symbol: str, call: Call, keys: Sequence[Key]) -> Response:
        return self.library.call(symbol, call.cube, keys)

    def show(
        self, symbol: str, call: Call, keys: Sequence[Key], finish: Callable[[memoryview], bytes]
    ) -> Answer:
        """The answer to a read, see ServiceLibrary.show()."""
        shown = self.library.show(symbol, call.cube, keys, finish)
        return yang_json(shown) if isinstance(shown, bytes) else answer_response(shown)

    def write(self, symbol: str, cube: str, keys: Sequence[Key], body: str | None) -> Response:
        return self.library.call(symbol, cube, keys, body)

    def url(self, segments: Sequence[str]) -> str:
        """The address of a resource in links; `segments` as they stand in the request."""
        return "/".join((f"//{self.authority}{BASE_PATH}", *segments, ""))


def link_segment(text: str) -> str:
    """A value as a path segment."""
    return quote(text, safe=":@!$'()*,;=")


def answer_write(response: Response, status: int) -> Answer:
    """A plain success of a handler becomes `status` without a body; anything else passes."""
    if response.tag is ErrorTag.OK:
        return answer_response(Response(_TAGS[status], ""))
    return answer_response(response)


_TAGS = {200: ErrorTag.OK, 201: ErrorTag.CREATED, 204: ErrorTag.NO_CONTENT}
