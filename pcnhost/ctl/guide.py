"""`?`: what can be typed next, from the daemon's help."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pcnhost.ctl.render import table
from pcnhost.ctl.views import VIEWS

INTRO = "Keywords, then values; `?` at the end of a line tells what may follow."

COMMAND_TEXTS = {
    "add": "Add an element",
    "del": "Delete an element",
    "show": "Show an element",
    "set": "Change a member",
}

OWN_HELP = {
    "services": ("services add type=lib uri=PATH name=NAME", "services del NAME", "services [NAME] show"),
    "connect": ("connect CUBE:PORT|NETDEV CUBE:PORT|NETDEV",),
    "disconnect": ("disconnect CUBE:PORT|NETDEV CUBE:PORT|NETDEV",),
    "attach": ("attach CUBE PORT [position=auto|first|last | before=CUBE | after=CUBE]",),
    "detach": ("detach CUBE PORT",),
}

HOST_WORDS = {
    "services": "Load and unload services",
    "cubes": "Show the cubes",
    "netdevs": "Show the network interfaces",
    "topology": "Show how cubes are connected",
    "connect": "Connect two ports",
    "disconnect": "Disconnect two ports",
    "attach": "Attach a transparent cube",
    "detach": "Detach a transparent cube",
    "version": "Show the version of the daemon",
    **VIEWS,
    "check": "Whether the kernel has what a cube is configured to do",
    "doctor": "Whether this machine has what the host needs",
}


def own_help(path: Sequence[str]) -> str | None:
    """Help the daemon does not have."""
    usages = OWN_HELP.get(path[0]) if path else None
    return None if usages is None else "\n".join(["Usage:", *(f"  pcnctl {usage}" for usage in usages)])


def root_guide(
    services: Mapping[str, Any] | None,
    cubes: Mapping[str, Sequence[Mapping[str, Any]]],
    width: int | None = None,
) -> str:
    """What there is on the first level: words of the host, services, cubes."""
    rows = [
        *_rows("host", HOST_WORDS.items()),
        *_rows("service", ((name, node.get("description", "")) for name, node in (services or {}).items())),
        *_rows("cube", ((cube["name"], f"of {service}") for service, all_ in cubes.items() for cube in all_)),
    ]
    return "\n".join([INTRO, "", *table(rows, 1, width)])


def guide(shown: Mapping[str, Any], typed: Sequence[str], command: str, width: int | None = None) -> str:
    """The text for a help object. `typed` are the words of the line before the `?`."""
    parameters = shown.get("params") or {}
    optional = shown.get("optional-params") or {}
    rows = [
        *_rows("command", ((name, COMMAND_TEXTS.get(name, "")) for name in shown.get("commands") or ())),
        *_rows("action", ((name, "") for name in shown.get("actions") or ())),
        *(
            _parameter(node, f"<{name}>" if node.get("type") == "key" else name)
            for name, node in parameters.items()
        ),
        *(_parameter(node, f"{name}=") for name, node in optional.items()),
    ]
    sections = [table(rows, 1, width)] if rows else []
    elements = shown.get("elements") or []
    if elements:
        sections.append(["Existing:", *(f"  {line}" for line in table(elements, 1, width and width - 2))])
    if command == "add" and (parameters or optional):
        example = _example(parameters, optional, typed)
        sections.append(["Example:", *_continued(example, width)])
    if not sections:
        return "Nothing can follow."
    return "\n\n".join("\n".join(section) for section in sections)


def _continued(command: str, width: int | None) -> list[str]:
    """A command line as the shell takes it in several lines."""
    if width is None:
        return [f"  {command}"]
    lines = textwrap.wrap(command, max(20, width - 6), break_long_words=False, break_on_hyphens=False)
    return [*(f"  {line} \\" for line in lines[:-1]), f"  {lines[-1]}"]


def _rows(kind: str, words: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    return [{"word": word, "type": kind, "description": text, "example": ""} for word, text in words]


def _parameter(node: Mapping[str, Any], word: str) -> dict[str, Any]:
    kind = node.get("simpletype") or node.get("type", "")
    return {
        "word": word,
        "type": kind,
        "description": node.get("description", ""),
        "example": node.get("example", ""),
    }


def _example(parameters: Mapping[str, Any], optional: Mapping[str, Any], typed: Sequence[str]) -> str:
    keys = [str(node.get("example") or f"<{name}>") for name, node in parameters.items()]
    members = [f"{name}={node['example']}" for name, node in optional.items() if node.get("example")]
    return " ".join(["pcnctl", *typed, *keys, *members])
