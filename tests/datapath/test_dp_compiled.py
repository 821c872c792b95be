"""The verifier takes the program whatever its host lets the compiler do: polycubed gives it neither pcnhost's flags nor
its functions."""

from __future__ import annotations

import os
from contextlib import closing

import pytest

from bench import datapath
from pcnhost.engine import bpf
from pcnhost.engine.compile import compile_text
from pcnhost.engine.program import FUNCTIONS, PROGRAM_TYPES
from pcnhost.engine.source import Hook

pytestmark = pytest.mark.root

# Instructions. The verifier gives up after a million; what other compilers and kernels add has to fit in between.
MAY_BE_VISITED = 700_000


@pytest.mark.parametrize("hook", list(Hook), ids=lambda hook: hook.name)
@pytest.mark.parametrize("clock", [{"KERNEL_HZ": 250}, {}], ids=["known frequency", "unknown frequency"])
def test_it_loads_without_what_pcnhost_adds(hook: Hook, clock: dict[str, int]) -> None:
    text, flags = datapath.request(datapath.text(**clock), hook)
    assert len(datapath.as_in_polycubed(flags)) < len(flags)
    with closing(compile_text(text, datapath.as_in_polycubed(flags))) as module:
        program = bpf.load_program(PROGRAM_TYPES[hook], "datapath", module.linked(FUNCTIONS[hook], {}))
    visited = bpf.verified_instructions(program)
    os.close(program)
    assert 10_000 < visited < MAY_BE_VISITED


@pytest.mark.parametrize("cpus", [64, 384])
def test_the_smallest_cube_on_many_cpus(cpus: int) -> None:
    """Each CPU has a part of some maps, which may not be empty."""
    text = datapath.text(sessions=1024, CPUS=cpus)
    compile_text(*datapath.request(text, Hook.TC)).close()
