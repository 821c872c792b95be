"""The symbols polycubed looks up for a model, and the call behind each of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from codegen import names
from codegen.schema import Kind, Module, Node, SchemaError

_WRITES = ("create", "replace", "update")


@dataclass(frozen=True)
class Handler:
    """An exported function; `call` is the C++ expression it answers with, `body` whether it takes a body."""

    symbol: str
    call: str
    body: bool = False


def handlers(module: Module) -> Iterator[Handler]:
    """All handlers of a service but its own help."""
    cube = (module.name,)
    for operation in _WRITES:
        yield Handler(names.handler_symbol(operation, cube), f"{operation}_cube(request)", body=True)
    for operation in ("read", "delete"):
        yield Handler(names.handler_symbol(operation, cube), f"{operation}_cube(request)")
    yield Handler(names.list_symbol("read", cube), "read_cubes(request)")
    yield Handler(names.list_symbol("update", cube), "update_cubes(request)", body=True)
    root = Node(module.name, Kind.CONTAINER, children=module.children)
    yield from _leaf_handlers(root, cube, table="")
    yield from _nested_handlers(root, cube)


def _nested_handlers(parent: Node, parent_path: tuple[str, ...]) -> Iterator[Handler]:
    for node in parent.children:
        path = (*parent_path, node.name)
        table = names.table(path[1:])
        if node.kind is Kind.ACTION:
            yield Handler(names.handler_symbol("create", path), f"call_action(request, {table})", body=True)
        elif node.kind is Kind.LIST:
            yield from _list_handlers(node, path, table)
        elif node.kind is Kind.CONTAINER:
            yield from _container_handlers(node, path, table)
        else:
            continue
        if node.kind is not Kind.ACTION:
            yield from _leaf_handlers(node, path, table)
            yield from _nested_handlers(node, path)


def _list_handlers(node: Node, path: tuple[str, ...], table: str) -> Iterator[Handler]:
    for operation in _WRITES if node.writable else ():
        yield Handler(
            names.handler_symbol(operation, path), f"{operation}_entry(request, {table})", body=True
        )
        yield Handler(names.list_symbol(operation, path), f"{operation}_list(request, {table})", body=True)
    for operation in ("read", "delete") if node.writable else ("read",):
        yield Handler(names.handler_symbol(operation, path), f"{operation}_entry(request, {table})")
        yield Handler(names.list_symbol(operation, path), f"{operation}_list(request, {table})")
    yield Handler(names.help_symbol(path), f"help_list(request, {table})")


def _container_handlers(node: Node, path: tuple[str, ...], table: str) -> Iterator[Handler]:
    for operation in _WRITES if node.writable else ():
        function = "update" if operation == "update" else "replace"
        yield Handler(
            names.handler_symbol(operation, path), f"{function}_container(request, {table})", body=True
        )
    for operation in ("read", "delete") if node.writable else ("read",):
        yield Handler(names.handler_symbol(operation, path), f"{operation}_container(request, {table})")


def _leaf_handlers(parent: Node, parent_path: tuple[str, ...], table: str) -> Iterator[Handler]:
    for leaf in parent.children:
        if leaf.kind is not Kind.LEAF or leaf.base or leaf.name in parent.keys:
            continue
        path = (*parent_path, leaf.name)
        arguments = ", ".join(filter(None, ("request", table, f'"{leaf.name}"')))
        yield Handler(names.handler_symbol("read", path), f"read_leaf({arguments})")
        if leaf.writable:
            if not parent.writable:
                raise SchemaError(f"{'/'.join(path[1:])} must be init-only like its parent")
            yield Handler(names.handler_symbol("update", path), f"update_leaf({arguments})", body=True)
