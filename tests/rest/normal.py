"""What is left of an answer to compare, once everything that may differ by right is made equal.

Equal by right: uuids, the address of the daemon, the order of sets, help texts, who built the service,
services other than the recorded one, and new members of the data model and of errors (which must come last).
"""

from __future__ import annotations

import json
import re
from typing import Any

from tests.rest.recording import Recorded

SERVICE = "k8slbrp"
OTHER_SERVICES = frozenset({"simplebridge", "k8sdispatcher", "router", "lbrp", "helloworld"})
NEW_MEMBERS = frozenset(
    {
        *("max-sessions", "state", "unserved-ports", "timeouts", "stats", "sessions", "error-message"),
        *("session-affinity", "affinity-timeout", "source-range"),
    }
)

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HOST = re.compile(r"^//[^/]+/")
_BUILD = {"version", "pyang_repo_id", "swagger_codegen_repo_id", "servicecontroller", "datamodel"}
# Words that only close a list of words, after the members.
_CLOSING = ("set", "show", "_links")


def normal(recorded: Recorded, status: int, text: str) -> tuple[int, str]:
    """Status and comparable text of an answer to the recorded request."""
    if text[:1] not in ("{", "[", '"'):
        return status, text
    try:
        value = json.loads(text)
    except ValueError:
        return status, text
    value = _value(value)
    if recorded.method == "OPTIONS":
        value = _help(recorded, value)
    if recorded.path == "/polycube/v1/":
        value = sorted(value, key=lambda link: str(link["href"]))
    if recorded.path == "/polycube/v1/version":
        value = {"polycubed": {"version": "<version>"}}
    return status, json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _value(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: "<build>" if "servicecontroller" in value and name in _BUILD else _value(member)
            for name, member in _without_new(value).items()
        }
    if isinstance(value, list):
        return _list(value)
    if isinstance(value, str):
        return _HOST.sub("//<host>/", _UUID.sub("<uuid>", value))
    return value


def _list(value: list[Any]) -> list[Any]:
    if len(value) == 2 and value[0] == "_links":
        own, *others = _links(value[1])
        return ["_links", [own, *sorted(others, key=str)]]
    if value and all(isinstance(item, dict) and "href" in item for item in value):
        return _links(value)
    items = [
        _value(item)
        for item in value
        if not (isinstance(item, dict) and "servicecontroller" in item and item["name"] in OTHER_SERVICES)
    ]
    if all(isinstance(item, str) for item in value):
        return _names_without_new(items)
    objects = [item for item in items if isinstance(item, dict)]
    if any(_in_a_set(item) for item in objects):
        objects.sort(key=str)
    return objects + [item for item in items if not isinstance(item, dict)]


def _in_a_set(item: dict[str, Any]) -> bool:
    """Services, backends (also in help) and cubes come in any order; ports are sorted by name."""
    return any(name in item for name in ("vip", "weight", "service-name")) or list(item) == ["ip"]


def _links(value: list[Any]) -> list[Any]:
    names = _names_without_new([link["rel"] for link in value])
    return [_value(link) for link in value if link["rel"] in names and link["rel"] not in OTHER_SERVICES]


def _without_new(value: dict[str, Any]) -> dict[str, Any]:
    return {name: value[name] for name in _names_without_new(list(value))}


def _names_without_new(names: list[str]) -> list[str]:
    """The names without the new ones, which have to follow all others."""
    kept = [name for name in names if name.rstrip("=") not in NEW_MEMBERS]
    historical = [name for name in kept if name not in _CLOSING]
    new = [name for name in names if name.rstrip("=") in NEW_MEMBERS]
    if new and [name for name in names if name not in _CLOSING] != [*historical, *new]:
        return names
    return kept


def _help(recorded: Recorded, value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: "<description>" if name == "description" else _help(recorded, m)
            for name, m in value.items()
        }
    words = isinstance(value, list) and all(isinstance(item, str) for item in value)
    last = recorded.path.partition("?")[0].rstrip("/").rpartition("/")[2]
    if words and last in ("loglevel", "port_mode", "type", "service"):
        return sorted(value)
    return value
