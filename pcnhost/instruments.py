"""What the process measures of itself, for Prometheus."""

from __future__ import annotations

import os
import platform

import prometheus_client
from prometheus_client import CollectorRegistry, Histogram, ProcessCollector
from prometheus_client.core import InfoMetricFamily

from pcnhost import __version__

_LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_COMPILATIONS = (0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 60)

# They would be families of their own, of no use to anybody.
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY = CollectorRegistry()

PROGRAMMING = Histogram(
    "pcnhost_programming_duration_seconds",
    "From the arrival of a request that changes something until the datapath does what it says",
    ["method", "result"],
    buckets=_LATENCIES,
    registry=REGISTRY,
)
COMPILING = Histogram(
    "pcnhost_compile_duration_seconds",
    "Compilation of a datapath program, the wait for its turn included",
    ["result"],
    buckets=_COMPILATIONS,
    registry=REGISTRY,
)
ProcessCollector(registry=REGISTRY)


def build_info() -> InfoMetricFamily:
    about = {"version": __version__, "python": platform.python_version(), "kernel": os.uname().release}
    return InfoMetricFamily("pcnhost_build", "What runs", about)
