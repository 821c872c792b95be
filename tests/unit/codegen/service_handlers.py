"""Calls the handlers of a service library like a host does."""

from __future__ import annotations

import ctypes
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OK, CREATED, BAD_REQUEST, GENERIC_ERROR, EXISTS, MISSING = 0, 1, 3, 4, 10, 11


def exported(library: Path) -> set[str]:
    """The symbols that others may look up."""
    command = ["nm", "-D", "--defined-only", "--format=posix", str(library)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return {line.split()[0] for line in lines}


class _Response(ctypes.Structure):
    _fields_ = (("tag", ctypes.c_int), ("message", ctypes.c_void_p))


class _Value(ctypes.Union):
    _fields_ = (("boolean", ctypes.c_bool), ("string", ctypes.c_char_p), ("number", ctypes.c_int64))


class _Key(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char_p), ("type", ctypes.c_int), ("value", _Value))


KEY_TYPES = {"boolean": 0, "string": 1, "int8": 2, "uint8": 6, "uint32": 8, "uint64": 9}


@dataclass(frozen=True)
class Reply:
    tag: int
    text: str

    @property
    def json(self) -> Any:
        """The body; ValueError when it is not JSON."""
        return json.loads(self.text)


class Handlers:
    """The symbols of a service. Keys are triples of name, type and value."""

    def __init__(self, library: Path) -> None:
        self.library = ctypes.CDLL(str(library))
        self._free = ctypes.CDLL(None).free
        self._free.argtypes = (ctypes.c_void_p,)

    def call(
        self, symbol: str, cube: str = "", keys: Sequence[tuple[str, str, Any]] = (), body: str | None = None
    ) -> Reply:
        handler = self.library[symbol]
        handler.restype = _Response
        arguments = [ctypes.c_char_p(cube.encode()), self._keys(keys), ctypes.c_size_t(len(keys))]
        if body is not None:
            arguments.append(ctypes.c_char_p(body.encode()))
        response = handler(*arguments)
        text = ctypes.string_at(response.message).decode() if response.message else ""
        self._free(response.message)
        return Reply(response.tag, text)

    def data_model(self) -> str:
        self.library.data_model.restype = ctypes.c_char_p
        return str(self.library.data_model().decode())

    @staticmethod
    def _keys(keys: Sequence[tuple[str, str, Any]]) -> Any:
        array = (_Key * len(keys))()
        for key, (name, kind, value) in zip(array, keys, strict=True):
            key.name, key.type = name.encode(), KEY_TYPES[kind]
            if kind == "string":
                key.value.string = value.encode()
            elif kind == "boolean":
                key.value.boolean = value
            else:
                key.value.number = value
        return array
