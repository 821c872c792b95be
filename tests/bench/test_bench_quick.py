"""`python -m bench --quick` measures everything, and says so in results, pictures and a page.

test_bench_parts.py is the quick form of it."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testbed.host import PROJECT

pytestmark = [pytest.mark.root, pytest.mark.serial, pytest.mark.long, pytest.mark.timeout(1500)]

PACKETS = {
    "pass",
    "tcp forward",
    "tcp reverse",
    "udp forward",
    "udp reverse",
    "icmp echo forward",
    "icmp echo reverse",
}
WAYS = {"redirect", "cube_tc", "cube_xdp", "nftables", "haproxy"}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("bench")
    command = [sys.executable, "-m", "bench", "--quick", "--out", str(directory)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=1400, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return directory


@pytest.fixture(scope="module")
def results(out: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((out / "results.json").read_text())
    return loaded


def summaries(part: Any) -> Iterator[dict[str, float]]:
    """Every summary of samples in a part of the results, however deep."""
    if isinstance(part, dict):
        if "samples" in part:
            yield part
        else:
            for value in part.values():
                yield from summaries(value)


def test_every_summary_is_ordered_and_finite(results: dict[str, Any]) -> None:
    found = list(summaries(results))
    assert len(found) > 100
    for summary in found:
        assert summary["samples"] >= 1
        values = [summary[name] for name in ("min", "q1", "median", "q3", "max")]
        assert values == sorted(values)
        assert all(map(math.isfinite, values))


def test_packets_of_every_kind_cost_more_than_the_floor(results: dict[str, Any]) -> None:
    for hook in ("TC", "XDP"):
        part = results["per_packet"][hook]
        assert part["floor"]["ns"]["median"] > 0
        assert part["multi"].keys() == part["single"].keys() == PACKETS
        assert all(
            figures["ratio"]["median"] > 1
            for setup in ("multi", "single")
            for figures in part[setup].values()
        )
        assert {"tcp forward, any session", "tcp reverse, any session"} <= part["large"].keys()
        assert {"new session", "one service, new session"} <= part["large"].keys()
        assert part["kernel"]["one lookup"]["ratio"]["median"] > 1
        assert part["counting"].keys() == part["polycubed"].keys() == {"tcp forward", "tcp reverse", "pass"}
        assert all(figures["ratio"]["median"] < 1 for figures in part["counting"].values())
        assert part["opening"]["new session"]["ns"]["median"] > part["multi"]["tcp forward"]["ns"]["median"]


def test_every_way_was_measured_end_to_end(results: dict[str, Any]) -> None:
    part = results["end_to_end"]
    figures = part["10 services"]
    assert figures.keys() == part["units"].keys()
    for metric, ways in figures.items():
        assert ways.keys() == (WAYS - {"haproxy"} if metric in ("datagrams", "udp_sessions") else WAYS), (
            metric
        )
        assert all(way["value"]["min"] > 0 for way in ways.values()), metric
        assert ways["redirect"]["ratio"]["median"] == 1


def test_cpu_time_of_connections(results: dict[str, Any]) -> None:
    for ways in results["end_to_end"]["CPU time of a new connection, us"].values():
        assert ways.keys() == WAYS
        assert ways["nftables"]["netfilter"] > 1
        # So few connections leave few samples, sometimes none of one of the programs.
        cubes = max(ways[way].get("BPF", 0) for way in ("cube_tc", "cube_xdp"))
        assert cubes > ways["nftables"].get("BPF", 0)
        assert all(spent["TCP and sockets"] > sum(spent.values()) / 5 for spent in ways.values())


def test_control_plane_figures(results: dict[str, Any]) -> None:
    part = results["control_plane"]
    assert part["one endpoint change, ms"].keys() == {"add", "remove", "reweight"}
    assert part["starts"].keys() == {"empty, ms", "cold, ms", "warm, ms"}
    uses = list(part["memory, MiB"].values())
    assert all(use["maps"] > 0 and use["process"] > 0 and use["compiler"] > 0 for use in uses)
    assert [use["maps"] for use in uses] == sorted(use["maps"] for use in uses)


def test_growth_figures(results: dict[str, Any]) -> None:
    part = results["growth"]
    assert all(figures["maps"] > 0 for figures in part["clusters"].values())
    assert part["read a whole cube"].keys() == {"20 x 10", "50 x 5"}
    assert all(figures["scrape, ms"]["median"] > 0 for figures in part["read a whole cube"].values())
    for counts in part["one change, ms"].values():
        assert counts.keys() == {"10 services", "100 services"}


def test_consistency_rows(results: dict[str, Any]) -> None:
    rows = {row["backends"]: row for row in results["consistency"]["rows"]}
    assert rows.keys() == {2, 10, 20}
    for row in rows.values():
        assert row["share error, equal weights"]["of the share"] < 0.01
        assert 0 <= row["changed for others"]["median"] <= row["changed for others"]["max"] < 1
    one_by_one = results["consistency"]["one by one"]
    assert 2 <= one_by_one["at"] <= one_by_one["to"] == 20
    assert -1 < one_by_one["changed for others beyond 1 of n"] < 0.02


def test_compiling_the_datapath_takes_longer_than_the_wrapper(results: dict[str, Any]) -> None:
    assert all(results["compile"][hook]["ratio"]["median"] > 1 for hook in ("TC", "XDP"))


def test_optimizing_takes_the_most_of_it(results: dict[str, Any]) -> None:
    spent = results["compile"]["CPU time in TC, ms"]
    (llvm,) = (library for library in spent["datapath"] if library.startswith("libLLVM"))
    assert spent["datapath"][llvm] > 3 * spent["wrapper"][llvm]


def test_every_target_has_a_verdict(results: dict[str, Any]) -> None:
    rows = results["targets"]
    assert len(rows) > 20
    for row in rows:
        met = row["measured"] <= row["limit"] if row["at most"] else row["measured"] >= row["limit"]
        assert row["met"] is met, row["target"]


def test_pictures_and_page(out: Path, results: dict[str, Any]) -> None:
    for name in ("per_packet", "end_to_end", "control_plane", "consistency"):
        assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    page = (out / "benchmarks.md").read_text()
    assert all(row["target"] in page for row in results["targets"])
    assert "shape only" in page
