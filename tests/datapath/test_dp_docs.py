"""The decision table of the documentation names the tests that prove it: they must exist, and run where it says."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
DOCUMENT = HERE.parents[1] / "docs" / "datapath.md"
_NAMED = re.compile(r"`(test_\w+)`(?: \(([^)]*)\))?")


@dataclass(frozen=True)
class Proof:
    """A test function: whether it runs on the lab in TC and XDP, SINGLE and MULTI, or only in some of those."""

    is_packet_test: bool
    restrictions: frozenset[str]


def _proofs() -> dict[str, Proof]:
    found = {}
    for path in (
        path for folder in ("datapath", "e2e", "race") for path in HERE.parent.glob(f"{folder}/test_*.py")
    ):
        tree = ast.parse(path.read_text())
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found.setdefault(node.name, _proof(path, node))
    return found


def _proof(path: Path, node: ast.FunctionDef) -> Proof:
    arguments = {argument.arg for argument in node.args.args}
    decorators = " ".join(ast.unparse(decorator) for decorator in node.decorator_list)
    if "cabled" in arguments:
        return Proof(True, frozenset({"TC", "MULTI"}))
    restrictions = set()
    if "'hook'" in decorators:
        restrictions.add("TC" if "Hook.TC" in decorators else "XDP")
    if "'multi'" in decorators or "in_multi_mode" in decorators:
        restrictions.add("MULTI")
    return Proof(path.parent == HERE and "lab" in arguments, frozenset(restrictions))


PROOFS = _proofs()
TEXT = DOCUMENT.read_text()
NAMED = [
    (name, frozenset(words.split(", ")) if words else frozenset()) for name, words in _NAMED.findall(TEXT)
]


@pytest.mark.parametrize(("name", "restrictions"), NAMED, ids=[name for name, _ in NAMED])
def test_named_test_exists_and_runs_where_the_table_says(name: str, restrictions: frozenset[str]) -> None:
    assert name in PROOFS, f"{DOCUMENT.name} names {name}, which does not exist"
    assert PROOFS[name].restrictions == restrictions


def test_every_row_of_the_decision_table_is_proved_on_packets() -> None:
    start = TEXT.index("## Decision table")
    table = TEXT[start : TEXT.index("## Choices worth knowing")]
    rows = [line for line in table.splitlines() if line.startswith("| ")]
    assert len(rows) > 40
    for row in rows:
        if not row.endswith("proved by |"):
            names = [name for name, _ in _NAMED.findall(row)]
            assert any(PROOFS[name].is_packet_test for name in names), row


def test_every_packet_test_is_in_the_document() -> None:
    documented = {name for name, _ in NAMED}
    assert {name for name, proof in PROOFS.items() if proof.is_packet_test} <= documented
