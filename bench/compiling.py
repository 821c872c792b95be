"""How long BCC compiles the datapath, next to the host's wrapper around nothing; each cube pays it at its start."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from bench import cputime, datapath, stats
from bench.driver import program_text
from pcnhost.engine import bpf, compiler
from pcnhost.engine.compile import Module, compile_text
from pcnhost.engine.source import Hook


def measure(quick: bool) -> dict[str, Any]:
    """Milliseconds by hook; the ratio is the datapath's to the wrapper's. `unused`: the datapath is there, but nothing
    calls it, so that it is read and then dropped."""
    rounds = 2 if quick else 11
    whole = datapath.text()
    empty = program_text("empty.c")
    unused = f"#define handle_rx unused_handle_rx\n{whole}\n#undef handle_rx\n{empty}"
    texts = {"wrapper": empty, "unused": unused, "datapath": whole}
    measurements = {
        f"{hook.name}/{name}": partial(_compile_ms, text, hook)
        for hook in Hook
        for name, text in texts.items()
    }
    taken = stats.in_turns(measurements, rounds)
    return {
        "instructions": {hook.name: _instructions(whole, hook) for hook in Hook},
        "CPU time in TC, ms": {name: _by_library(text, rounds) for name, text in texts.items()},
        **{hook.name: _report({name: taken[f"{hook.name}/{name}"] for name in texts}) for hook in Hook},
    }


def _instructions(text: str, hook: Hook) -> int:
    module = _compiled(text, hook)
    module.close()
    return sum(len(code) for code in module.functions.values()) // bpf.INSN_BYTES


def _by_library(text: str, times: int) -> dict[str, float]:
    """Milliseconds of one compilation."""

    def compile_often() -> None:  # not as compile_text(): the profile is one of this process
        for _ in range(times):
            compiler.compile_here(*datapath.request(text, Hook.TC))[0].cleanup()

    spent = cputime.by_library(compile_often)
    return {library: round(ms / times, 1) for library, ms in spent.items()}


def _compile_ms(text: str, hook: Hook) -> float:
    start = time.perf_counter()
    _compiled(text, hook).close()
    return (time.perf_counter() - start) * 1e3


def _compiled(text: str, hook: Hook) -> Module:
    return compile_text(*datapath.request(text, hook))


def _report(taken: dict[str, list[float]]) -> dict[str, Any]:
    report: dict[str, Any] = {f"{name}, ms": stats.summary(samples) for name, samples in taken.items()}
    return report | {"ratio": stats.summary(stats.ratios(taken["datapath"], taken["wrapper"]))}
