"""What a request body must look like, built once from the YANG schema of a service.

Checked are the members' names, JSON kinds, enumerations, patterns, and whether they may be written. Integer
ranges, lengths and missing list keys are left to the services, as every Polycube service expects.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator

from codegen.schema import Kind, Module, Node, Type
from pcnhost.library import ErrorTag
from pcnhost.rest import jsontext
from pcnhost.rest.answers import Problem
from pcnhost.rest.jsontext import Json

UNSIGNED = frozenset({"uint8", "uint16", "uint32"})
SIGNED = frozenset({"int8", "int16", "int32"})
WIDE = frozenset({"int64", "uint64", "decimal64"})
INTEGERS = UNSIGNED | SIGNED | frozenset({"int64", "uint64"})

MAX_SHOWN = 100

_NUMBER = re.compile("-?[0-9]{1,20}")

Check = Callable[[Json], bool]


def is_integer(value: Json) -> bool:
    """Whether it is a whole number of at most 64 bits; services know no larger ones."""
    return isinstance(value, int) and not isinstance(value, bool) and -(1 << 63) <= value < 1 << 64


def is_empty(value: Json) -> bool:
    """null, {} and [] carry nothing; the empty string does."""
    return value is None or value == {} or value == []


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """A YANG pattern as the daemon reads it: its regular expressions know no `\\p{…}`, which stands for the
    letters p, {, … themselves."""
    return re.compile(re.sub(r"\\([pP])(?=\{)", r"\1", pattern), re.ASCII)


def _string_check(kind: Type) -> Check:
    patterns = [compile_pattern(pattern) for pattern in kind.patterns]
    return lambda value: isinstance(value, str) and all(pattern.fullmatch(value) for pattern in patterns)


def value_check(kind: Type) -> Check:
    """Whether a JSON value has the right kind for a YANG type."""
    base = kind.base
    if base == "enumeration":
        names = frozenset(name.lower() for name in kind.enums)
        return lambda value: isinstance(value, str) and value.lower() in names
    if base == "boolean":
        return lambda value: isinstance(value, bool)
    if base in UNSIGNED:
        return lambda value: is_integer(value) and value >= 0
    if base in SIGNED:
        return is_integer
    if base in WIDE:
        return lambda value: isinstance(value, int | float | str) and not isinstance(value, bool)
    if base == "union":
        return lambda value: isinstance(value, int | float | str)
    if base == "empty":
        return lambda value: value == [None]
    return _string_check(kind)


def integer_limits(base: str) -> tuple[int, int]:
    """Smallest and largest value of a YANG integer type such as `uint16`."""
    bits = int(base.lstrip("uint"))
    return (0, 2**bits - 1) if base.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def allowed_values(kind: Type) -> str:
    """What a type admits, for people."""
    base = kind.base
    if base == "enumeration":
        return ", ".join(kind.enums)
    if base == "boolean":
        return "true, false"
    if base in INTEGERS:
        ranges = kind.ranges or (integer_limits(base),)
        return "whole numbers " + ", ".join(f"{low}..{high}" for low, high in ranges)
    if base == "empty":
        return "[null]"
    name = kind.name.rpartition(":")[2]
    return "strings" if name == "string" else f"values of type {name}"


def shown(value: Json) -> str:
    """A value in an error text, cut when it is long."""
    text = jsontext.compact(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def default_value(node: Node) -> Json:
    """The JSON value of a leaf's `default` text, None without one."""
    if node.default is None:
        return None
    base = type_of(node).base
    if base == "boolean":
        return node.default == "true"
    if base in INTEGERS:
        return int(node.default, 0)
    if base == "decimal64":
        return float(node.default)
    return node.default


class Rule(ABC):
    """The rule of one member. `allowed` says to people which values it has; `required`: a create request must
    have it."""

    def __init__(
        self,
        name: str,
        allowed: str,
        *,
        config: bool = True,
        init_only: bool = False,
        required: bool = False,
    ) -> None:
        self.name = name
        self.allowed = allowed
        self.config = config
        self.init_only = init_only
        self.required = required

    def refusal(self, value: Json) -> str:
        return f"{shown(value)} is not possible, allowed: {self.allowed}"

    @abstractmethod
    def problems(self, value: Json, create: bool) -> Iterator[Problem]:
        """Everything wrong with a value of this member."""

    def without_empty(self, value: Json) -> Json:
        """The value with its empty members left out, at all depths."""
        return value

    def with_numeric_keys(self, value: Json) -> Json:
        """The value with keys of list entries that are numbers in strings as numbers, at all depths."""
        return value

    def with_defaults(self, value: Json) -> Json:
        """A valid value (None when absent) with defaults added, at all depths."""
        return value


class LeafRule(Rule):
    def __init__(
        self,
        name: str,
        accepts: Check,
        allowed: str,
        default: Json = None,
        *,
        numeric_key: bool = False,
        **flags: bool,
    ) -> None:
        super().__init__(name, allowed, **flags)
        self.accepts = accepts
        self.default = default
        self._numeric_key = numeric_key

    def with_numeric_keys(self, value: Json) -> Json:
        is_number = self._numeric_key and isinstance(value, str) and _NUMBER.fullmatch(value)
        return int(value) if is_number else value

    def problems(self, value: Json, create: bool) -> Iterator[Problem]:
        if not create and is_empty(value):
            yield Problem(ErrorTag.MISSING_ATTRIBUTE, self.name, self.refusal(value))
        elif not self.accepts(value):
            yield Problem(ErrorTag.BAD_ATTRIBUTE, self.name, self.refusal(value))

    def with_defaults(self, value: Json) -> Json:
        return self.default if value is None else value


class LeafListRule(Rule):
    def __init__(self, name: str, accepts: Check, allowed: str, **flags: bool) -> None:
        super().__init__(name, f"an array of {allowed}", **flags)
        self._accepts = accepts

    def problems(self, value: Json, create: bool) -> Iterator[Problem]:
        if not isinstance(value, list) or not all(self._accepts(item) for item in value):
            yield Problem(ErrorTag.BAD_ATTRIBUTE, self.name, self.refusal(value))


class MembersRule(Rule):
    """A JSON object with known members: a container, a list entry, an action's input or a whole cube."""

    def __init__(self, name: str, children: Iterable[Rule], *, presence: bool = False, **flags: bool) -> None:
        super().__init__(name, "an object", **flags)
        self.children = {rule.name: rule for rule in children}
        self._presence = presence

    def problems(self, value: Json, create: bool) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield Problem(ErrorTag.BAD_ATTRIBUTE, self.name, self.refusal(value))
            return
        for name, rule in self.children.items():
            if name not in value:
                if create and rule.required:
                    text = f"missing, allowed: {rule.allowed}"
                    yield Problem(ErrorTag.MISSING_ATTRIBUTE, name, text, name)
            elif not rule.config or (rule.init_only and not create):
                text = f"{shown(value[name])} is not possible, it {_unwritable(rule)}"
                yield Problem(ErrorTag.INVALID_VALUE, name, text, name)
            else:
                yield from (problem.inside(name) for problem in rule.problems(value[name], create))
        for name in value:
            if name not in self.children:
                text = f"there is no such member, allowed: {', '.join(self._writable(create))}"
                yield Problem(ErrorTag.INVALID_VALUE, name[:MAX_SHOWN], text, name[:MAX_SHOWN])

    def _writable(self, create: bool) -> Iterator[str]:
        return (
            name for name, rule in self.children.items() if rule.config and (create or not rule.init_only)
        )

    def without_empty(self, value: Json) -> Json:
        if not isinstance(value, dict):
            return value
        kept = {}
        for name, member in value.items():
            rule = self.children.get(name)
            if rule is not None:
                member = rule.without_empty(member)
                if is_empty(member):
                    continue
            kept[name] = member
        return kept

    def with_numeric_keys(self, value: Json) -> Json:
        if not isinstance(value, dict):
            return value
        rules = self.children
        return {
            name: rules[name].with_numeric_keys(member) if name in rules else member
            for name, member in value.items()
        }

    def with_defaults(self, value: Json) -> Json:
        if value is None:
            if self._presence:
                return None
            value = {}
        for name, rule in self.children.items():
            if rule.config and (member := rule.with_defaults(value.get(name))) is not None:
                value[name] = member
        return value or None


class ListRule(Rule):
    def __init__(self, name: str, entry: MembersRule, **flags: bool) -> None:
        super().__init__(name, "an array of objects", **flags)
        self.entry = entry

    def problems(self, value: Json, create: bool) -> Iterator[Problem]:
        if not isinstance(value, list):
            yield Problem(ErrorTag.INVALID_VALUE, text=self.refusal(value))
            return
        for index, item in enumerate(value):
            yield from (problem.inside(f"[{index}]") for problem in self.entry.problems(item, create))

    def without_empty(self, value: Json) -> Json:
        return [self.entry.without_empty(item) for item in value] if isinstance(value, list) else value

    def with_numeric_keys(self, value: Json) -> Json:
        return [self.entry.with_numeric_keys(item) for item in value] if isinstance(value, list) else value

    def with_defaults(self, value: Json) -> Json:
        return None if value is None else [self.entry.with_defaults(item) or {} for item in value]


def leaf_rule(node: Node, *, key: bool = False) -> LeafRule:
    kind = type_of(node)
    default = None if key or not node.config else default_value(node)
    flags = {"required": node.mandatory, "numeric_key": key and kind.base in INTEGERS, **_flags(node)}
    return LeafRule(node.name, value_check(kind), allowed_values(kind), default, **flags)


def members_rule(node: Node) -> MembersRule:
    """The rule of a container, of an entry of a list or of the input of an action.

    Without presence, a container is required when it holds a required member."""
    children = [
        _rule(child, key=child.name in node.keys) for child in node.children if child.kind is not Kind.ACTION
    ]
    required = node.kind is Kind.CONTAINER and not node.presence and any(rule.required for rule in children)
    return MembersRule(node.name, children, presence=node.presence, required=required, **_flags(node))


def list_rule(node: Node) -> ListRule:
    return ListRule(node.name, members_rule(node), **_flags(node))


def cube_rule(module: Module) -> MembersRule:
    """The rule of a whole cube: its name, then what the schema has."""
    name = LeafRule("name", lambda value: isinstance(value, str), "strings")
    children = [_rule(node) for node in module.children if node.kind is not Kind.ACTION]
    return MembersRule(module.name, [name, *children])


def _rule(node: Node, *, key: bool = False) -> Rule:
    match node.kind:
        case Kind.LEAF:
            return leaf_rule(node, key=key)
        case Kind.LEAF_LIST:
            kind = type_of(node)
            return LeafListRule(node.name, value_check(kind), allowed_values(kind), **_flags(node))
        case Kind.LIST:
            return list_rule(node)
        case _:
            return members_rule(node)


def _unwritable(rule: Rule) -> str:
    return "can be given at creation only" if rule.config else "can only be read"


def _flags(node: Node) -> dict[str, bool]:
    return {"config": node.config, "init_only": node.init_only}


def type_of(node: Node) -> Type:
    """The type of a leaf or leaf-list."""
    assert node.type is not None, f"{node.name} has no type"
    return node.type
