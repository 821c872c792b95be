"""Why a daemon has refused a line with no more than `Method Not Allowed`: its help tells what it would take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pcnhost.ctl.client import Client, Reply
from pcnhost.ctl.words import Line

_BARE = ("Method Not Allowed", "Cannot find a matching route.")
_NO_CUBE = "No cube found named"  # also said of a service, when nothing follows it by that name


def refusal(client: Client, line: Line, body: str | None, reply: Reply) -> str:
    """What the daemon said, or more when that was not enough to go on. Raises Unreachable."""
    nothing_given = line.command == "add" and body == "{}" and reply.status == 400
    if nothing_given:
        return _missing_keys(client, line.path) or reply.refusal
    if reply.text not in _BARE and not reply.text.startswith(_NO_CUBE):
        return reply.refusal
    return (
        _unknown_word(client, line)
        or _missing_keys(client, line.path)
        or _wrong_member(client, line)
        or _wrong_command(client, line)
        or reply.refusal
    )


def _unknown_word(client: Client, line: Line) -> str | None:
    shown: Mapping[str, Any] | None = None
    for end in range(1, len(line.path) + 1):
        before, shown = shown, _help(client, line.path[:end])
        if shown is None:
            if before is None:
                return None  # a word of the host
            return f"{line.path[end - 1]}: unknown after {' '.join(line.path[: end - 1])}, {_allowed(before)}"
    return None


def _missing_keys(client: Client, path: Sequence[str]) -> str | None:
    """Of a list whose element is named by several words."""
    keys = _keys(_help(client, path))
    if not keys:
        return None
    given = 0
    while given < len(keys) and _keys(_help(client, path[: len(path) - given - 1])) == keys:
        given += 1
    return f"{', '.join(keys[given:])}: missing after {' '.join(path)}"


def _wrong_member(client: Client, line: Line) -> str | None:
    if line.command != "set":
        return None
    settable = _parameters(client, line, "SET")
    for name, _ in line.members:
        if name in settable:
            continue
        if name in _parameters(client, line, "ADD"):
            return f"{name}: cannot be changed, only given when {' '.join(line.path)} is added"
        if name in _parameters(client, line, "SHOW"):
            return f"{name}: cannot be set, it only shows"
        return f"{name}: no member of {' '.join(line.path)}, allowed: {', '.join(settable) or 'none'}"
    return None


def _wrong_command(client: Client, line: Line) -> str | None:
    shown = _help(client, line.path)
    if not line.command or shown is None or line.command in (shown.get("commands") or ()):
        return None
    return f"{line.command}: not possible for {' '.join(line.path)}, {_allowed(shown)}"


def _allowed(shown: Mapping[str, Any]) -> str:
    names = (name for name, node in (shown.get("params") or {}).items() if node.get("type") != "key")
    return f"allowed: {', '.join([*(shown.get('commands') or ()), *(shown.get('actions') or ()), *names])}"


def _keys(shown: Mapping[str, Any] | None) -> list[str]:
    parameters = (shown or {}).get("params") or {}
    return [name for name, node in parameters.items() if node.get("type") == "key"]


def _parameters(client: Client, line: Line, kind: str) -> list[str]:
    shown = _help(client, line.path, kind) or {}
    return [*(shown.get("params") or ()), *(shown.get("optional-params") or ())]


def _help(client: Client, path: Sequence[str], kind: str = "NONE") -> Mapping[str, Any] | None:
    reply = client.ask(path, f"help={kind}")
    shown = reply.json() if reply.ok else None
    return shown if isinstance(shown, dict) else None
