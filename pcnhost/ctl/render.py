"""How `show` looks: members first, then objects, then lists as tables."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import yaml

DEPTHS = {"brief": 1, "normal": 2, "verbose": 3}
INDENT = "    "
MIN_PROSE = 16  # columns for text that wraps


def shown(value: Any, shape: str, hide: Sequence[str] = (), width: int | None = None) -> str:
    """The text for a JSON value; `hide` are members to leave out, `width` the columns there are for tables."""
    value = _without(value, frozenset(hide))
    if shape == "json":
        return json.dumps(value, indent=4, ensure_ascii=False)
    if shape == "yaml":
        return yaml.safe_dump(value, sort_keys=False, allow_unicode=True).rstrip()
    return "\n".join(_lines(_without(value, frozenset({"_links"})), DEPTHS[shape], width)).rstrip()


def _without(value: Any, hide: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {name: _without(member, hide) for name, member in value.items() if name not in hide}
    if isinstance(value, list):
        return [_without(item, hide) for item in value if not _is_pair(item, hide)]
    return value


def _is_pair(item: Any, names: frozenset[str]) -> bool:
    """Whether it is something like `["_links", …]`, a member of a list."""
    return isinstance(item, list) and bool(item) and isinstance(item[0], str) and item[0] in names


def _lines(value: Any, depth: int, width: int | None) -> Iterable[str]:
    if isinstance(value, dict):
        yield from _object(value, depth, width)
    elif isinstance(value, list):
        yield from _list(value, depth, width)
    else:
        yield scalar(value)


def _object(value: dict[str, Any], depth: int, width: int | None) -> Iterable[str]:
    scalars = {name: member for name, member in value.items() if not isinstance(member, dict | list)}
    objects = {name: member for name, member in value.items() if isinstance(member, dict)}
    lists = {name: member for name, member in value.items() if isinstance(member, list)}
    for name, member in scalars.items():
        yield f"{name}: {scalar(member)}"
    for name, member in (objects | lists).items():
        yield ""
        if depth <= 1:
            yield f"{name}: {_count(member)}"
            continue
        yield f"{name}:"
        for line in _lines(member, depth - 1, width and width - len(INDENT)):
            yield INDENT + line if line else line


def _list(value: list[Any], depth: int, width: int | None) -> Iterable[str]:
    rows = [item for item in value if isinstance(item, dict)]
    if rows:
        yield from table(rows, depth, width)
    for item in value:
        if not isinstance(item, dict | list):
            yield scalar(item)


def table(rows: Sequence[dict[str, Any]], depth: int, width: int | None = None) -> list[str]:
    """One line a row, more when the depth allows to show what is nested in it.

    What is wider than `width` wraps in its column of prose; without one, each row becomes lines `name: value`."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    nested = {name for name in names if any(isinstance(row.get(name), list) for row in rows)}
    heads = [f"{name} (list)" if name in nested else name for name in names]
    cells = [[_cell(row.get(name, ""), depth) for name in names] for row in rows]
    widths = [
        max(len(line) for line in (head, *(text for row in cells for text in row[column])))
        for column, head in enumerate(heads)
    ]
    if width is not None and (excess := sum(widths) + 2 * (len(widths) - 1) - width) > 0:
        prose = max(range(len(widths)), key=lambda at: (_is_prose(cells, at), widths[at]))
        if not _is_prose(cells, prose) or widths[prose] - excess < MIN_PROSE:
            return _records(heads, cells, width)
        widths[prose] -= excess
        for row in cells:
            row[prose] = [part for text in row[prose] for part in textwrap.wrap(text, widths[prose]) or [""]]
    lines = [_aligned(heads, widths)]
    for row in cells:
        for at in range(max(len(cell) for cell in row)):
            lines.append(_aligned([cell[at] if at < len(cell) else "" for cell in row], widths))
    return lines


def _is_prose(cells: Sequence[Sequence[Sequence[str]]], column: int) -> bool:
    return any(" " in text.strip() for row in cells for text in row[column])


def _records(heads: Sequence[str], cells: Sequence[Sequence[Sequence[str]]], width: int) -> list[str]:
    lines: list[str] = []
    for row in cells:
        if lines:
            lines.append("")
        for head, (first, *more) in zip(heads, row, strict=True):
            if first or more:
                lines += _wrapped(f"{head}: {first}", width)
                lines += [INDENT + line for text in more for line in _wrapped(text, width - len(INDENT))]
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent=INDENT, break_on_hyphens=False)


def _aligned(texts: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(text.ljust(width) for text, width in zip(texts, widths, strict=True)).rstrip()


def _cell(value: Any, depth: int) -> list[str]:
    """The lines of a cell, at least one."""
    if isinstance(value, list):
        if not any(isinstance(item, dict | list) for item in value):
            return [", ".join(map(scalar, value))]
        if depth < 3:
            return [_count(value)]
        return [_summary(item) for item in value] or [""]
    if isinstance(value, dict):
        return [_summary(value)] if depth >= 2 else [_count(value)]
    return [scalar(value)]


def _summary(value: Any) -> str:
    if not isinstance(value, dict):
        return scalar(value) if not isinstance(value, list) else _count(value)
    return " ".join(
        f"{name}={_count(member) if isinstance(member, dict | list) else scalar(member)}"
        for name, member in value.items()
    )


def _count(value: dict[str, Any] | list[Any]) -> str:
    return f"[{len(value)} item{'' if len(value) == 1 else 's'}]"


def scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
