"""The grammar of the command line: which words are path, command, members, flags or a question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

COMMANDS = ("add", "set", "show", "del")
FORMATS = ("normal", "brief", "verbose", "json", "yaml")
ALONE_SHOWN = ("version", "netdevs", "cubes", "topology")
VERBS_ALONE = ("connect", "disconnect", "attach", "detach")
QUESTIONS = ("?", "-h", "--help")
POSITIONS = ("position", "before", "after")
NAMES_FOLLOW = "--"


class UsageError(ValueError):
    """The words make no command; the message says why."""


@dataclass(frozen=True)
class Line:
    """A command line. `command` is "" without one: an action, or nothing but a look. `members` are the
    `name=value` words in order."""

    command: str = ""
    path: tuple[str, ...] = ()
    members: tuple[tuple[str, str], ...] = ()
    format: str = "normal"
    hide: tuple[str, ...] = ()
    help: bool = False


def parse(words: Sequence[str]) -> Line:
    """Sort the words of a command line. Raises UsageError."""
    line = _sorted(words)
    if line.help:
        return line
    match line.path:
        case (("connect" | "disconnect") as what, *peers) if not line.command:
            return _with_members(line, what, ("peer1", "peer2"), peers)
        case ("attach", *ends) if not line.command:
            if any(name not in POSITIONS for name, _ in line.members):
                raise UsageError("attach knows position=, before= and after=")
            return _with_members(line, "attach", ("cube", "port"), ends)
        case ("detach", *ends) if not line.command:
            return _with_members(line, "detach", ("cube", "port"), ends)
        case (name,) if name in ALONE_SHOWN and not line.command and not line.members:
            return replace(line, command="show")
    if not line.path:
        raise UsageError("what do you want to work on? `pcnctl ?` lists what there is")
    if line.command in ("show", "del") and line.members:
        raise UsageError(f"{line.command} takes no members such as {line.members[0][0]}=")
    if line.command == "set" and any(not name for name, _ in line.members):
        raise UsageError("a member has a name before the `=`")
    return line


def names_apart(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words up to `--`, and the names after it, which are names even if they look like something else."""
    if NAMES_FOLLOW not in words:
        return list(words), []
    position = words.index(NAMES_FOLLOW)
    return list(words[:position]), list(words[position + 1 :])


def _sorted(words: Sequence[str]) -> Line:
    command = ""
    path: list[str] = []
    members: list[tuple[str, str]] = []
    shape = "normal"
    hide: tuple[str, ...] = ()
    flags: list[str] = []
    words, names = names_apart(words)
    if words[:1] == ["help"]:
        words = [*words[1:], "?"]
    asked = bool(words) and words[-1] in QUESTIONS
    for word in words[:-1] if asked else words:
        if word in COMMANDS:
            if command:
                raise UsageError(f"two commands: {command} and {word}")
            if members:
                raise UsageError(f"{word} comes before {members[0][0]}=")
            command = word
        elif word.startswith("-"):
            flags.append(word)
            name, _, value = word[1:].partition("=")
            if name in FORMATS:
                shape = name
            elif name == "hide" and value:
                hide = tuple(value.split(","))
            else:
                raise UsageError(f"unknown flag {word}")
        elif "=" in word:
            if word.count("=") > 1:
                raise UsageError(f"more than one `=` in {word}")
            name, _, value = word.partition("=")
            members.append((name, value))
        elif members:
            raise UsageError(f"{word} comes before {members[0][0]}=")
        else:
            path.append(word)
    path += names
    alone = tuple(path) and path[0] in ALONE_SHOWN and len(path) == 1
    if flags and command not in ("", "show") and not alone:
        raise UsageError(f"{flags[0]} goes with show only")
    return Line(command, tuple(path), tuple(members), shape, hide, asked)


def _with_members(line: Line, what: str, names: Sequence[str], values: Sequence[str]) -> Line:
    if len(values) != len(names):
        raise UsageError(f"usage: {what} {' '.join(name.upper() for name in names)}")
    return replace(line, path=(what,), members=(*zip(names, values, strict=True), *line.members))
