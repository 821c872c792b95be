"""The layouts of the datapath's maps, read from its header abi.h: ctypes structures, constants, enums."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent
# An installed package has the header beside this file, a source tree among the sources of the datapath.
_HEADER = next(
    path for path in (_HERE / "abi.h", _HERE.parent / "src" / "datapath" / "abi.h") if path.exists()
)
_TEXT = re.sub(r"/\*.*?\*/", "", _HEADER.read_text(), flags=re.DOTALL)
_STRUCT = re.compile(r"^struct (\w+) \{(.*?)^\}(.*?);", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"\s*(struct )?(\w+)\s+(\w+)((?:\[\w+\])*);")
_ENUM = re.compile(r"^enum \w+ \{(.*?)\};", re.MULTILINE | re.DOTALL)
_TYPES: dict[str, Any] = {
    "__u8": ctypes.c_uint8,
    "__u16": ctypes.c_uint16,
    "__u32": ctypes.c_uint32,
    "__u64": ctypes.c_uint64,
    "__be16": ctypes.c_uint16.__ctype_be__,
    "__be32": ctypes.c_uint32.__ctype_be__,
}

CONSTANTS: dict[str, int] = {}
for _name, _value in re.findall(r"^#define (\w+) (\(?[\w <*/]+\)?)$", _TEXT, re.MULTILINE):
    if re.fullmatch(r"[\w <*/()]+", _value):
        CONSTANTS[_name] = int(eval(_value.replace("/", "//"), {}, dict(CONSTANTS)))
for _body in _ENUM.findall(_TEXT):
    CONSTANTS |= {name: int(value) for name, value in re.findall(r"(\w+) = (\d+)", _body)}


def _field(match: re.Match[str]) -> tuple[str, Any]:
    kind = _TYPES[match[2]]
    for length in reversed(re.findall(r"\[(\w+)\]", match[4])):
        kind = kind * (CONSTANTS[length] if length in CONSTANTS else int(length))
    return match[3], kind


for _match in _STRUCT.finditer(_TEXT):
    _name, _body, _attributes = _match.groups()
    _members: dict[str, Any] = {"_fields_": [_field(field) for field in _FIELD.finditer(_body)]}
    if "packed" in _attributes:
        _members["_pack_"] = 1
    _TYPES[_name] = type(_name, (ctypes.Structure,), _members)


def struct(name: str) -> Any:
    """The class of a struct: fields by name, bytes() of it, from_buffer_copy()."""
    return _TYPES[name]


def size(name: str) -> int:
    return ctypes.sizeof(_TYPES[name])


def names(prefix: str) -> tuple[str, ...]:
    """The names of an enum with this prefix, in lower case and without it, in the order of their values."""
    found = {value: name for name, value in CONSTANTS.items() if name.startswith(prefix)}
    return tuple(found[value].removeprefix(prefix).lower() for value in sorted(found))
