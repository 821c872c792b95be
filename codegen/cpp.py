"""Renders the C++ files of a service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import jinja2

from codegen import methods
from codegen.model import Key, Member, Resource, build
from codegen.schema import Kind, Module

_FILES = (
    "errors.h",
    "config.h",
    "config.cpp",
    "codec.h",
    "api.h",
    "dispatch.h",
    "handlers.cpp",
    "data_model.h",
    "exports.map",
)
_LITERAL_LENGTH = 15_000  # characters; the standard guarantees 65536 bytes for a string literal
_DELIMITER = "POLYCUBE"

MARK = "Written by codegen.export, which replaces this directory."


def render(module: Module, datapath: str | None = None, sources: Sequence[str] = ()) -> Mapping[str, str]:
    """The generated files, name to text.

    `datapath` is the program text to embed as datapath.h, `sources` the names of the files it was made of.
    Raises SchemaError when the model cannot be served.
    """
    service = build(module)
    context = {
        "module": module,
        "namespace": service.namespace,
        "enums": service.enums,
        "keys": service.keys,
        "structs": service.structs,
        "resources": service.resources,
        "handlers": service.handlers,
        "help_symbol": service.help_symbol,
        "symbols": sorted(service.symbols),
        "datapath": datapath,
        "sources": sources,
    }
    files = [*_FILES, *(["datapath.h"] if datapath is not None else [])]
    return {file: _ENVIRONMENT.get_template(f"{file}.j2").render(context) for file in files}


def cmake_lists(module: str) -> str:
    """The build rules of the service inside a Polycube tree."""
    return _ENVIRONMENT.get_template("CMakeLists.txt.j2").render(module=module, mark=MARK)


def raw_string(text: str) -> str:
    """The text as adjacent raw string literals, split at line ends."""
    if f"){_DELIMITER}" in text:
        raise ValueError(f"a text to embed contains ){_DELIMITER}, which ends its literal")
    return "\n".join(f'R"{_DELIMITER}({chunk}){_DELIMITER}"' for chunk in _chunks(text.splitlines(True)))


def _chunks(lines: Iterable[str]) -> Iterable[str]:
    chunk = ""
    for line in lines:
        if chunk and len(chunk) + len(line) > _LITERAL_LENGTH:
            yield chunk
            chunk = ""
        chunk += line
    yield chunk


def _string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _integer(value: int) -> str:
    if value == -(2**63):  # has no literal of its own
        return "INT64_MIN"
    return f"{value}u" if value >= 2**63 else str(value)


def _ranges(member: Member) -> str:
    bounds = ", ".join(f"{{{_integer(low)}, {_integer(high)}}}" for low, high in member.ranges)
    return f", {{{bounds}}}" if bounds else ""


def _tie(key: Key, owner: str = "") -> str:
    return f"std::tie({', '.join(owner + member.name for member in key.members)})"


def _resource(resource: Resource) -> str:
    template = {Kind.LIST: "List", Kind.CONTAINER: "Container", Kind.ACTION: "Action"}[resource.kind]
    return f"{template}<{', '.join([resource.struct.name, *(key.name for key in resource.parents)])}>"


def _table(resource: Resource) -> list[str]:
    """The members of the table of a resource, in the order of its struct in dispatch.h."""
    reads, writes = methods.reading_methods(resource), methods.writing_methods(resource)
    return [
        *(f"&CubeApi::{method.name}" for method in reads),
        *methods.parsers(resource),
        *(f"&CubeApi::{method.name}" for method in writes),
    ]


def _methods(resource: Resource) -> list[methods.Method]:
    return methods.reading_methods(resource) + methods.writing_methods(resource)


_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("codegen"),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_ENVIRONMENT.filters.update(
    cpp_string=_string,
    cpp_ranges=_ranges,
    cpp_tie=_tie,
    cpp_methods=_methods,
    cpp_resource=_resource,
    cpp_table=_table,
    raw_string=raw_string,
)
