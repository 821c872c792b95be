"""The layouts of the datapath's maps, read from its header abi.h: ctypes structures, constants, enums."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Mapping
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent
# An installed package has the header beside this file, a source tree among the sources of the datapath.
HEADER = next(
    path for path in (_HERE / "abi.h", _HERE.parent / "src" / "datapath" / "abi.h") if path.exists()
)
_STRUCT = re.compile(r"^struct (\w+) \{(.*?)^\}(.*?);", re.MULTILINE | re.DOTALL)
_UNION = re.compile(r"^  union \{(.*?)^  \};", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"(?:struct )?(\w+)\s+(\w+)\s*((?:\[\w+\])*)(?:\s*:\s*(\d+))?")
_ENUM = re.compile(r"^enum (\w+) \{(.*?)\};", re.MULTILINE | re.DOTALL)
_MEMBER = re.compile(r"(\w+)\s*=\s*(\d+)")
_NUMBERS: dict[str, Any] = {
    "__u8": ctypes.c_uint8,
    "__u16": ctypes.c_uint16,
    "__u32": ctypes.c_uint32,
    "__u64": ctypes.c_uint64,
    "__be16": ctypes.c_uint16.__ctype_be__,
    "__be32": ctypes.c_uint32.__ctype_be__,
}


def read(text: str) -> tuple[dict[str, int], dict[str, Any]]:
    """The constants and the structures of a header. A field that is not understood raises ValueError, because all
    after it would be read from the wrong place; so does a member of an enum without a number. Members of a union
    are members of its structure."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    constants: dict[str, int] = {}
    for name, value in re.findall(r"^#define (\w+) (\(?[\w <*/]+\)?)$", text, re.MULTILINE):
        if re.fullmatch(r"[\w <*/()]+", value):
            constants[name] = int(eval(value.replace("/", "//"), {}, dict(constants)))
    for name, body in _ENUM.findall(text):
        constants |= dict(_member(name, member.strip()) for member in body.split(",") if member.strip())
    types = dict(_NUMBERS)
    for name, body, attributes in _STRUCT.findall(text):
        members: dict[str, Any] = {"_anonymous_": []}
        for union in _UNION.findall(body):
            fields = [_field(name, line, constants, types) for line in _lines(union)]
            anonymous = f"union{len(members['_anonymous_'])}"
            members["_anonymous_"].append(anonymous)
            types[anonymous] = type(anonymous, (ctypes.Union,), {"_fields_": fields})
            body = _UNION.sub(f"{anonymous} {anonymous};", body, count=1)
        members["_fields_"] = [_field(name, line, constants, types) for line in _lines(body)]
        if "packed" in attributes:
            members["_pack_"] = 1
        types[name] = type(name, (ctypes.Structure,), members)
    structures = {name: kind for name, kind in types.items() if isinstance(kind, type(ctypes.Structure))}
    return constants, structures


def _lines(body: str) -> list[str]:
    return [line.strip() for line in body.split(";") if line.strip()]


def _member(enum: str, text: str) -> tuple[str, int]:
    match = _MEMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"enum {enum}: cannot read '{text}', which must be NAME = NUMBER")
    return match[1], int(match[2])


def _field(
    structure: str, line: str, constants: Mapping[str, int], types: Mapping[str, Any]
) -> tuple[Any, ...]:
    match = _FIELD.fullmatch(line)
    kind = types.get(match[1]) if match else None
    if match is None or kind is None:
        raise ValueError(
            f"struct {structure}: cannot read the field '{line}' (k8slbrp/abi.py says which it can)"
        )
    for length in reversed(re.findall(r"\[(\w+)\]", match[3])):
        kind = kind * (constants[length] if length in constants else int(length))
    return (match[2], kind, int(match[4])) if match[4] else (match[2], kind)


CONSTANTS, _STRUCTURES = read(HEADER.read_text())


def struct(name: str) -> Any:
    """The class of a struct: fields by name, bytes() of it, from_buffer_copy()."""
    return _STRUCTURES[name]


def pack(name: str, **members: object) -> bytes:
    """A struct with these members; all others are zero. Addresses are dotted, as text, or numbers."""
    numbers = {
        member: int(IPv4Address(value)) if isinstance(value, str) else value
        for member, value in members.items()
    }
    return bytes(_STRUCTURES[name](**numbers))


def size(name: str) -> int:
    return ctypes.sizeof(_STRUCTURES[name])


def names(prefix: str) -> tuple[str, ...]:
    """The names of an enum with this prefix, in lower case and without it, in the order of their values."""
    found = {value: name for name, value in CONSTANTS.items() if name.startswith(prefix)}
    return tuple(found[value].removeprefix(prefix).lower() for value in sorted(found))
