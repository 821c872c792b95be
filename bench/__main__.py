"""`python -m bench`: measures, draws and writes docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import (
    compiling,
    consistency,
    control,
    endtoend,
    growth,
    host,
    machine,
    perpacket,
    plots,
    polykube,
    report,
    targets,
)
from testbed.host import PROJECT

PARTS = {
    "per_packet": perpacket.measure,
    "end_to_end": endtoend.measure,
    "control_plane": control.measure,
    "growth": growth.measure,
    "polykube": polykube.measure,
    "compile": compiling.measure,
    "consistency": consistency.measure,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="little of everything, to see that it works")
    parser.add_argument("--only", choices=PARTS, action="append", help="measure this part again (repeatable)")
    parser.add_argument(
        "--out", type=Path, help="directory for results (default docs/bench; build/bench with --quick)"
    )
    options = parser.parse_args()
    if os.geteuid():
        parser.error("root privileges are needed")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    directory = options.out or PROJECT / ("build/bench" if options.quick else "docs/bench")
    directory.mkdir(parents=True, exist_ok=True)
    if options.quick:
        host.use_kept_programs()
    results = _results(directory / "results.json", options.quick)
    for name in options.only or PARTS:
        print(f"measuring {name} …", flush=True)
        began = time.monotonic()
        part = PARTS[name](options.quick)
        seconds = round(time.monotonic() - began)
        results[name] = part | {"measured": f"{datetime.now(UTC):%Y-%m-%d}", "seconds": seconds}
        print(f"  took {seconds} s", flush=True)
    results["targets"] = targets.check(results)
    _write(directory, results, PROJECT / "docs" if directory == PROJECT / "docs/bench" else directory)
    for row in results["targets"]:
        sign = "<=" if row["at most"] else ">="
        print(
            f"{'ok  ' if row['met'] else 'MISS'} {row['measured']:10.4g} {sign} {row['limit']:<6g} {row['target']}"
        )
    return 0


def _results(path: Path, quick: bool) -> dict[str, Any]:
    """What was measured before on this machine, to be completed."""
    results: dict[str, Any] = {"machine": machine.describe(), "quick": quick}
    try:
        before: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return results
    same = (before["machine"], before["quick"]) == (results["machine"], quick)
    return before if same else results


def _write(directory: Path, results: dict[str, Any], documents: Path) -> None:
    (directory / "results.json").write_text(json.dumps(results, indent=1, sort_keys=False) + "\n")
    plots.draw(results, directory)
    (documents / "benchmarks.md").write_text(report.document(results))


if __name__ == "__main__":
    sys.exit(main())
