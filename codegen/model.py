"""The C++ side of a schema: which types, methods and handlers a service needs, ready for the templates."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from codegen import names
from codegen.handlers import Handler, handlers
from codegen.schema import Kind, Module, Node, SchemaError, Type

Path: TypeAlias = tuple[str, ...]

_TEXTS = frozenset({"string", "binary", "bits"})
_INTEGERS = {f"{sign}int{bits}": f"{sign}int{bits}_t" for sign in ("", "u") for bits in (8, 16, 32, 64)}
_CPP_TYPES = {
    **_INTEGERS,
    **dict.fromkeys(_TEXTS, "std::string"),
    "boolean": "bool",
    "decimal64": "double",
    "empty": "std::monostate",
}


def _shown_default(base: str, default: str | None) -> str | None:
    """The JSON text of a leaf's default; None where there is none, or where it depends on a union's member."""
    if default is None or base in ("union", "empty"):
        return None
    if base == "enumeration":
        return json.dumps(default.lower())
    return json.dumps(default) if base in _TEXTS else default


@dataclass(frozen=True)
class Enumeration:
    name: str
    parser: str
    values: tuple[tuple[str, str], ...]  # enumerator, YANG text


@dataclass(frozen=True)
class Member:
    """A member of a struct. `type` is that of its value, without the optional or vector around it.

    A "required" one is neither: the key of a list, or a mandatory input of an action.
    """

    yang: str
    name: str
    type: str
    role: Literal["required", "leaf", "output", "list", "container"]
    ranges: tuple[tuple[int, int], ...] = ()
    default: str | None = None
    shown_default: str | None = None  # as JSON text
    state: bool = False  # read-only
    table: str = ""  # of a list or container

    @property
    def declaration(self) -> str:
        if self.role == "required":
            return _declaration(self.type, self.name)
        return f"std::{'vector' if self.role == 'list' else 'optional'}<{self.type}> {self.name}"


@dataclass(frozen=True)
class KeyMember:
    yang: str
    name: str
    type: str
    taken_by: str  # the C++ call, up to the ranges, that takes it from the keys of a request
    ranges: tuple[tuple[int, int], ...] = ()

    @property
    def declaration(self) -> str:
        return _declaration(self.type, self.name)


@dataclass(frozen=True)
class Key:
    name: str
    variable: str
    members: tuple[KeyMember, ...]


@dataclass(frozen=True)
class Struct:
    """A container, a list entry, the input of an action, or the cube itself.

    The parsers are those of one value and of a list of them, empty if there are none. With `base` it has
    nodes of a base model, which get no member of their own; with `output` it is shown to clients.
    The members are in the order in which they are shown: those that the host shows, too, come first.
    """

    name: str
    title: str
    members: tuple[Member, ...]
    parser: str = ""
    list_parser: str = ""
    yang: str = ""
    key: Key | None = None
    base: bool = False
    output: bool = True
    cube: bool = False

    @property
    def deep(self) -> bool:
        """Whether it holds more than leaves."""
        return any(member.role in ("list", "container") for member in self.members)


@dataclass(frozen=True)
class Resource:
    """Something CubeApi has methods for. `parents` are the keys of the enclosing lists, outermost first."""

    kind: Kind
    title: str
    table: str
    method: str
    struct: Struct
    parents: tuple[Key, ...]
    writable: bool


@dataclass
class Service:
    """`structs` are ordered so that each comes after those it contains, the cube last."""

    module: Module
    namespace: str
    handlers: list[Handler]
    enums: list[Enumeration] = field(default_factory=list)
    structs: list[Struct] = field(default_factory=list)
    resources: list[Resource] = field(default_factory=list)

    @property
    def keys(self) -> list[Key]:
        return [struct.key for struct in self.structs if struct.key]

    @property
    def cube(self) -> Struct:
        return self.structs[-1]

    @property
    def help_symbol(self) -> str:
        return names.help_symbol((self.module.name,))

    @property
    def symbols(self) -> list[str]:
        """Everything the library exports."""
        fixed = ["init", "data_model", "pyang_git", "swagger_codegen_git", self.help_symbol]
        return fixed + [handler.symbol for handler in self.handlers]


def build(module: Module, namespace: str | None = None) -> Service:
    """Work out the C++ side of a model, in the module's own C++ namespace unless one is given.

    Raises SchemaError for what Polycube or the generator cannot do."""
    service = Service(module, namespace or names.identifier(module.name), list(handlers(module)))
    _Builder(service).add_cube()
    types = [item.name for group in (service.enums, service.structs, service.keys) for item in group]
    _require_unique("type", types)
    lists = [resource.method for resource in service.resources if resource.kind is Kind.LIST]
    methods = [resource.method for resource in service.resources]
    _require_unique("method", methods + [f"{name}_list" for name in lists])
    _require_unique("symbol", service.symbols)
    return service


def _require_unique(what: str, taken: Iterable[str]) -> None:
    for name, count in Counter(taken).items():
        if count > 1:
            raise SchemaError(f"two nodes of the model lead to the same {what}: {name}")


class _Builder:
    def __init__(self, service: Service) -> None:
        self.service = service

    def add_cube(self) -> None:
        module = self.service.module
        if any(node.name == "name" for node in module.children):
            raise SchemaError("a top level node cannot be called name, which is the name of the cube")
        name = Member("name", "name", "std::string", "required")
        members = self._members(module.children, (), (), f"/{module.name}/:name")
        self.service.structs.append(
            Struct(
                "CubeConfig",
                "the cube",
                (name, *members),
                "cube_config_from_json",
                base=True,
                cube=True,
            )
        )

    def _members(
        self, nodes: Iterable[Node], path: Path, parents: tuple[Key, ...], endpoint: str
    ) -> tuple[Member, ...]:
        """The members for some nodes; adds to the service whatever these nodes contain."""
        members = []
        for node in sorted(nodes, key=lambda node: not node.base):
            where = (*path, node.name)
            if node.kind is Kind.ACTION:
                self._add_action(node, where, parents)
            elif node.kind in (Kind.LIST, Kind.CONTAINER):
                struct = self._add_tree(node, where, parents, f"{endpoint}/{node.name}")
                role: Literal["list", "container"] = "list" if node.kind is Kind.LIST else "container"
                members.append(
                    Member(
                        node.name,
                        names.member(node.name),
                        struct.name,
                        role,
                        state=not node.config,
                        table=names.table(where),
                    )
                )
            elif not node.base:
                members.append(self._leaf(node, where))
        return tuple(members)

    def _add_tree(self, node: Node, path: Path, parents: tuple[Key, ...], endpoint: str) -> Struct:
        """Add a list or a container with all it contains."""
        key = None
        inner = parents
        if node.kind is Kind.LIST:
            key, endpoint = self._key(node, path, endpoint)
            inner = (*parents, key)
        own = [
            replace(child, base=False) if child.name in node.keys else child for child in node.children
        ]  # a key of the base model is a member all the same
        members = tuple(
            replace(member, role="required") if member.yang in node.keys else member
            for member in self._members(own, path, inner, endpoint)
        )
        function = names.snake(path)
        struct = Struct(
            name=f"{names.pascal(path)}Config",
            title="/".join(path),
            members=members,
            parser=f"{function}_config_from_json" if node.writable else "",
            list_parser=f"{function}_list_from_json" if node.writable and key else "",
            yang=node.name,
            key=key,
            base=any(child.base for child in node.children),
        )
        self._add(node.kind, path, struct, parents, node.writable)
        return struct

    def _add_action(self, node: Node, path: Path, parents: tuple[Key, ...]) -> None:
        leaves = [(child, self._leaf(child, (*path, child.name))) for child in node.children]
        members = tuple(replace(leaf, role="required") if child.mandatory else leaf for child, leaf in leaves)
        name, title = f"{names.pascal(path)}Input", f"the input of {'/'.join(path)}"
        struct = Struct(name, title, members, f"{names.snake(path)}_input_from_json", output=False)
        self._add(Kind.ACTION, path, struct, parents, writable=True)

    def _add(self, kind: Kind, path: Path, struct: Struct, parents: tuple[Key, ...], writable: bool) -> None:
        self.service.structs.append(struct)
        self.service.resources.append(
            Resource(kind, "/".join(path), names.table(path), names.snake(path), struct, parents, writable)
        )

    def _leaf(self, node: Node, path: Path) -> Member:
        if node.kind is not Kind.LEAF or node.type is None:
            raise SchemaError(f"{'/'.join(path)}: a {node.kind.value} is not supported here")
        return Member(
            yang=node.name,
            name=names.member(node.name),
            type=self._cpp_type(node.type, path),
            role="leaf" if node.config else "output",
            ranges=() if node.type.ranges == _full_range(node.type.base) else node.type.ranges,
            default=node.default,
            shown_default=_shown_default(node.type.base, node.default),
            state=not node.config,
        )

    def _cpp_type(self, leaf_type: Type, path: Path) -> str:
        if leaf_type.base == "enumeration":
            return self._enumeration(leaf_type, path)
        if leaf_type.base == "union":
            textual = {member.base for member in leaf_type.members} <= {*_TEXTS, "enumeration"}
            return "std::string" if textual else "nlohmann::json"
        if leaf_type.base not in _CPP_TYPES:
            raise SchemaError(f"{'/'.join(path)}: Polycube does not support leaves of type {leaf_type.base}")
        return _CPP_TYPES[leaf_type.base]

    def _enumeration(self, leaf_type: Type, path: Path) -> str:
        values = tuple((names.enumerator(text), text) for text in leaf_type.enums)
        enum = Enumeration(names.pascal(path), f"{names.snake(path)}_from_string", values)
        if enum not in self.service.enums:
            _require_unique(f"value of {enum.name}", (name for name, _ in values))
            self.service.enums.append(enum)
        return enum.name

    def _key(self, node: Node, path: Path, endpoint: str) -> tuple[Key, str]:
        """The key of a list, and the endpoint of its entries.

        polycubed prefixes the name of a key with that of its list when the endpoint before it already holds
        `:<name>`, be it as the beginning of a longer name.
        """
        if not node.keys:
            raise SchemaError(f"{'/'.join(path)}: a list needs a key")
        members = []
        for name in node.keys:
            leaf = self._leaf(node.child(name), (*path, name))
            argument = f"{node.name}_{name}" if f":{name}" in endpoint else name
            endpoint += f"/:{argument}"
            taken_by = self._key_taken_by(leaf, argument, (*path, name))
            members.append(KeyMember(name, leaf.name, leaf.type, taken_by, leaf.ranges))
        return Key(f"{names.pascal(path)}Key", names.snake(path), tuple(members)), endpoint

    def _key_taken_by(self, leaf: Member, argument: str, path: Path) -> str:
        for enum in self.service.enums:
            if enum.name == leaf.type:
                return f'keys.choice("{argument}", {self.service.namespace}::{enum.parser}'
        if leaf.type == "std::string":
            return f'keys.text("{argument}"'
        if leaf.type == "bool" or leaf.type in _INTEGERS.values():
            return f'keys.number<{leaf.type}>("{argument}"'
        raise SchemaError(f"{'/'.join(path)}: a key of this type is not supported")


def _declaration(cpp_type: str, name: str) -> str:
    return f"{cpp_type} {name}" if cpp_type == "std::string" else f"{cpp_type} {name}{{}}"


def _full_range(base: str) -> tuple[tuple[int, int], ...]:
    if base not in _INTEGERS:
        return ()
    bits = int(base.removeprefix("u").removeprefix("int"))
    return ((0, 2**bits - 1),) if base.startswith("u") else ((-(2 ** (bits - 1)), 2 ** (bits - 1) - 1),)
