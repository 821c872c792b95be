"""A pcnhost to measure, and what its cubes are made of in the kernel."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import kernel
from pcnhost.engine import bpf, state
from pcnhost.engine.panel import ingress_node
from pcnhost.engine.source import Hook
from testbed.api import Api
from testbed.host import COMPILE_CACHE, load_service, start_host
from testbed.lab import Lab


@dataclass(frozen=True)
class Host:
    """A running pcnhost with the service loaded; `scratch` is a directory for files of the measurement."""

    api: Api
    process: subprocess.Popen[str]
    state_dir: Path
    scratch: Path

    def directory(self, cube: str) -> Path:
        return self.state_dir / "cubes" / cube

    def map_path(self, cube: str, name: str) -> Path:
        """Where a map that the cube's program declares is pinned."""
        return self.directory(cube) / "ingress0" / name

    def program_fd(self, cube: str, hook: Hook) -> int:
        """A new fd of the cube's program as it is loaded now."""
        cube_id = int(state.read_note(self.directory(cube) / "id") or 0)
        nodes = kernel.open_map(self.state_dir / ("nodes" if hook is Hook.TC else "xdp_nodes"))
        try:
            program_id = bpf.lookup(nodes, bpf.u32(ingress_node(cube_id)), 4)
        finally:
            os.close(nodes)
        if program_id is None:
            raise LookupError(f"cube {cube} has no {hook.name} program")
        return kernel.open_program(int.from_bytes(program_id, "little"))


_compile_cache = ""  # each host compiles what it needs


def use_kept_programs() -> None:
    """Hosts take programs that have been compiled before: for runs that are about no figure."""
    global _compile_cache
    _compile_cache = str(COMPILE_CACHE)


@contextmanager
def running(lab: Lab, *options: str) -> Iterator[Host]:
    """A host that ends with the lab; at most one for each lab."""
    with tempfile.TemporaryDirectory(prefix=lab.prefix) as scratch:
        log = Path(scratch) / "pcnhost.log"
        cache = ("--compile-cache", _compile_cache)
        api, process = start_host(lab, None, "--loglevel", "warn", *cache, *options, log=log)
        load_service(api)
        yield Host(api, process, lab.state_dir, Path(scratch))
