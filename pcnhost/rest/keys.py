"""Keys of list entries: from the text in a URL to what a handler and a body get."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_plus

from codegen.schema import Node
from pcnhost.library import ErrorTag, Key
from pcnhost.rest.answers import Problem, Refused, bad_request
from pcnhost.rest.jsontext import Json
from pcnhost.rest.rules import INTEGERS, Check, allowed_values, integer_limits, shown, type_of, value_check

_INTEGER = re.compile("-?[0-9]{1,20}")


@dataclass(frozen=True)
class KeyRule:
    """`name` is the YANG leaf, `param` its name for handlers and errors, `element` the ABI's type name. `any_case`:
    upper and lower case are the same."""

    name: str
    param: str
    element: str
    accepts: Check
    allowed: str
    any_case: bool = False

    def value(self, text: str) -> Json:
        """The typed value of a decoded URL text; a text that is no such value at all is refused."""
        if self.element == "BOOLEAN":
            if text not in ("true", "false"):
                raise bad_request(f"{self.name}: '{text[:100]}' is not possible, allowed: true, false")
            return text == "true"
        if self.element in ("STRING", "DECIMAL"):
            return text
        low, high = integer_limits(self.element.lower())
        if not _INTEGER.fullmatch(text):
            raise bad_request(f"{self.name}: '{text[:100]}' is not a number, allowed {low}..{high}")
        number = int(text)
        if not low <= number <= high:
            raise bad_request(f"{self.name}: {number} is out of range, allowed {low}..{high}")
        return number

    def checked_value(self, text: str) -> Json:
        """Like value(), for keys that are only part of the path of something deeper."""
        value = self.value(text)
        if not self.accepts(value):
            text = f"{shown(value)} is not possible, allowed: {self.allowed}"
            raise Refused(Problem(ErrorTag.BAD_ELEMENT, f":{self.param}", text, self.name))
        return value

    def key(self, value: Json) -> Key:
        return Key(self.param, self.element, value)


def decode(segment: str) -> str:
    """A key value as written in a path. It ends up in a C string, so it must not hold a NUL."""
    text = unquote_plus(segment)
    if "\0" in text:
        raise bad_request(f"{shown(text)} is no key, allowed are all characters but NUL")
    return text


def key_rules(node: Node, endpoint: str) -> tuple[tuple[KeyRule, ...], str]:
    """The keys of a list in URL order, and the endpoint pattern with them appended.

    A key takes its leaf's name, unless a parameter that starts like it is in the endpoint already."""
    leaves = {child.name: child for child in node.children}
    rules = []
    for name in node.keys:
        param = f"{node.name}_{name}" if f":{name}" in endpoint else name
        endpoint += f"/:{param}"
        kind = type_of(leaves[name])
        checks = (value_check(kind), allowed_values(kind), kind.base == "enumeration")
        rules.append(KeyRule(name, param, _element(kind.base), *checks))
    return tuple(rules), endpoint


def _element(base: str) -> str:
    if base == "boolean":
        return "BOOLEAN"
    if base == "decimal64":
        return "DECIMAL"
    return base.upper() if base in INTEGERS else "STRING"
