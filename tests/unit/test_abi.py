"""The layouts that Python reads from abi.h are those of the compiler."""

from __future__ import annotations

import ctypes
import re
import subprocess
from pathlib import Path

import pytest

from k8slbrp import abi

# As the compiler checks it.
LAYOUT = abi.HEADER.with_name("abi_layout.h").read_text()
SIZES = dict(re.findall(r"^ABI_SIZE\((\w+), (\d+)\);", LAYOUT, re.MULTILINE))
OFFSETS = re.findall(r"^ABI_AT\((?!chunk)(\w+), (\w+), (\d+)\);", LAYOUT, re.MULTILINE)  # chunk has a union


def fields(text: str) -> dict[str, int]:
    """Offsets of the fields of the only structure."""
    _, structures = abi.read(text)
    (structure,) = structures.values()
    return {name: getattr(structure, name).offset for name, *_ in structure._fields_}


@pytest.mark.parametrize("name", SIZES)
def test_structures_have_their_sizes(name: str) -> None:
    if name == "chunk":  # has a union
        with pytest.raises(KeyError):
            abi.struct(name)
    else:
        assert abi.size(name) == int(SIZES[name])


@pytest.mark.parametrize(("name", "member", "offset"), OFFSETS)
def test_members_have_their_offsets(name: str, member: str, offset: str) -> None:
    assert getattr(abi.struct(name), member).offset == int(offset)


@pytest.mark.parametrize("text", ["A", "A = 1, B", "A = B", "A = 1 << 2"])
def test_a_member_of_an_enum_without_a_number(text: str) -> None:
    with pytest.raises(ValueError, match="enum odd: "):
        abi.read(f"enum odd {{ {text} }};\n")


def test_a_member_of_an_enum_in_two_lines() -> None:
    constants, _ = abi.read("enum even {\n  FIRST = 1, /* one */\n  SECOND =\n      2,\n};\n")
    assert constants == {"FIRST": 1, "SECOND": 2}


def test_arrays_and_structures_within() -> None:
    _, structures = abi.read("#define N 3\nstruct a {\n  __u8 x;\n};\nstruct b {\n  struct a of[N][2];\n};\n")
    assert ctypes.sizeof(structures["b"]) == 6


def test_bit_fields() -> None:
    _, structures = abi.read("struct a {\n  __u32 low : 24; /* : */\n  __u32 high : 8;\n  __u32 last;\n};\n")
    found = structures["a"].from_buffer_copy(bytes([1, 2, 3, 4, 5, 0, 0, 0]))
    assert (found.low, found.high, found.last) == (0x030201, 4, 5)


@pytest.mark.parametrize("field", ["__u32 a, b", "unsigned long a", "__u32 *a", "struct unknown a"])
def test_a_field_that_is_not_understood(field: str) -> None:
    with pytest.raises(ValueError, match=f"struct odd: .*'{re.escape(field)}'"):
        abi.read(f"struct odd {{\n  __u8 first;\n  {field};\n  __u8 last;\n}};\n")


def test_offsets() -> None:
    assert fields("struct a {\n  __u8 one;\n  __be32 two;\n};\n") == {"one": 0, "two": 4}
    assert fields("struct a {\n  __u8 one;\n  __be32 two;\n} __attribute__((packed));\n") == {
        "one": 0,
        "two": 1,
    }


def test_tables_that_are_allocated_whole_have_room_for_what_each_cpu_keeps(tmp_path: Path) -> None:
    """Kernels let each CPU keep 128 free entries of an LRU map. However small `max-sessions` is, others find some."""
    tables = {
        "AFFINITY_ENTRIES(sessions, cpus)": 8,  # what `max-sessions` is divided by
        "FRAGMENT_ENTRIES(cpus)": 0,
    }
    printed = "".join(f'printf("%d ", {table});' for table in tables)
    source = tmp_path / "sizes.cpp"
    source.write_text(f"""#include <cstdio>
#include "{abi.HEADER}"
int main() {{
  for (int sessions = 1024; sessions <= 1 << 20; sessions *= 32)
    for (int cpus = 1; cpus <= 256; ++cpus) {{ printf("%d %d ", sessions, cpus); {printed} puts(""); }}
}}
""")
    subprocess.run(["g++", "-std=c++17", str(source), "-o", str(tmp_path / "sizes")], check=True)
    lines = subprocess.run(
        [tmp_path / "sizes"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert len(lines) == 3 * 256
    for line in lines:
        sessions, cpus, *entries = map(int, line.split())
        for of, share in zip(entries, tables.values(), strict=True):
            assert of >= 2 * 128 * cpus, line
            assert not share or of > sessions // share - cpus, line
