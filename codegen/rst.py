"""The part of Markdown that our manual uses, as reStructuredText, in which Polycube's documentation is written."""

from __future__ import annotations

import re
from collections.abc import Iterator

_UNDERLINES = "=-~"
_CODE = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")


def from_markdown(text: str) -> str:
    """Headings, paragraphs, lists, tables, code blocks, code, emphasis and links."""
    return "\n\n".join(_block(block) for block in _blocks(text)) + "\n"


def _blocks(text: str) -> Iterator[list[str]]:
    """Runs of lines between empty ones; an empty line inside a fence or between indented lines ends none."""
    block: list[str] = []
    fenced = False
    for line in [*text.splitlines(), ""]:
        fenced ^= line.startswith("```")
        if line or fenced:
            block.append(line)
        elif block:
            yield block
            block = []


def _block(lines: list[str]) -> str:
    first = lines[0]
    if heading := re.match(r"(#+) (.*)", first):
        title = _inline(heading[2])
        return f"{title}\n{_UNDERLINES[len(heading[1]) - 1] * len(title)}"
    if first.startswith("```"):
        return _literal(lines[1:-1])
    if first.startswith("    "):
        return _literal([line[4:] for line in lines])
    if first.startswith("|"):
        return _table([line for line in lines if not re.fullmatch(r"[|\s:-]+", line)])
    return "\n".join(map(_inline, lines))


def _literal(lines: list[str]) -> str:
    return "\n".join(["::", "", *(f"    {line}" if line else "" for line in lines)])


def _table(rows: list[str]) -> str:
    shown = [".. list-table::", "    :header-rows: 1", ""]
    for row in rows:
        cells = [_inline(cell.strip()) for cell in row.strip("|").split("|")]
        shown += [f"    {'  - ' if number else '* - '}{cell}".rstrip() for number, cell in enumerate(cells)]
    return "\n".join(shown)


def _inline(line: str) -> str:
    return _LINK.sub(r"`\1 <\2>`__", _CODE.sub(r"``\1``", line))
