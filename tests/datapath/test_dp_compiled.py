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
from pcnhost.engine.source import FASTER_BUILD, Hook

pytestmark = pytest.mark.root

_OF_PCNHOST = (*FASTER_BUILD, "-D_PCN_")


@pytest.mark.parametrize("hook", list(Hook), ids=lambda hook: hook.name)
@pytest.mark.parametrize("clock", [{"KERNEL_HZ": 250}, {}], ids=["known frequency", "unknown frequency"])
def test_it_loads_without_what_pcnhost_adds(hook: Hook, clock: dict[str, int]) -> None:
    text, flags = datapath.request(datapath.text(**clock), hook)
    as_in_polycubed = [flag for flag in flags if not flag.startswith(_OF_PCNHOST)]
    assert len(as_in_polycubed) < len(flags)
    with closing(compile_text(text, as_in_polycubed)) as module:
        program = module.linked(FUNCTIONS[hook], {})
        os.close(bpf.load_program(PROGRAM_TYPES[hook], "datapath", program))


@pytest.mark.parametrize("cpus", [64, 384])
def test_the_smallest_cube_on_many_cpus(cpus: int) -> None:
    """Each CPU has a part of some maps, which may not be empty."""
    text = datapath.text(sessions=1024, CPUS=cpus)
    compile_text(*datapath.request(text, Hook.TC)).close()
