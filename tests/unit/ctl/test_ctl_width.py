"""What pcnctl says fits a terminal of 80 columns: the help of each view, and all that docs/observing.md shows of it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pcnhost.ctl.views import VIEWS
from testbed.host import PROJECT

WIDTH = 80


@pytest.mark.parametrize("words", [(), *((view,) for view in VIEWS)], ids=" ".join)
def test_help(words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pcnhost.ctl", *words, "--help"],
        env=os.environ | {"COLUMNS": str(WIDTH)},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert len(done.stdout.splitlines()) > 5
    assert [line for line in done.stdout.splitlines() if len(line) > WIDTH] == []


def test_transcripts() -> None:
    """They are run by the tests as they stand, in a terminal of that width."""
    shown, inside, command = 0, False, False
    for line in (PROJECT / "docs/observing.md").read_text().splitlines():
        if line.startswith("```"):
            inside = line == "```console"
            continue
        if inside and not command and not line.startswith("$ "):
            shown += 1
            assert len(line) <= WIDTH or "{" in line, line  # the lines of the metrics are as long as they are
        command = inside and (line.startswith("$ ") or command) and line.endswith("\\")
    assert shown > 60
