"""The verifier takes the program whatever its host lets the compiler do: polycubed gives it neither pcnhost's flags nor
its functions."""

from __future__ import annotations

from contextlib import closing

import pytest

from bench import datapath
from bench.size import visited_instructions
from pcnhost.engine.compile import compile_text
from pcnhost.engine.source import Hook

pytestmark = pytest.mark.root

# Instructions. The verifier gives up after a million; what other compilers and kernels add has to fit in between.
MAY_BE_VISITED = 700_000


@pytest.mark.parametrize("hook", list(Hook), ids=lambda hook: hook.name)
@pytest.mark.parametrize("clock", [{"KERNEL_HZ": 250}, {}], ids=["known frequency", "unknown frequency"])
def test_it_loads_without_what_pcnhost_adds(hook: Hook, clock: dict[str, int]) -> None:
    text, flags = datapath.request(datapath.text(**clock), hook)
    as_in_polycubed = datapath.as_in_polycubed(flags)
    assert len(as_in_polycubed) < len(flags)
    with closing(compile_text(text, as_in_polycubed)) as module:
        assert 10_000 < visited_instructions(module, hook) < MAY_BE_VISITED


@pytest.mark.parametrize("cpus", [64, 384])
def test_the_smallest_cube_on_many_cpus(cpus: int) -> None:
    """Each CPU has a part of some maps, which may not be empty."""
    text = datapath.text(sessions=1024, CPUS=cpus)
    compile_text(*datapath.request(text, Hook.TC)).close()
