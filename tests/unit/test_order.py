"""The files of tests that are to begin first are there, so that one that is renamed is not forgotten."""

from __future__ import annotations

from pathlib import Path

from tests.order import BEGIN_WITH

TESTS = Path(__file__).resolve().parents[1]


def test_the_files_to_begin_with_exist() -> None:
    assert [name for name in BEGIN_WITH if not (TESTS / name).is_file()] == []
