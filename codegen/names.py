"""How YANG names become C++ names and symbols of the plug-in ABI.

A path is the names of the nodes from the top level down, without the module unless said otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# What cannot name a member of a generated struct: C++ keywords, and what the structs define themselves.
_CPP_KEYWORDS = (
    "alignas alignof and asm auto bitand bitor bool break case catch char class compl const constexpr "
    "continue decltype default delete do double else enum explicit export extern false float for friend "
    "goto if inline int long mutable namespace new noexcept not nullptr operator or private protected "
    "public register return short signed sizeof static struct switch template this throw true try "
    "typedef typeid typename union unsigned using virtual void volatile while xor"
)
_RESERVED = {*_CPP_KEYWORDS.split(), "base", "key"}


def identifier(name: str) -> str:
    """The name as polycubed writes it in symbols, and as namespaces and methods carry it."""
    return re.sub(r"[-.]", "_", name)


def snake(path: Sequence[str]) -> str:
    return "_".join(identifier(name) for name in path)


def member(name: str) -> str:
    text = identifier(name)
    return f"{text}_" if text in _RESERVED else text


def pascal(path: Sequence[str]) -> str:
    words = [word for name in path for word in re.split(r"[^A-Za-z0-9]+", name) if word]
    return "".join(word.capitalize() if word.isupper() else word[0].upper() + word[1:] for word in words)


def enumerator(value: str) -> str:
    name = pascal([value])
    return name if name[:1].isalpha() else f"V{name}"


def table(path: Sequence[str]) -> str:
    """The constant that ties a list, container or action to its methods."""
    return f"k{pascal(path)}"


def handler_symbol(operation: str, path: Sequence[str]) -> str:
    """Symbol of a node; `path` begins with the module."""
    return f"{operation}_{snake(path)}_by_id_handler"


def list_symbol(operation: str, path: Sequence[str]) -> str:
    """Symbol for the whole list: polycubed edits the last occurrence of the list's name, wherever that is."""
    head, name, tail = handler_symbol(operation, path).rpartition(identifier(path[-1]))
    return f"{head}{name}_list{tail}"


def help_symbol(path: Sequence[str]) -> str:
    return f"{snake(path)}_list_by_id_help"
