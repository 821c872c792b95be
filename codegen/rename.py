"""One model under several names: the names a service may be built under stand beside its model in names.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codegen import schema
from codegen.schema import Module, SchemaError


@dataclass(frozen=True)
class Name:
    """What belongs to a name: a folder in Polycube's source tree, and defaults that differ from the model's."""

    folder: str
    defaults: Mapping[str, str]


def names(model: Path) -> Mapping[str, Name]:
    """The names of the service; none when there is no names.toml. Raises SchemaError when it makes no sense."""
    table = model.parent / "names.toml"
    if not table.exists():
        return {}
    try:
        entries = tomllib.loads(table.read_text())
        return {
            name: Name(entry.get("folder", f"pcn-{name}"), entry.get("defaults", {}))
            for name, entry in entries.items()
        }
    except (tomllib.TOMLDecodeError, AttributeError) as problem:
        raise SchemaError(f"{table}: {problem}") from problem


def load(model: Path, name: str | None, search_path: Sequence[Path] | None = None) -> tuple[Module, Module]:
    """The model under a name, and as it stands in its file. Raises SchemaError or OSError."""
    text = model.read_text()
    original = schema.load(text, search_path)
    if name is None or name == original.name:
        return original, original
    known = names(model)
    if name not in known:
        allowed = ", ".join(sorted({original.name, *known}))
        raise SchemaError(f"{name} is no name of {original.name}, allowed: {allowed}")
    renamed = schema.load(rename(text, original.name, name, known[name].defaults), search_path)
    _check(renamed, name, known[name].defaults)
    return renamed, original


def rename(text: str, old: str, new: str, defaults: Mapping[str, str]) -> str:
    """The source of the model `old` as that of `new`, with other defaults of some leaves."""
    for pattern in (
        rf"(^\s*module\s+){old}\b",
        rf'(^\s*namespace\s+"[^"]*/){old}(?=")',
        rf'(^\s*prefix\s+"?){old}(?="?\s*;)',
        rf'(:service-name\s+"?){old}(?="?\s*;)',
    ):
        text = re.sub(pattern, rf"\g<1>{new}", text, flags=re.MULTILINE)
    for leaf, value in defaults.items():
        pattern = rf'(\bleaf\s+{re.escape(leaf)}\s*\{{.*?\bdefault\s+)"?[^";]+"?'
        text = re.sub(pattern, rf"\g<1>{value}", text, count=1, flags=re.DOTALL)
    return text


def _check(module: Module, name: str, defaults: Mapping[str, str]) -> None:
    """The text was edited, not the schema: see that the edits have met what they should."""
    given = {node.name: node.default for node in module.children}
    wrong = [leaf for leaf, value in defaults.items() if given.get(leaf) != value]
    if module.name != name or module.service_name != name or not module.namespace.endswith(f"/{name}"):
        raise SchemaError(f"the model cannot be renamed to {name}: module, namespace or service-name differ")
    if wrong:
        raise SchemaError(f"{name}: the model has no default for {', '.join(wrong)}")
