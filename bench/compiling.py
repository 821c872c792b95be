"""How long BCC compiles the datapath, next to the host's wrapper around nothing; each cube pays it at its start."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from bench import stats
from bench.driver import program_text
from codegen.datapath import join
from pcnhost.engine import source
from pcnhost.engine.compile import compile_text
from pcnhost.engine.source import Hook
from testbed.host import PROJECT

_SESSION_ENTRIES = 262_144  # the default: the map is made by compiling, too


def measure(quick: bool) -> dict[str, Any]:
    """Milliseconds by hook; the ratio is the datapath's to the wrapper's."""
    rounds = 2 if quick else 11
    datapath = f"#define SESSION_ENTRIES {_SESSION_ENTRIES}\n" + join([PROJECT / "src" / "K8sLbrp_dp.c"])
    texts = {"wrapper": program_text("empty.c"), "datapath": datapath}
    measurements = {
        f"{hook.name}/{name}": partial(_compile_ms, text, hook)
        for hook in Hook
        for name, text in texts.items()
    }
    taken = stats.in_turns(measurements, rounds)
    return {
        hook.name: _report(taken[f"{hook.name}/wrapper"], taken[f"{hook.name}/datapath"]) for hook in Hook
    }


def _compile_ms(text: str, hook: Hook) -> float:
    start = time.perf_counter()
    flags = source.cflags(hook, "cube", 0, False, "INFO")
    compile_text(source.complete(source.parse(text).text, hook), flags).close()
    return (time.perf_counter() - start) * 1e3


def _report(wrapper: list[float], datapath: list[float]) -> dict[str, Any]:
    return {
        "wrapper, ms": stats.summary(wrapper),
        "datapath, ms": stats.summary(datapath),
        "ratio": stats.summary(stats.ratios(datapath, wrapper)),
    }
