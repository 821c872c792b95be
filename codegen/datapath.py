"""Joins the C sources of a datapath into the one program text that a host compiles."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

_QUOTED_INCLUDE = re.compile(r'\s*#\s*include\s*"([^"]+)"')
_PRAGMA_ONCE = re.compile(r"\s*#\s*pragma\s+once\b")


class DatapathError(ValueError):
    """A source or one of its includes cannot be read."""


def join(sources: Sequence[Path]) -> str:
    """Concatenate the sources, each `#include "file"` replaced by that file the first time and dropped later.

    Includes are relative to the including file. `#include <file>` stays: the host provides those.
    """
    seen: set[Path] = set()
    return "".join(line for source in sources for line in _lines(source, seen))


def _lines(source: Path, seen: set[Path]) -> Iterator[str]:
    if source.resolve() in seen:
        return
    seen.add(source.resolve())
    try:
        text = source.read_text()
    except OSError as problem:
        raise DatapathError(f"{source}: {problem.strerror}") from problem
    for line in text.splitlines():
        include = _QUOTED_INCLUDE.match(line)
        if include:
            yield from _lines(source.parent / include.group(1), seen)
        elif not _PRAGMA_ONCE.match(line):
            yield line + "\n"
