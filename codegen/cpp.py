"""Renders the C++ files of a service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import jinja2

from codegen import methods
from codegen.model import Key, KeyMember, Member, Resource, build
from codegen.schema import Kind, Module

_FILES = ("config.h", "config.cpp", "api.h", "handlers.cpp", "data_model.h", "exports.map")
_RUNTIME = Path(__file__).parent / "runtime"
_LITERAL_LENGTH = 15_000  # characters; the standard guarantees 65536 bytes for a string literal
_DELIMITER = "POLYCUBE"


def runtime() -> Mapping[str, str]:
    """The headers that generated files include, the same for every service."""
    return {file.name: file.read_text() for file in sorted(_RUNTIME.glob("*.h"))}


def render(
    module: Module,
    datapath: str | None = None,
    sources: Sequence[str] = (),
    namespace: str | None = None,
) -> Mapping[str, str]:
    """The generated files, name to text.

    `datapath` is the program text to embed as datapath.h, `sources` the names of the files it was made of;
    `namespace` that of the C++ code, which is otherwise named like the module. Raises SchemaError when the
    model cannot be served.
    """
    service = build(module, namespace)
    context = {
        "module": module,
        "namespace": service.namespace,
        "enums": service.enums,
        "keys": service.keys,
        "structs": service.structs,
        "resources": service.resources,
        "handlers": service.handlers,
        "cube": service.cube,
        "help_symbol": service.help_symbol,
        "symbols": sorted(service.symbols),
        "datapath": datapath,
        "sources": sources,
    }
    files = [*_FILES, *(["datapath.h"] if datapath is not None else [])]
    return {file: _ENVIRONMENT.get_template(f"{file}.j2").render(context) for file in files}


def cmake_lists(module: str) -> str:
    """The build rules of the service inside a Polycube tree."""
    return _ENVIRONMENT.get_template("CMakeLists.txt.j2").render(module=module)


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


def _ranges(member: Member | KeyMember) -> str:
    bounds = ", ".join(f"{{{_integer(low)}, {_integer(high)}}}" for low, high in member.ranges)
    return f", {{{bounds}}}" if bounds else ""


def _take(member: KeyMember) -> str:
    """The C++ expression that takes a member of a key from the keys of a request."""
    return f"{member.taken_by}{_ranges(member)})"


def _tie(key: Key, owner: str = "") -> str:
    return f"std::tie({', '.join(owner + member.name for member in key.members)})"


def _table(resource: Resource) -> str:
    """The type of the table of a resource."""
    template = {Kind.LIST: "ListTable", Kind.CONTAINER: "ContainerTable", Kind.ACTION: "ActionTable"}
    parents = f"codegen::Pack<{', '.join(key.name for key in resource.parents)}>"
    arguments = ["CubeApi", resource.struct.name, parents]
    if resource.kind is not Kind.ACTION:
        arguments.append(f"codegen::Pack<{'Depth' if resource.struct.deep else ''}>")
    return f"codegen::{template[resource.kind]}<{', '.join(arguments)}>"


def _entries(resource: Resource) -> list[tuple[str, str]]:
    """The members of the table of a resource and their values."""
    pointers = [(method.entry, f"&CubeApi::{method.name}") for method in methods.methods(resource)]
    return [*methods.parsers(resource).items(), *pointers]


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
    cpp_take=_take,
    cpp_tie=_tie,
    cpp_methods=methods.methods,
    cpp_table=_table,
    cpp_entries=_entries,
    raw_string=raw_string,
)
