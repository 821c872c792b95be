"""The quick form of test_bench_quick.py: the parts that need neither a quiet machine nor minutes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.host import PROJECT

pytestmark = [pytest.mark.root, pytest.mark.long]

PARTS = ("control_plane", "growth", "polykube", "consistency")


def test_parts_can_be_measured_alone(tmp_path: Path) -> None:
    only = [word for part in PARTS for word in ("--only", part)]
    command = [sys.executable, "-m", "bench", "--quick", *only, "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    assert results.keys() == {"machine", "quick", "targets", *PARTS}
    assert all(use["compiler"] > 0 for use in results["control_plane"]["memory, MiB"].values())
    assert all(
        row["share error, equal weights"]["of the share"] < 0.01 for row in results["consistency"]["rows"]
    )
    assert all(figures["maps"] > 0 for figures in results["growth"]["clusters"].values())
    page = (tmp_path / "benchmarks.md").read_text()
    assert results["targets"] and all(row["target"] in page for row in results["targets"])
    assert (tmp_path / "control_plane.png").read_bytes().startswith(b"\x89PNG")
