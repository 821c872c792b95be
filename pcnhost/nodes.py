"""The configuration of a cube, taken apart: one node for the cube and one for each entry of a list.

A node has a path, such as `service=10.96.0.1,80,tcp/backend=10.0.0.1` (containers are steps without keys), and the
members of its entry but for the lists in it. So a change costs what it changes, however large the cube is.

After a write the service is asked what has become of the places that the write names; what it answers is kept. So
the nodes never drift away from the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from pcnhost.journal import Change, Member, Nodes
from pcnhost.library import ErrorTag
from pcnhost.rest import jsontext, rules
from pcnhost.rest.answers import Refused
from pcnhost.rest.context import Call, Entry
from pcnhost.rest.cubes import CubeResource, ServiceResource
from pcnhost.rest.jsontext import Json
from pcnhost.rest.resources import (
    ContainerResource,
    CubeLeafResource,
    EntryResource,
    LeafResource,
    ListResource,
    MembersResource,
    PortLeafResource,
    Resource,
)

Node = tuple[str, Json]


def changes(
    root: ServiceResource, resource: Resource, call: Call, is_kept: Callable[[str], bool]
) -> list[Change]:
    """What a write to `resource`, which has been carried out, has changed. `is_kept`: whether there is a node."""
    return _Reader(root, call.cube, is_kept).written(resource, call)


def cube_nodes(root: ServiceResource, call: Call) -> Nodes:
    """All of a cube, no node at all when it is gone."""
    return _Reader(root, call.cube, lambda path: True).cube(call)


def port_path(port: str) -> str:
    return f"ports={quote(port, safe=':')}"


def assembled(nodes: Sequence[Node]) -> dict[str, Any]:
    """The configuration that nodes were made of."""
    by_path: dict[str, dict[str, Any]] = {"": nodes[0][1]}
    for path, value in nodes[1:]:
        parent, containers, name = _place(path)
        place = by_path[parent]
        for container in containers:
            place = place.setdefault(container, {})
        place.setdefault(name, []).append(value)
        by_path[path] = value
    return by_path[""]


def _place(path: str) -> tuple[str, list[str], str]:
    """Of the path of an entry: that of the node around it, the containers on the way, the name of its list."""
    *before, last = path.split("/")
    containers: list[str] = []
    while before and "=" not in before[-1]:
        containers.insert(0, before.pop())
    return "/".join(before), containers, last.partition("=")[0]


class _Reader:
    def __init__(self, root: ServiceResource, cube: str, is_kept: Callable[[str], bool]) -> None:
        self._root = root
        self._cube = cube
        self._is_kept = is_kept

    def written(self, resource: Resource, call: Call) -> list[Change]:
        method = call.request.method
        match resource:
            case ServiceResource():
                return self.written(resource.cube, call)
            case MembersResource() if method == "PATCH":
                return self._members(resource, call, call.object_body())
            case CubeResource():
                return [self.cube(call)]
            case EntryResource():
                return self._entry(resource, call, deleted=method == "DELETE")
            case ListResource() if method in ("POST", "PATCH"):
                return self._elements(resource, call, call.list_body())
            case ListResource():
                return [self._list(resource, call)]
            case ContainerResource():
                return self._container(resource, call)
            case LeafResource():
                return [self._leaf(resource, call)]
            case _:  # an action may have changed anything
                return [self.cube(call)]

    def cube(self, call: Call) -> Nodes:
        cube = self._root.cube
        value = _read(cube, replace(call, cube=self._cube, entries=()))
        nodes = () if value is None else tuple(_nodes(cube, _settings(cube.rule, value), ""))
        return Nodes(self._cube, "", nodes, service=self._root.path[0])

    def _members(self, resource: MembersResource, call: Call, body: dict[str, Json]) -> list[Change]:
        found: list[Change] = []
        for name, value in body.items():
            child = resource.children.get(name)
            inner = replace(call, segments=(*call.segments, name))
            match child:
                case LeafResource():
                    found.append(self._leaf(child, inner))
                case ContainerResource():
                    found += self._container(child, inner)
                case ListResource():
                    own = Entry(child.key_rules, child.leaf_order, ())
                    found += self._elements(child, replace(inner, entries=(*call.entries, own)), value)
        return found

    def _elements(self, resource: ListResource, call: Call, items: Json) -> list[Change]:
        """Entries of a list; all of it when the service has made something else of them."""
        found: list[Change] = []
        for item in items:
            try:
                texts = tuple(_text(item[rule.name]) for rule in resource.key_rules)
            except (KeyError, TypeError):
                return [self._list(resource, call)]
            entry = replace(call.entries[-1], texts=texts)
            segments = (*call.segments, *(quote(text, safe="") for text in texts))
            one = replace(call, segments=segments, entries=(*call.entries[:-1], entry))
            found += self._entry(resource.entry, one, deleted=False)
            if isinstance(found[-1], Nodes) and found[-1].path.endswith("="):
                return found[-1:]
        return found

    def _entry(self, resource: EntryResource, call: Call, deleted: bool) -> list[Change]:
        path = self._path(resource, call)
        value = None if deleted else _read(resource, call)
        if value is None and not (deleted and self._is_kept(path)):
            whole = self._list_of(resource, call)
            entries = (*call.entries[:-1], replace(call.entries[-1], texts=()))
            return [self._list(whole, replace(call, entries=entries))]
        nodes = () if value is None else tuple(_nodes(resource, _settings(resource.rule, value), path))
        return [Nodes(self._cube, path, nodes)]

    def _list(self, resource: ListResource, call: Call) -> Nodes:
        path = self._path(resource, call)
        value = _settings(resource.rule, _read(resource, call) or [])
        nodes = [
            node for item in value for node in _nodes(resource.entry, item, _entry_path(path, resource, item))
        ]
        return Nodes(self._cube, f"{path}=", tuple(nodes))

    def _container(self, resource: ContainerResource, call: Call) -> list[Change]:
        path = self._path(resource, call)
        value = _read(resource, call)
        nodes = [] if value is None else list(_nodes(resource, _settings(resource.rule, value), path))
        own = nodes[0][1] if nodes else None
        lists = [name for name, child in resource.children.items() if isinstance(child, ListResource)]
        found: list[Change] = [self._member(path, own)]
        for name in lists:
            first = f"{path}/{name}="
            found.append(Nodes(self._cube, first, tuple(node for node in nodes if node[0].startswith(first))))
        return found

    def _leaf(self, resource: LeafResource, call: Call) -> Member:
        value = _read(resource, call)
        if value is not None and not resource.rule.accepts(value):
            value = None
        return self._member(self._path(resource, call), value)

    def _member(self, path: str, value: Json) -> Member:
        *entry, last = path.split("/")
        names = [last]
        while entry and "=" not in entry[-1]:
            names.insert(0, entry.pop())
        return Member(self._cube, "/".join(entry), tuple(names), value)

    def _path(self, resource: Resource, call: Call) -> str:
        """That of the node, or the one it would have."""
        path = ""
        at: Resource = self._root.cube
        entries = iter(call.entries)
        for name in resource.path[1:]:
            at = at.children[name]
            path = f"{path}/{name}" if path else name
            if isinstance(at, ListResource):
                entry = next(entries)
                if entry.texts:
                    path = _entry_path(path, at, entry.values(checked=False))
                at = at.entry
        return path

    def _list_of(self, resource: EntryResource, call: Call) -> ListResource:
        at: Resource = self._root.cube
        for name in resource.path[1:]:
            at = at.entry if isinstance(at, ListResource) else at
            at = at.children[name]
        assert isinstance(at, ListResource)
        return at


def _nodes(resource: MembersResource, value: dict[str, Json], path: str) -> Iterator[Node]:
    """First the node of the value itself."""
    own: dict[str, Json] = {}
    below: list[Node] = []
    for name, member in value.items():
        child = resource.children.get(name)
        inner = f"{path}/{name}" if path else name
        match child:
            case ListResource():
                for item in member:
                    below += _nodes(child.entry, item, _entry_path(inner, child, item))
            case ContainerResource() if isinstance(member, dict):
                (_, own[name]), *rest = _nodes(child, member, inner)
                below += rest
            case _:
                own[name] = member
    yield path, own
    yield from below


def _entry_path(list_path: str, resource: ListResource, item: dict[str, Json]) -> str:
    """Enumerations have no case."""
    keys = []
    for rule in resource.key_rules:
        text = _text(item[rule.name])
        keys.append(quote(text.lower() if rule.any_case else text, safe=":"))
    return f"{list_path}={','.join(keys)}"


def _text(value: Json) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read(resource: Resource, call: Call) -> Json:
    """What the service, or the host for leaves of its own, says; None where there is nothing."""
    try:
        match resource:
            case CubeLeafResource() | PortLeafResource():
                answer = resource.methods["GET"](call)
                return jsontext.parse(answer.text) if answer.status == 200 else None
            case ListResource():
                keys = call.outer_keys()
            case MembersResource():
                keys = resource.keys(call)
            case _:
                keys = call.path_keys()
        response = resource.context.read(resource.symbol("read"), call, keys)
    except Refused:
        return None
    return jsontext.parse(response.message) if response.tag is ErrorTag.OK else None


def _settings(rule: rules.Rule, value: Json) -> Json:
    """What of a value read can be written."""
    match rule:
        case rules.MembersRule():
            return {
                name: _settings(child, value[name])
                for name, child in rule.children.items()
                if name in value and _settable(child, value[name])
            }
        case rules.ListRule():
            return [_settings(rule.entry, item) for item in value]
        case _:
            return value


def _settable(rule: rules.Rule, value: Json) -> bool:
    """Neither what is read-only nor what stands for a leaf that is not set: "" where "" is no value."""
    return rule.config and (not isinstance(rule, rules.LeafRule) or rule.accepts(value))
