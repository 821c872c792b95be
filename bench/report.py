"""docs/benchmarks.md, made from the figures."""

from __future__ import annotations

from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined

from bench.cputime import AREAS
from bench.endtoend import METRICS
from bench.profile import HERTZ
from bench.stats import Summary, figure


def document(report: dict[str, Any]) -> str:
    """Markdown with every part that the report has."""
    environment = Environment(
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined
    )
    environment.filters |= {"spread": _spread, "figure": figure, "map_names": map_names}
    template = (resources.files(__package__) / "benchmarks.md.j2").read_text()
    return environment.from_string(template).render(report=report, metrics=METRICS, areas=AREAS, hertz=HERTZ)


def map_names(memory: dict[str, Any]) -> list[str]:
    """Of all maps that are worth showing in some use of the memory."""
    return sorted({name for use in memory.values() for name in use["by map"]})


def _spread(summary: Summary) -> str:
    """The median, and in brackets the quartiles."""
    return f"{figure(summary['median'])} ({figure(summary['q1'])} to {figure(summary['q3'])})"
