"""The resources below a cube, one class per kind of YANG node.

A resource knows its symbols and answers the HTTP methods in `methods`. Keys, bodies and the meaning of the
answers follow the service ABI; the work itself is the service's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from codegen.schema import Kind, Node, SchemaError
from pcnhost.engine import Port
from pcnhost.errors import HostError
from pcnhost.library import ErrorTag, Key
from pcnhost.rest import help as cli_help
from pcnhost.rest import jsontext, rules, symbols
from pcnhost.rest.answers import Answer, Problem, Refused, answer_response, bad_request, yang_json
from pcnhost.rest.base import CUBE_LEAVES, PORT_LEAVES, CubeLeaf, PortLeaf
from pcnhost.rest.context import Call, Context, answer_write
from pcnhost.rest.help import Help
from pcnhost.rest.jsontext import Json
from pcnhost.rest.keys import key_rules
from pcnhost.rest.links import list_with_links, object_with_links

MAX_PROBLEMS = 20  # told at once

Method = Callable[[Call], Answer]
Path = tuple[str, ...]


class Resource:
    """`path` are the schema names from the module on, `children` the resources one segment further."""

    def __init__(self, context: Context, path: Path) -> None:
        self.context = context
        self.path = path
        self.children: dict[str, Resource] = {}
        self.methods: dict[str, Method] = {}

    def symbols(self) -> Iterator[str]:
        """Everything the service must export for this resource alone."""
        return iter(())

    def all_symbols(self) -> Iterator[str]:
        yield from self.symbols()
        for child in self.children.values():
            yield from child.all_symbols()

    def symbol(self, operation: str) -> str:
        return symbols.handler(operation, self.path)


def validated(rule: rules.Rule, body: Json, *, create: bool) -> Json:
    """The body to hand to a service: checked, and for a create without empty members and with defaults."""
    if create:
        body = rule.without_empty(body)
    problems = rule.problems(body, create)
    if not isinstance(rule, rules.MembersRule):
        problems = (problem.inside(rule.name) for problem in problems)
    if found := tuple(islice(problems, MAX_PROBLEMS)):
        raise Refused(*found)
    return rule.with_defaults(body) if create else body


class LeafResource(Resource):
    """A leaf the service keeps itself."""

    def __init__(self, context: Context, path: Path, node: Node) -> None:
        super().__init__(context, path)
        self._node = node
        self.rule = rules.leaf_rule(node)
        self._writable = node.config and not node.init_only
        self.methods = {"GET": self._get, "OPTIONS": self._options}
        if self._writable:
            self.methods["PATCH"] = self._patch

    def symbols(self) -> Iterator[str]:
        yield self.symbol("read")
        if self._writable:
            yield self.symbol("update")

    def _get(self, call: Call) -> Answer:
        return answer_response(self.context.read(self.symbol("read"), call, call.path_keys()))

    def _patch(self, call: Call) -> Answer:
        keys = call.path_keys()
        return self._update(call, keys, self._new_value(call))

    def _new_value(self, call: Call) -> Json:
        value = self.rule.default if not call.request.body.strip() else call.leaf_body()
        return validated(self.rule, value, create=False)

    def _update(self, call: Call, keys: Sequence[Key], value: Json) -> Answer:
        response = self.context.write(self.symbol("update"), call.cube, keys, jsontext.compact(value))
        return answer_write(response, 200)

    def _options(self, call: Call) -> Answer:
        _, completion = cli_help.wanted(call.request)
        if not completion:
            cli_help.refuse()
        return yang_json(jsontext.compact([name.lower() for name in rules.type_of(self._node).enums]))


class CubeLeafResource(LeafResource):
    """A leaf of the base model, directly below the cube: the host keeps it."""

    def __init__(self, context: Context, path: Path, node: Node, leaf: CubeLeaf) -> None:
        super().__init__(context, path, node)
        self._leaf = leaf

    def symbols(self) -> Iterator[str]:
        return iter(())

    def _get(self, call: Call) -> Answer:
        cube = self.context.cube(call.cube)
        if cube is None:
            return yang_json("", 204)
        return yang_json(jsontext.compact(self._leaf.read(cube)))

    def _update(self, call: Call, keys: Sequence[Key], value: Json) -> Answer:
        cube = self.context.cube(call.cube)
        if cube is None:
            raise Refused(Problem(ErrorTag.DATA_MISSING, f"Cube {call.cube} does not exist"))
        assert self._leaf.write is not None
        host_call(self._leaf.write, cube, value)
        return yang_json("")


class PortLeafResource(LeafResource):
    """A leaf of the base model in a port: the host keeps it."""

    def __init__(self, context: Context, path: Path, node: Node, leaf: PortLeaf) -> None:
        super().__init__(context, path, node)
        self._leaf = leaf

    def symbols(self) -> Iterator[str]:
        return iter(())

    def _port(self, call: Call, name: str) -> Port | None:
        cube = self.context.cube(call.cube)
        if cube is None:
            return None
        if name not in cube.ports:
            raise Refused(Problem(ErrorTag.DATA_MISSING, f"Port {name} does not exist"))
        return cube.ports[name]

    def _get(self, call: Call) -> Answer:
        port = self._port(call, call.entries[-1].texts[0])
        return yang_json("", 204) if port is None else yang_json(jsontext.compact(self._leaf.read(port)))

    def _update(self, call: Call, keys: Sequence[Key], value: Json) -> Answer:
        port = self._port(call, call.entries[-1].texts[0])
        if port is None:
            raise Refused(Problem(ErrorTag.DATA_MISSING, f"Cube {call.cube} does not exist"))
        assert self._leaf.write is not None
        host_call(self._leaf.write, port, value)
        return yang_json("")


def host_call(function: Callable[..., None], *arguments: object) -> None:
    """Have the engine do something a client asked for; what it refuses is the client's mistake."""
    try:
        function(*arguments)
    except HostError as e:
        raise bad_request(str(e)) from None


class MembersResource(Resource):
    """What containers, list entries and cubes have in common: members, links and help about them."""

    addable = True

    def __init__(
        self,
        context: Context,
        path: Path,
        members: Sequence[Node],
        rule: rules.MembersRule,
        *,
        writable: bool = True,
    ) -> None:
        super().__init__(context, path)
        self.rule = rule
        self.writable = writable
        self._members = members
        self.methods = {"GET": self._get, "OPTIONS": self._options}
        if writable:
            self.methods |= {
                "POST": self._post,
                "PUT": self._put,
                "PATCH": self._patch,
                "DELETE": self._delete,
            }

    def symbols(self) -> Iterator[str]:
        return map(self.symbol, symbols.OPERATIONS if self.writable else ("read",))

    def keys(self, call: Call) -> list[Key]:
        """The keys of this very node."""
        return call.path_keys()

    def body(self, call: Call) -> dict[str, Json]:
        """The body with the keys of the path in it."""
        return call.object_body()

    def _get(self, call: Call) -> Answer:
        def finish(text: memoryview) -> bytes:
            return object_with_links(text, self.context.url(call.segments), self.children)

        return self.context.show(self.symbol("read"), call, self.keys(call), finish)

    def _post(self, call: Call) -> Answer:
        return self._write("create", call)

    def _put(self, call: Call) -> Answer:
        return self._write("replace", call)

    def _patch(self, call: Call) -> Answer:
        return self._write("update", call)

    def _write(self, operation: str, call: Call) -> Answer:
        keys = self.keys(call)
        body = validated(self.rule, self.body(call), create=operation != "update")
        text = jsontext.compact(body or {})
        return answer_write(self.context.write(self.symbol(operation), call.cube, keys, text), 201)

    def _delete(self, call: Call) -> Answer:
        keys = self._delete_keys(call)
        found = self.context.read(self.symbol("read"), call, keys)
        if found.tag is not ErrorTag.OK:
            raise Refused(Problem(ErrorTag.DATA_MISSING, text=found.message))
        return answer_write(self.context.write(self.symbol("delete"), call.cube, keys, None), 204)

    def _delete_keys(self, call: Call) -> list[Key]:
        return self.keys(call)

    def _options(self, call: Call) -> Answer:
        which, completion = cli_help.wanted(call.request)
        produce = cli_help.members_words if completion else cli_help.members_help
        shown = produce(self._members, which, writable=self.writable, addable=self.addable)
        return yang_json(jsontext.compact(shown))


class ContainerResource(MembersResource):
    addable = False

    def __init__(self, context: Context, path: Path, node: Node) -> None:
        writable = node.config and not node.init_only
        super().__init__(context, path, node.children, rules.members_rule(node), writable=writable)


class EntryResource(MembersResource):
    """One entry of a list."""

    def __init__(self, context: Context, path: Path, node: Node, rule: rules.MembersRule) -> None:
        members = [child for child in node.children if child.name not in node.keys]
        super().__init__(context, path, members, rule, writable=node.config and not node.init_only)

    def keys(self, call: Call) -> list[Key]:
        return call.entry_keys()

    def body(self, call: Call) -> dict[str, Json]:
        return {**call.object_body(), **call.entries[-1].values(checked=False)}

    def _delete_keys(self, call: Call) -> list[Key]:
        return call.entry_keys(checked=True)


class ListResource(Resource):
    """A whole list. `entry` is the resource of its entries, `partial` that of a path that stops between keys.

    The last of a call's entries is always this list's own, without any or with some of the keys."""

    def __init__(self, context: Context, path: Path, node: Node, endpoint: str) -> None:
        super().__init__(context, path)
        self.key_rules, self.endpoint = key_rules(node, endpoint)
        self.leaf_order = tuple(child.name for child in node.children if child.name in node.keys)
        self._node = node
        self._members = [child for child in node.children if child.name not in node.keys]
        self._writable = node.config and not node.init_only
        self.rule = rules.list_rule(node)
        self.entry = EntryResource(context, path, node, self.rule.entry)
        self.partial = Resource(context, path)
        self.partial.methods = {"OPTIONS": self._options}
        self.methods = {"GET": self._get, "OPTIONS": self._options}
        if self._writable:
            self.methods |= {
                "POST": lambda call: self._write("create", call),
                "PUT": lambda call: self._write("replace", call),
                "PATCH": lambda call: self._write("update", call),
                "DELETE": self._delete,
            }

    def symbols(self) -> Iterator[str]:
        for operation in symbols.OPERATIONS if self._writable else ("read",):
            yield self.symbol(operation)
        yield symbols.list_help(self.path)
        yield from self.entry.all_symbols()

    def symbol(self, operation: str) -> str:
        return symbols.list_handler(operation, self.path)

    def _get(self, call: Call) -> Answer:
        def finish(text: memoryview) -> bytes:
            return list_with_links(text, self.context.url(call.segments), lambda: self._first_keys(call))

        return self.context.show(self.symbol("read"), call, call.outer_keys(), finish)

    def _first_keys(self, call: Call) -> list[str]:
        """The first key of each entry, from the service's help: the entries themselves may have megabytes."""
        response = self.context.read(symbols.list_help(self.path), call, call.outer_keys())
        if response.tag is not ErrorTag.OK:
            return []
        return [str(element.get(self.key_rules[0].name, "")) for element in jsontext.parse(response.message)]

    def _write(self, operation: str, call: Call) -> Answer:
        keys = call.outer_keys()
        body = validated(self.rule, call.list_body(), create=operation != "update")
        text = jsontext.compact(body)
        return answer_write(self.context.write(self.symbol(operation), call.cube, keys, text), 201)

    def _delete(self, call: Call) -> Answer:
        keys = call.outer_keys()
        return answer_write(self.context.write(self.symbol("delete"), call.cube, keys, None), 200)

    def _options(self, call: Call) -> Answer:
        which, completion = cli_help.wanted(call.request)
        if which is Help.SET:
            cli_help.refuse()
        given = call.entries[-1].texts
        if completion and which is Help.ADD:
            return yang_json(jsontext.compact([f"<{self.key_rules[len(given)].param}>"]))
        if which is Help.ADD:
            elements: Json = None
        else:
            response = self.context.read(symbols.list_help(self.path), call, call.outer_keys())
            if response.tag is not ErrorTag.OK:
                return answer_response(response)
            elements = jsontext.parse(response.message)
        if completion:
            return yang_json(jsontext.compact(self._words(which, given, elements or [])))
        leaves = [self._node.child(rule.name) for rule in self.key_rules]
        described = cli_help.describe_all(leaves, key=True)
        shown = cli_help.list_help(described, self._members, which, elements, writable=self._writable)
        return yang_json(jsontext.compact(shown))

    def _words(self, which: Help, given: Sequence[str], elements: Sequence[Json]) -> list[str]:
        names = [rule.name for rule in self.key_rules]
        known = dict(zip(names, given, strict=False))
        matching = (e for e in elements if all(e[name] == text for name, text in known.items()))
        words = [e[names[len(given)]] for e in matching]
        if which is Help.NONE and not given:
            words += ["add", "del", "show"] if self._writable else ["show"]
        return words


class ActionResource(Resource):
    def __init__(self, context: Context, path: Path, node: Node) -> None:
        super().__init__(context, path)
        self._node = node
        self._rule = rules.members_rule(node)
        self.methods = {"POST": self._post, "OPTIONS": self._options}

    def symbols(self) -> Iterator[str]:
        yield self.symbol("create")

    def _post(self, call: Call) -> Answer:
        keys = call.path_keys()
        body = validated(self._rule, call.object_body(), create=True)
        response = self.context.write(self.symbol("create"), call.cube, keys, jsontext.compact(body or {}))
        if response.tag is ErrorTag.OK:
            return yang_json(response.message, 201)
        return answer_response(response)

    def _options(self, call: Call) -> Answer:
        which, completion = cli_help.wanted(call.request)
        if which is not Help.NONE:
            cli_help.refuse()
        if completion:
            return yang_json(jsontext.compact([f"{node.name}=" for node in self._node.children]))
        return yang_json(jsontext.compact({"params": cli_help.describe_all(self._node.children, key=True)}))


def build_children(parent: Resource, nodes: Sequence[Node], keys: Sequence[str], endpoint: str) -> None:
    """Give a resource those of its schema nodes, down to the leaves. `endpoint` is the URL pattern so far."""
    for node in nodes:
        if node.name not in keys:
            parent.children[node.name] = _build(parent.context, (*parent.path, node.name), node, endpoint)


def _build(context: Context, path: Path, node: Node, endpoint: str) -> Resource:
    endpoint = f"{endpoint}/{node.name}"
    match node.kind:
        case Kind.CONTAINER:
            container = ContainerResource(context, path, node)
            build_children(container, node.children, (), endpoint)
            return container
        case Kind.LIST:
            whole = ListResource(context, path, node, endpoint)
            build_children(whole.entry, node.children, node.keys, whole.endpoint)
            return whole
        case Kind.ACTION:
            return ActionResource(context, path, node)
        case _:
            return _build_leaf(context, path, node)


def _build_leaf(context: Context, path: Path, node: Node) -> Resource:
    """The names of the base model belong to the host, wherever the schema takes them from."""
    if node.kind is Kind.LEAF_LIST and not node.base:
        raise SchemaError(f"{'/'.join(path)}: Polycube does not support leaf-list nodes")
    match path:
        case (_, name) if name in CUBE_LEAVES:
            return CubeLeafResource(context, path, node, CUBE_LEAVES[name])
        case (_, "ports", name) if name in PORT_LEAVES:
            return PortLeafResource(context, path, node, PORT_LEAVES[name])
        case _:
            return LeafResource(context, path, node)
