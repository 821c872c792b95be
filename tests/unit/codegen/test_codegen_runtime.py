"""The headers that are the same for every service."""

from __future__ import annotations

import subprocess
from pathlib import Path

HERE = Path(__file__).parent
PROJECT = HERE.parents[2]
RUNTIME = PROJECT / "codegen/runtime"
INCLUDES = [f"-I{RUNTIME}", f"-I{PROJECT / 'pcnhost/sdk/include'}"]
COMPILER = ["g++", "-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", *INCLUDES]


def test_text_is_what_the_json_library_writes(tmp_path: Path) -> None:
    program = tmp_path / "text"
    subprocess.run([*COMPILER, str(HERE / "runtime/text.cpp"), "-o", str(program)], check=True)
    result = subprocess.run([str(program)], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, "")


def test_every_header_includes_what_it_needs(tmp_path: Path) -> None:
    names = sorted(header.name for header in RUNTIME.glob("*.h"))
    assert len(names) > 5
    for name in names:
        source = tmp_path / f"{name}.cpp"
        source.write_text(f'#include "{name}"\n#include "{name}"\n')
        subprocess.run([*COMPILER, "-fsyntax-only", str(source)], check=True)
