"""Names of the C symbols a service exports for each node of its schema."""

from __future__ import annotations

from collections.abc import Sequence

WRITE = ("create", "update", "replace")
READ = ("read", "delete")
OPERATIONS = (*WRITE, *READ)


def _joined(path: Sequence[str]) -> str:
    return "_".join(path).replace("-", "_").replace(".", "_")


def handler(operation: str, path: Sequence[str]) -> str:
    """`create`, (module, node…) -> `create_module_node_by_id_handler`"""
    return f"{operation}_{_joined(path)}_by_id_handler"


def list_handler(operation: str, path: Sequence[str]) -> str:
    """The handler of a whole list; the last occurrence of the list's name gets `_list` appended."""
    return _with_list_suffix(handler(operation, path), path[-1])


def list_help(path: Sequence[str]) -> str:
    return _with_list_suffix(f"{_joined(path)}_by_id_help", path[-1])


def _with_list_suffix(symbol: str, name: str) -> str:
    name = _joined((name,))
    at = symbol.rindex(name) + len(name)
    return f"{symbol[:at]}_list{symbol[at:]}"
