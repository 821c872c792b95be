"""From the text of a value to JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


def typed(text: str, simpletype: str | None) -> Any:
    """The value for a member of this simpletype; what the text looks like when that is not known."""
    match simpletype:
        case "string" | "empty":
            return text
        case "boolean" if text in TRUE | FALSE:
            return text in TRUE
    return guessed(text)


def guessed(text: str) -> Any:
    """Integer, else float, else boolean, else string."""
    for number in (int, float):
        try:
            value = number(text)
        except ValueError:
            continue
        if "_" not in text and math.isfinite(value):
            return value
    if text in TRUE | FALSE:
        return text in TRUE
    return text


def looks_typed(text: str) -> bool:
    """Whether the text looks like something else than a string."""
    return not isinstance(guessed(text), str)


def members_object(members: Sequence[tuple[str, str]], types: Mapping[str, str]) -> dict[str, Any]:
    """`a.b=1` is a member of the object `a`."""
    root: dict[str, Any] = {}
    for name, text in members:
        target = root
        *outer, last = name.split(".")
        for part in outer:
            target = target.setdefault(part, {})
        target[last] = typed(text, types.get(name))
    return root
