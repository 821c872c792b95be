"""docs/kubernetes-conformance.md says what the tests show: every scenario that passes is enacted by a test."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from types import ModuleType

from . import test_kube_affinity, test_kube_changes, test_kube_conformance
from .mutants import MUTANTS, PROJECT

PAGE = Path(__file__).resolve().parents[2] / "docs" / "kubernetes-conformance.md"
ROW = re.compile(
    r"^\| (?P<name>[^|]+) \| (?P<ours>passes|not ours|differs) \| (?P<nftables>[^|]+) \| (?P<why>[^|]+) \|$"
)
HEADING = re.compile(r"^## (.+)$")


def rows() -> dict[str, re.Match[str]]:
    """By the scenario's full name, which begins with the heading above its table."""
    found: dict[str, re.Match[str]] = {}
    heading = ""
    for line in PAGE.read_text().splitlines():
        if match := HEADING.match(line):
            heading = match[1]
        elif match := ROW.match(line):
            found[f"{heading} {match['name']}"] = match
    return found


def enacted() -> dict[str, set[str]]:
    """By scenario: the names of the tests that enact it."""
    found: dict[str, set[str]] = defaultdict(set)
    modules: list[ModuleType] = [test_kube_conformance, test_kube_affinity, test_kube_changes]
    for module in modules:
        for name, function in vars(module).items():
            for mark in getattr(function, "pytestmark", []) if name.startswith("test_") else []:
                if mark.name == "scenario":
                    found[mark.args[0]].add(name)
    return found


def test_every_scenario_that_passes_names_its_tests() -> None:
    by_scenario = enacted()
    for name, row in rows().items():
        if row["ours"] == "passes":
            assert set(re.findall(r"`(test_\w+)`", row["why"])) == by_scenario[name], name


def test_every_test_is_in_the_table() -> None:
    assert set(enacted()) <= {name for name, row in rows().items() if row["ours"] == "passes"}


def test_every_other_scenario_says_why() -> None:
    for name, row in rows().items():
        assert row["ours"] == "passes" or len(row["why"]) >= len("as above"), name


def test_the_page_counts_right() -> None:
    kinds = [row["ours"] for row in rows().values()]
    text = PAGE.read_text()
    for kind in ("passes", "not ours", "differs"):
        assert f"| {kind} | {kinds.count(kind)} |" in text


def test_each_test_of_the_page_has_a_mutant_to_notice() -> None:
    noticed = {test.partition("[")[0] for mutant in MUTANTS for test in mutant.tests}
    assert set().union(*enacted().values()) == noticed


def test_mutants_replace_what_is_there() -> None:
    for mutant in MUTANTS:
        assert (PROJECT / mutant.file).read_text().count(mutant.old) == 1, mutant.name
