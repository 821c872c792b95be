"""The figures as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.axes import Axes

from bench.endtoend import METRICS
from bench.report import map_names
from bench.stats import Summary, figure

Report = dict[str, Any]

_HOOKS = {"TC": "#1f77b4", "XDP": "#ff7f0e"}
_DPI = 110


def draw(report: Report, directory: Path) -> list[Path]:
    """A PNG for each part of the report; returns where they are."""
    pictures = {
        "per_packet": _per_packet,
        "end_to_end": _end_to_end,
        "control_plane": _control_plane,
        "consistency": _consistency,
    }
    drawn = []
    for part, picture in pictures.items():
        if part in report:
            picture(report[part])
            path = directory / f"{part}.png"
            pyplot.tight_layout()
            pyplot.savefig(path, dpi=_DPI)
            pyplot.close("all")
            drawn.append(path)
    return drawn


def _bars(axes: Axes, positions: Sequence[float], summaries: Sequence[Summary], **options: Any) -> None:
    """Horizontal bars at the medians with whiskers over the middle half."""
    medians = [summary["median"] for summary in summaries]
    spread = [
        [summary["median"] - summary["q1"] for summary in summaries],
        [summary["q3"] - summary["median"] for summary in summaries],
    ]
    axes.barh(positions, medians, xerr=spread, error_kw={"elinewidth": 0.8, "capsize": 2}, **options)
    for position, summary in zip(positions, summaries, strict=True):
        text = f" {figure(summary['median'])}"
        axes.annotate(text, (summary["q3"], position), va="center", fontsize=7)
    axes.margins(x=0.1)


def _per_packet(part: Report) -> None:
    rows = [(setup, case) for setup in ("kernel", *part["setups"]) for case in part["TC"][setup]]
    _, axes = pyplot.subplots(figsize=(9, 0.34 * len(rows) + 1.2))
    for offset, (hook, colour) in zip((-0.2, 0.2), _HOOKS.items(), strict=True):
        summaries = [part[hook][setup][case]["ratio"] for setup, case in rows]
        floor = part[hook]["floor"]["ns"]["median"]
        positions = [row + offset for row in range(len(rows))]
        _bars(axes, positions, summaries, height=0.38, color=colour, label=f"{hook}, floor {floor:.0f} ns")
    axes.set_yticks(range(len(rows)), [f"{setup}: {case}" for setup, case in rows], fontsize=8)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlabel("multiples of the floor (parse and redirect under the same wrapper)")
    axes.legend()


def _end_to_end(part: Report) -> None:
    setups = [name for name in part if name.endswith(" services")]
    _, grid = pyplot.subplots(len(METRICS), 1, figsize=(9, 1.9 * len(METRICS)))
    for axes, (name, metric) in zip(grid, METRICS.items(), strict=True):
        ways = list(part[setups[0]][name])
        for number, setup in enumerate(setups):
            height = 0.8 / len(setups)
            positions = [row + (number - (len(setups) - 1) / 2) * height for row in range(len(ways))]
            summaries = [part[setup][name][way]["value"] for way in ways]
            _bars(axes, positions, summaries, height=height * 0.95, label=setup)
        better = "more" if metric.more_is_better else "less"
        axes.set_title(f"{metric.title}, {metric.unit} ({better} is better)", fontsize=9)
        axes.set_yticks(range(len(ways)), [way.replace("_", " ") for way in ways], fontsize=8)
        axes.invert_yaxis()
    grid[0].legend(fontsize=8)


def _control_plane(part: Report) -> None:
    _, (left, right) = pyplot.subplots(1, 2, figsize=(10, 3.4))
    changes = part["one endpoint change, ms"] | part["attach a pod, ms"]
    _bars(left, range(len(changes)), list(changes.values()), color=_HOOKS["TC"])
    left.set_yticks(range(len(changes)), list(changes))
    left.invert_yaxis()
    left.set_xlabel("ms per REST request")
    memory = part["memory, MiB"]
    bottom = [0.0] * len(memory)
    for name in [*map_names(memory), "process"]:
        heights = [
            use["process"] if name == "process" else use["by map"].get(name, 0) for use in memory.values()
        ]
        colour = "lightgrey" if name == "process" else None
        right.bar(list(memory), heights, bottom=bottom, label=name, color=colour)
        bottom = [low + height for low, height in zip(bottom, heights, strict=True)]
    right.set_ylabel("MiB")
    right.legend(fontsize=7)


def _consistency(part: Report) -> None:
    _, (left, right) = pyplot.subplots(1, 2, figsize=(10, 3.4))
    rows = part["rows"]
    numbers = [row["backends"] for row in rows]
    for name in ("share error, equal weights", "share error, weights 1 to 10"):
        left.plot(numbers, [100 * row[name]["of the share"] for row in rows], "o-", markersize=3, label=name)
    left.set_title("Worst deviation of a backend's share, % of it", fontsize=9)
    right.plot(
        numbers,
        [100 * row["changed for others"]["max"] for row in rows],
        "o-",
        markersize=3,
        label="measured",
    )
    right.plot(numbers, [100 / number + 2 for number in numbers], "--", label="allowed: 1/n + 2%")
    right.set_title("New-session choices that change for others when one of n goes, %", fontsize=9)
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_xlabel("backends")
        axes.legend(fontsize=8)
