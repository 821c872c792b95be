"""The methods of CubeApi behind a list, a container or an action."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from codegen.model import Resource
from codegen.schema import Kind

_LINE_LENGTH = 110


@dataclass(frozen=True)
class Method:
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


def reading_methods(resource: Resource) -> list[Method]:
    """The methods every resource has, in the order of its table in dispatch.h."""
    name, config = resource.method, resource.struct.name
    if resource.kind is Kind.ACTION:
        return [_method(resource, name, "nlohmann::json", [f"const {config} &input"])]
    if resource.kind is Kind.CONTAINER:
        return [_method(resource, f"read_{name}", config)]
    return [
        _method(resource, f"read_{name}", config, _key(resource)),
        _method(resource, f"read_{name}_list", f"std::vector<{config}>"),
    ]


def writing_methods(resource: Resource) -> list[Method]:
    """The methods of a resource that can be written, in the order of its table in dispatch.h."""
    name, config = resource.method, resource.struct.name
    if not resource.writable or resource.kind is Kind.ACTION:
        return []
    if resource.kind is Kind.CONTAINER:
        return [
            _method(resource, f"replace_{name}", "void", [f"const {config} &config"]),
            _method(resource, f"update_{name}", "void", [f"const {config} &config"]),
            _method(resource, f"delete_{name}", "void"),
        ]
    entries = [f"const std::vector<{config}> &entries"]
    return [
        _method(resource, f"create_{name}", "void", entries),
        _method(resource, f"replace_{name}", "void", [f"const {config} &entry"]),
        _method(resource, f"replace_{name}_list", "void", entries),
        _method(resource, f"update_{name}", "void", entries),
        _method(resource, f"delete_{name}", "void", _key(resource)),
        _method(resource, f"delete_{name}_list", "void"),
    ]


def parsers(resource: Resource) -> list[str]:
    """The functions that parse the bodies of its requests, in the order of its table in dispatch.h."""
    return [name for name in (resource.struct.parser, resource.struct.list_parser) if name]


def _key(resource: Resource) -> list[str]:
    assert resource.struct.key, "lists have keys"
    return [f"const {resource.struct.key.name} &key"]


def _method(resource: Resource, name: str, result: str, parameters: Sequence[str] = ()) -> Method:
    parents = [f"const {key.name} &{key.variable}" for key in resource.parents]
    return Method(name, result, (*parents, *parameters))
