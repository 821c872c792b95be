"""Transcripts in Markdown: fenced blocks of the language `console`, commands after `$ `, then what they print.

`...` in what is printed stands for anything. A command goes on in the next line after a backslash."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Step:
    """A command and what it should print, without the line break at the end."""

    command: str
    printed: str

    def matches(self, output: str) -> bool:
        pattern = ".*".join(map(re.escape, self.printed.split("...")))
        return re.fullmatch(pattern, output.strip("\n"), re.DOTALL) is not None


def steps(file: Path) -> list[Step]:
    return [step for block in _BLOCK.findall(file.read_text()) for step in _steps(block)]


def _steps(block: str) -> list[Step]:
    found = []
    lines = block.splitlines()
    while lines:
        assert lines[0].startswith("$ "), f"a command is expected, not {lines[0]}"
        command = [lines.pop(0)[2:]]
        while command[-1].endswith("\\"):
            command.append(lines.pop(0))
        printed = []
        while lines and not lines[0].startswith("$ "):
            printed.append(lines.pop(0))
        found.append(Step("\n".join(command), "\n".join(printed)))
    return found
