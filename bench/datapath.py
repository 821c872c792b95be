"""The datapath's text as the control plane has it compiled, and what the compiler is asked for."""

from __future__ import annotations

from codegen.datapath import join
from k8slbrp.maps import openings_secret
from pcnhost.engine import bpf, source
from pcnhost.engine.source import Hook
from testbed.host import PROJECT

DEFAULT_SESSIONS = 131_072  # max-sessions: compiling makes the maps, too


def text(sessions: int = DEFAULT_SESSIONS, **more: int) -> str:
    """Behind the definitions that the control plane puts before it, and `more`."""
    values = {
        "SESSION_ENTRIES": sessions,
        "CPUS": bpf.possible_cpus(),
        "OPENINGS_SECRET": f"{openings_secret()}ULL",
        **more,
    }
    defines = "".join(f"#define {name} {value}\n" for name, value in values.items())
    return defines + join([PROJECT / "src" / "K8sLbrp_dp.c"])


def request(program: str, hook: Hook) -> tuple[str, list[str]]:
    """The text under the host's wrapper, and the flags, of a program as of a cube."""
    complete = source.complete(source.parse(program).text, hook)
    return complete, source.cflags(hook, "cube", 0, False, "INFO")


def as_in_polycubed(flags: list[str]) -> list[str]:
    """polycubed has neither pcnhost's flags for the compiler nor its functions."""
    return [flag for flag in flags if not flag.startswith((*source.FASTER_BUILD, "-D_PCN_"))]
