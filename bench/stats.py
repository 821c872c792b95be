"""Samples and what is reported of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")

Summary = dict[str, float]


def percentile(samples: Sequence[float], percent: float) -> float:
    """The value that `percent` of the samples do not exceed, interpolated; samples need not be sorted."""
    ordered = sorted(samples)
    position = (len(ordered) - 1) * percent / 100
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def summary(samples: Sequence[float]) -> Summary:
    """Median and spread: quartiles and extremes, in the unit of the samples."""
    return {
        "median": round(statistics.median(samples), 4),
        "q1": round(percentile(samples, 25), 4),
        "q3": round(percentile(samples, 75), 4),
        "min": round(min(samples), 4),
        "max": round(max(samples), 4),
        "samples": len(samples),
    }


def ratios(samples: Sequence[float], base: Sequence[float]) -> list[float]:
    """Each sample over the one of `base` taken in the same round."""
    return [sample / other for sample, other in zip(samples, base, strict=True)]


def in_turns(
    measurements: Mapping[str, Callable[[], T]], rounds: int, warm_up: int = 1
) -> dict[str, list[T]]:
    """Take every measurement once per round, so that a disturbance of the machine meets all alike."""
    taken: dict[str, list[T]] = {name: [] for name in measurements}
    for number in range(rounds + warm_up):
        for name, measure in measurements.items():
            value = measure()
            if number >= warm_up:
                taken[name].append(value)
    return taken


def difference(samples: Iterable[float], other: Iterable[float]) -> list[float]:
    """Sample by sample."""
    return [a - b for a, b in zip(samples, other, strict=True)]


def figure(value: float) -> str:
    """Three significant digits, whole numbers from a hundred on."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
