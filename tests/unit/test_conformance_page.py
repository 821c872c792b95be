"""docs/conformance.md names the tests that prove its rows: they must exist, and a row that is kept says why."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
PAGE = (TESTS.parent / "docs" / "conformance.md").read_text()
_VERDICTS = ("kept", "not applicable", "not kept")


def _defined() -> set[str]:
    return {
        name
        for path in TESTS.rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }


def test_named_tests_exist() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE)) - {"test_dp_"}
    assert len(named) > 30
    assert named <= _defined()


def test_every_row_has_a_verdict_and_a_reason() -> None:
    rows = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| ")]
    rows = [row for row in rows if not row[0].startswith(("requirement", "section", "rule"))]
    assert len(rows) > 50
    for row in rows:
        assert len(row) == 3, row
        assert row[1].startswith(_VERDICTS), row
        assert len(row[2]) > 10, row


def test_what_is_kept_is_tested() -> None:
    """By a test of its own, or as another requirement."""
    for line in PAGE.splitlines():
        requirement, _, rest = line.removeprefix("| ").partition(" | ")
        if rest.startswith("kept"):
            assert re.search(r"`test_\w+`|\| As (for|RFC|REQ)", rest), requirement
