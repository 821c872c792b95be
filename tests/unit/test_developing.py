"""The worked example of docs/developing.md works: its steps, applied to a copy of the tree, make a leaf."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from testbed.host import PROJECT

# A place as the text names it, and the block of code that follows.
_STEP = re.compile(r"(?P<place>[^\n]+(?:\n[^\n]+)*):\n\n```\w+\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
_NEW_FILE = re.compile(r"\bA new file `(?P<file>[^`]+)`$")
_EDIT = re.compile(
    r"(?:In `(?P<file>[^`]+)`|There in `[^`]+`),.*?\b(?P<where>after|before)\s+(?P<last>the last )?`(?P<anchor>[^`]+)`",
    re.DOTALL,
)
_FOLDERS = (
    "cmake",
    "codegen",
    "datamodel",
    "k8slbrp",
    "pcnhost",
    "src",
    "testbed",
    "tests/datapath",
    "tests/e2e",
    "tests/services",
    "tests/unit/sdk",
)
_FILES = ("CMakeLists.txt", "pyproject.toml", "tests/conftest.py", "tests/order.py")


@dataclass(frozen=True)
class Edit:
    """Lines for a file: all of a new one, or some after or before its only line with the anchor."""

    file: str
    code: str
    where: str = ""
    anchor: str = ""
    last: bool = False

    def apply(self, tree: Path) -> None:
        path = tree / self.file
        if not self.where:
            path.write_text(self.code)
            return
        lines = path.read_text().splitlines(keepends=True)
        found = [number for number, line in enumerate(lines) if self.anchor in line]
        assert self.last or len(found) == 1, f"{self.file} has {len(found)} lines with {self.anchor}"
        position = found[-1] + (self.where == "after")
        lines[position:position] = [self.code]
        path.write_text("".join(lines))


def edits(text: str) -> list[Edit]:
    found: list[Edit] = []
    for step in _STEP.finditer(text):
        if new := _NEW_FILE.search(step["place"]):
            found.append(Edit(new["file"], step["code"]))
            continue
        matches = list(_EDIT.finditer(step["place"]))
        assert matches, f"this says no place for its code: {step['place']}"
        edit = matches[-1]
        found.append(
            Edit(
                edit["file"] or found[-1].file,
                step["code"],
                edit["where"],
                edit["anchor"],
                edit["last"] is not None,
            )
        )
    return found


@pytest.fixture
def steps() -> list[Edit]:
    text = (PROJECT / "docs" / "developing.md").read_text()
    section = text.partition("## A new leaf, from YANG to the datapath\n")[2].partition("\n## ")[0]
    return edits(section)


def test_the_example_names_a_place_for_all_of_its_code(steps: list[Edit]) -> None:
    assert [edit.file for edit in steps] == [
        "tests/e2e/test_e2e_paused.py",
        "datamodel/k8slbrp.yang",
        "src/datapath/maps.h",
        "src/K8sLbrp_dp.c",
        *["src/K8slbrp.cpp"] * 5,
    ]


@pytest.mark.long
@pytest.mark.root
@pytest.mark.timeout(1200)
def test_the_example_makes_a_leaf(steps: list[Edit], tmp_path: Path) -> None:
    for folder in _FOLDERS:
        shutil.copytree(PROJECT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in _FILES:
        shutil.copy(PROJECT / file, tmp_path / file)
    for edit in steps:
        edit.apply(tmp_path)
    # Without optimization: it is about the leaf, and takes half as long. The host's own library is as it was.
    options = [f"-DPython3_EXECUTABLE={sys.executable}", "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_FLAGS=-g0"]
    _run(tmp_path, "cmake", "-S", ".", "-B", "build", *options)
    shutil.copy(PROJECT / "build" / "libpcnhost.so", tmp_path / "build")
    _run(tmp_path, "cmake", "--build", "build", "-j", "2", "--target", "pcn-k8slbrp")
    test = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/e2e/test_e2e_paused.py"]
    assert "2 passed" in _run(tmp_path, *test)


def _run(tree: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
