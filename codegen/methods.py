"""The methods of CubeApi behind a list, a container or an action."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from codegen.model import Resource
from codegen.schema import Kind

_LINE_LENGTH = 110


@dataclass(frozen=True)
class Method:
    """A method of CubeApi. `entry` is the member of the resource's table in runtime/dispatch.h that holds it."""

    entry: str
    name: str
    result: str
    parameters: tuple[str, ...]

    @property
    def declaration(self) -> str:
        """The pure virtual function, continued under its first parameter when one line is too short."""
        head, tail = f"  virtual {self.result} {self.name}(", ") = 0;"
        line = head + ", ".join(self.parameters) + tail
        if len(line) <= _LINE_LENGTH:
            return line
        return head + (",\n" + " " * len(head)).join(self.parameters) + tail


def methods(resource: Resource) -> list[Method]:
    """All methods of a resource, those that read first."""
    parents = [f"const {key.name} &{key.variable}" for key in resource.parents]
    return [
        Method(entry, _name(resource, entry), result, (*parents, *parameters))
        for entry, result, parameters in _signatures(resource)
    ]


def parsers(resource: Resource) -> dict[str, str]:
    """The members of its table that parse the bodies of its requests, and the functions that do."""
    found = {"parse": resource.struct.parser, "parse_list": resource.struct.list_parser}
    return {entry: function for entry, function in found.items() if function}


def _name(resource: Resource, entry: str) -> str:
    if resource.kind is Kind.ACTION:
        return resource.method
    operation, _, suffix = entry.replace("remove", "delete").partition("_")
    return "_".join(filter(None, (operation, resource.method, suffix)))


def _signatures(resource: Resource) -> Iterator[tuple[str, str, Sequence[str]]]:
    """Entry in the table, type of the result, and parameters after the keys of the enclosing lists."""
    config = resource.struct.name
    depth = ["Depth depth"] if resource.struct.deep else []
    match resource.kind:
        case Kind.ACTION:
            yield "run", "nlohmann::json", [f"const {config} &input"]
        case Kind.CONTAINER:
            yield "read", config, depth
            if resource.writable:
                yield "replace", "void", [f"const {config} &config"]
                yield "update", "void", [f"const {config} &config"]
                yield "remove", "void", []
        case Kind.LIST:
            assert resource.struct.key, "lists have keys"
            key = f"const {resource.struct.key.name} &key"
            entries = f"const std::vector<{config}> &entries"
            yield "read", config, [key, *depth]
            yield "read_list", "void", [*depth, f"const Show<{config}> &show"]
            if resource.writable:
                yield "create", "void", [entries]
                yield "replace", "void", [f"const {config} &entry"]
                yield "replace_list", "void", [entries]
                yield "update", "void", [entries]
                yield "remove", "void", [key]
                yield "remove_list", "void", []
