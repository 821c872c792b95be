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
        yield Handler(names.handler_symbol(operation, cube), f"kCube.{operation}(request)", body=True)
    yield Handler(names.handler_symbol("read", cube), "kCube.read(request)")
    yield Handler(names.handler_symbol("delete", cube), "kCube.remove(request)")
    yield Handler(names.list_symbol("read", cube), "kCube.read_list()")
    yield Handler(names.list_symbol("update", cube), "kCube.update_list(request)", body=True)
    root = Node(module.name, Kind.CONTAINER, children=module.children)
    yield from _leaf_handlers(root, cube, table="kCube")
    yield from _nested_handlers(root, cube)


def _nested_handlers(parent: Node, parent_path: tuple[str, ...]) -> Iterator[Handler]:
    for node in parent.children:
        path = (*parent_path, node.name)
        table = names.table(path[1:])
        if node.kind is Kind.ACTION:
            yield Handler(names.handler_symbol("create", path), f"{table}.call_action(request)", body=True)
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
        whole = "replace_entries" if operation == "replace" else f"{operation}_list"
        yield Handler(names.handler_symbol(operation, path), f"{table}.{operation}_entry(request)", body=True)
        yield Handler(names.list_symbol(operation, path), f"{table}.{whole}(request)", body=True)
    yield Handler(names.handler_symbol("read", path), f"{table}.read_entry(request)")
    yield Handler(names.list_symbol("read", path), f"{table}.read_entries(request)")
    if node.writable:
        yield Handler(names.handler_symbol("delete", path), f"{table}.delete_entry(request)")
        yield Handler(names.list_symbol("delete", path), f"{table}.delete_list(request)")
    yield Handler(names.help_symbol(path), f"{table}.help(request)")


def _container_handlers(node: Node, path: tuple[str, ...], table: str) -> Iterator[Handler]:
    for operation in _WRITES if node.writable else ():
        function = "update_some" if operation == "update" else "replace_all"
        yield Handler(names.handler_symbol(operation, path), f"{table}.{function}(request)", body=True)
    yield Handler(names.handler_symbol("read", path), f"{table}.read_all(request)")
    if node.writable:
        yield Handler(names.handler_symbol("delete", path), f"{table}.delete_all(request)")


def _leaf_handlers(parent: Node, parent_path: tuple[str, ...], table: str) -> Iterator[Handler]:
    for leaf in parent.children:
        if leaf.kind is not Kind.LEAF or leaf.base or leaf.name in parent.keys:
            continue
        path = (*parent_path, leaf.name)
        yield Handler(names.handler_symbol("read", path), f'{table}.read_leaf(request, "{leaf.name}")')
        if leaf.writable:
            if not parent.writable:
                raise SchemaError(f"{'/'.join(path[1:])} must be init-only like its parent")
            call = f'{table}.update_leaf(request, "{leaf.name}")'
            yield Handler(names.handler_symbol("update", path), call, body=True)
