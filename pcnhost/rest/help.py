"""What OPTIONS tells command lines: the members of a node, and the words that may come next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import NoReturn

from codegen.schema import Kind, Node
from pcnhost.library import ErrorTag
from pcnhost.rest.answers import Problem, Refused
from pcnhost.rest.jsontext import Json
from pcnhost.rest.request import Request
from pcnhost.rest.rules import INTEGERS, type_of

_NODE_TYPES = {Kind.CONTAINER: "complex", Kind.LIST: "list", Kind.ACTION: "action"}
_SIMPLE_TYPES = {"decimal64": "decimal", "boolean": "boolean", "empty": "empty"}


class Help(Enum):
    SHOW = "SHOW"
    ADD = "ADD"
    SET = "SET"
    DEL = "DEL"
    NONE = "NONE"


def refuse() -> NoReturn:
    """There is no such help here: 400 without a text."""
    raise Refused(Problem(ErrorTag.BAD_REQUEST))


def wanted(request: Request) -> tuple[Help, bool]:
    """The kind of help asked for, and whether only words for completion are wanted."""
    try:
        return Help(request.query["help"]), "completion" in request.query
    except (KeyError, ValueError):
        refuse()


def describe(node: Node, *, key: bool = False) -> Json:
    """The help object of one node."""
    shown: Json = {"name": node.name, "description": node.description, "example": node.example}
    if node.kind in _NODE_TYPES:
        shown["type"] = _NODE_TYPES[node.kind]
    else:
        shown["type"] = "key" if key else "leaf"
        shown["simpletype"] = simple_type(type_of(node).base)
    return shown


def simple_type(base: str) -> str:
    if base in INTEGERS:
        return "unsigned" if base.startswith("u") else "integer"
    return _SIMPLE_TYPES.get(base, "string")


def describe_all(nodes: Iterable[Node], *, key: bool = False) -> Json:
    return {node.name: describe(node, key=key) for node in nodes}


def is_leaf(node: Node) -> bool:
    return node.kind in (Kind.LEAF, Kind.LEAF_LIST)


def creatable(nodes: Iterable[Node]) -> list[Node]:
    """Leaves that may be given when something is created."""
    return [node for node in nodes if is_leaf(node) and node.config]


def settable(nodes: Iterable[Node]) -> list[Node]:
    """Leaves that may be changed later."""
    return [node for node in creatable(nodes) if not node.init_only]


def members_help(nodes: Sequence[Node], which: Help, *, writable: bool, addable: bool) -> Json:
    """Help of a cube, container or list entry with these members (keys left out)."""
    match which:
        case Help.SHOW:
            return {"params": describe_all(n for n in nodes if n.kind is not Kind.ACTION)}
        case Help.SET:
            return {"params": describe_all(settable(nodes))}
        case Help.NONE:
            commands = ["set", "show"] if writable else ["show"]
            return {"commands": commands, "params": describe_all(n for n in nodes if not is_leaf(n))}
        case Help.ADD if addable:
            return {"params": {}, "optional-params": describe_all(creatable(nodes))}
        case Help.ADD:
            return {}
        case _:
            refuse()


def members_words(nodes: Sequence[Node], which: Help, *, writable: bool, addable: bool) -> list[str]:
    match which:
        case Help.SHOW:
            return [n.name for n in nodes if n.kind is not Kind.ACTION]
        case Help.SET:
            return [f"{n.name}=" for n in settable(nodes)]
        case Help.NONE:
            return [*(n.name for n in nodes if not is_leaf(n)), *(["set"] if writable else []), "show"]
        case Help.ADD:
            return [f"{n.name}=" for n in creatable(nodes)] if addable else []
        case _:
            refuse()


def list_help(keys: Json, members: Sequence[Node], which: Help, elements: Json, *, writable: bool) -> Json:
    """Help of a list, or of the cubes of a service: `keys` describes what names an element."""
    commands = ["add", "del", "show"] if writable else ["show"]
    match which:
        case Help.NONE:
            return {"commands": commands, "params": keys, "elements": elements}
        case Help.SHOW | Help.DEL:
            return {"params": keys, "elements": elements}
        case Help.ADD:
            return {"params": keys, "optional-params": describe_all(creatable(members))}
        case _:
            refuse()
