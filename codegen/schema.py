"""The schema of a service: what its YANG model says, as plain immutable data.

pyang parses and validates the model; this module keeps the few facts Polycube uses and forgets the rest.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeAlias

from pyang import context, error, repository, types

Statement: TypeAlias = Any  # pyang carries no type information

BASE_MODULES = ("polycube-base", "polycube-standard-base", "polycube-transparent-base")


class SchemaError(ValueError):
    """The model is not valid YANG, or uses something Polycube cannot serve."""


class Kind(Enum):
    CONTAINER = "container"
    LIST = "list"
    LEAF = "leaf"
    LEAF_LIST = "leaf-list"
    ACTION = "action"


@dataclass(frozen=True)
class Type:
    """Type of a leaf.

    `ranges` are the inclusive bounds of an integer, the ones of the built-in type when nothing narrows them,
    and empty for any other type. `patterns` come from the whole chain of typedefs; `typedef_patterns` are
    those of the first link only (the typedef named by the leaf or, for a built-in type, the leaf itself): all
    polycubed ever checks. `members` are the types of a union.
    """

    base: str
    name: str
    enums: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    typedef_patterns: tuple[str, ...] = ()
    ranges: tuple[tuple[int, int], ...] = ()
    members: tuple[Type, ...] = ()


@dataclass(frozen=True)
class Node:
    """One node of the schema tree. The children of an action are its input."""

    name: str
    kind: Kind
    description: str = ""
    config: bool = True
    init_only: bool = False
    mandatory: bool = False
    default: str | None = None
    type: Type | None = None
    keys: tuple[str, ...] = ()
    children: tuple[Node, ...] = ()
    example: str = ""
    base: bool = False
    presence: bool = False
    output: tuple[Node, ...] = ()

    @property
    def writable(self) -> bool:
        """Whether the node can be set after the creation of its parent."""
        return self.config and not self.init_only

    def child(self, name: str) -> Node:
        """Return the child called `name`; KeyError when there is none."""
        for child in self.children:
            if child.name == name:
                return child
        raise KeyError(name)


@dataclass(frozen=True)
class Module:
    """A whole model. `description` is the service-description, `text` the YANG source."""

    name: str
    namespace: str
    description: str
    version: str
    service_name: str
    min_kernel: str
    children: tuple[Node, ...]
    text: str


def default_search_path() -> tuple[Path, ...]:
    """Directories of the modules a service imports: Polycube's own and the ietf ones shipped with pyang."""
    ietf = [
        Path(str(file.locate())).resolve().parent
        for file in importlib.metadata.files("pyang") or ()
        if file.name == "ietf-inet-types.yang"
    ]
    return (Path(__file__).resolve().parent.parent / "pcnhost" / "yang", *ietf)


def load(text: str, search_path: Sequence[Path] | None = None) -> Module:
    """Parse and validate YANG source. Imports are searched in `search_path` only. Raises SchemaError."""
    directories = default_search_path() if search_path is None else search_path
    sources = repository.FileRepository(":".join(map(str, directories)), use_env=False)
    ctx = context.Context(sources)
    try:
        module = ctx.add_module("model", text)
        ctx.validate()
    except Exception as problem:  # pyang fails in many ways on text that is not YANG at all
        raise SchemaError(f"not a YANG module: {problem}") from problem
    _raise_first_error(ctx)
    if module is None:
        raise SchemaError("not a YANG module")
    return Module(
        name=module.arg,
        namespace=_argument(module, "namespace"),
        description=_extension(module, "service-description"),
        version=_extension(module, "service-version"),
        service_name=_extension(module, "service-name"),
        min_kernel=_extension(module, "service-min-kernel-version"),
        children=tuple(_nodes(module)),
        text=text,
    )


def _raise_first_error(ctx: Any) -> None:
    ctx.errors.sort(key=lambda entry: (entry[0].ref, entry[0].line))
    for position, tag, arguments in ctx.errors:
        if error.is_error(error.err_level(tag)):
            raise SchemaError(f"{position.label()}: {error.err_to_str(tag, arguments)}")


def _nodes(parent: Statement) -> Iterator[Node]:
    for statement in parent.i_children:
        if statement.keyword in ("action", "rpc"):
            yield _action(statement)
        elif statement.keyword in ("container", "list", "leaf", "leaf-list"):
            yield _node(statement)
        elif statement.keyword not in ("input", "output"):
            raise SchemaError(f"{statement.pos.label()}: Polycube does not support {statement.keyword} nodes")


def _node(statement: Statement) -> Node:
    kind = Kind(statement.keyword)
    leafy = kind in (Kind.LEAF, Kind.LEAF_LIST)
    return Node(
        name=statement.arg,
        kind=kind,
        description=_argument(statement, "description"),
        config=statement.i_config is not False,  # None inside an action
        init_only=_has_extension(statement, "init-only-config"),
        mandatory=_argument(statement, "mandatory") == "true",
        default=_optional_argument(statement, "default"),
        type=_type(statement.search_one("type")) if leafy else None,
        keys=tuple(key.arg for key in statement.i_key) if kind is Kind.LIST and statement.i_key else (),
        children=() if leafy else tuple(_nodes(statement)),
        example=_extension(statement, "cli-example"),
        base=statement.pos.top.arg in BASE_MODULES,
        presence=statement.search_one("presence") is not None,
    )


def _action(statement: Statement) -> Node:
    parts = {part.keyword: tuple(_nodes(part)) for part in statement.i_children}
    return Node(
        name=statement.arg,
        kind=Kind.ACTION,
        description=_argument(statement, "description"),
        children=parts.get("input", ()),
        output=parts.get("output", ()),
        example=_extension(statement, "cli-example"),
    )


def _type(statement: Statement) -> Type:
    chain = list(_type_chain(statement))
    patterns = [tuple(pattern.arg for pattern in link.search("pattern")) for link in chain]
    enums = [tuple(enum.arg for enum in link.search("enum")) for link in chain]
    return Type(
        base=chain[-1].arg,
        name=statement.arg,
        enums=next(filter(None, enums), ()),
        patterns=tuple(pattern for link in patterns for pattern in link),
        typedef_patterns=patterns[min(1, len(chain) - 1)],
        ranges=tuple(_integer_ranges(statement.i_type_spec)),
        members=tuple(_type(member) for member in chain[-1].search("type")),
    )


def _type_chain(statement: Statement) -> Iterator[Statement]:
    """The type statement of a leaf, then those of the typedefs it goes through, down to the built-in type."""
    yield statement
    while statement.i_typedef is not None:
        statement = statement.i_typedef.search_one("type")
        yield statement


def _integer_ranges(spec: Any) -> Iterator[tuple[int, int]]:
    if isinstance(spec, types.IntTypeSpec):
        yield (spec.min, spec.max)
    elif isinstance(spec, types.RangeTypeSpec) and isinstance(spec.min, int):
        bounds = {"min": spec.min, "max": spec.max}
        for low, high in spec.ranges:
            first = bounds.get(low, low)
            yield (first, first if high is None else bounds.get(high, high))


def _optional_argument(statement: Statement, keyword: str) -> str | None:
    found = statement.search_one(keyword)
    return None if found is None else str(found.arg)


def _argument(statement: Statement, keyword: str) -> str:
    return _optional_argument(statement, keyword) or ""


def _extensions(statement: Statement, name: str) -> Iterator[Statement]:
    return (sub for sub in statement.substmts if isinstance(sub.keyword, tuple) and sub.keyword[1] == name)


def _extension(statement: Statement, name: str) -> str:
    return next((str(sub.arg) for sub in _extensions(statement, name)), "")


def _has_extension(statement: Statement, name: str) -> bool:
    return any(_extensions(statement, name))
