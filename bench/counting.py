"""The datapath without its counters of packets and bytes, to see what those cost."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from bench import datapath, kernel
from bench.driver import load_text
from pcnhost.engine.source import Hook

_CLOCK_MONOTONIC_COARSE = 6  # moves once a jiffy, and says so
_COUNTERS = ("count_translated", "count_fate")  # all that an established packet counts, and one that passes


def programs(hook: Hook, cube: Path, metadata_fd: int, max_sessions: int) -> dict[str, int]:
    """The datapath twice, "counted" and "uncounted", on the maps of a cube, which are pinned in a directory, and on the
    host's map `port_md`."""
    maps = {path.name: kernel.open_map(path) for path in (cube / "ingress0").iterdir() if path.is_file()}
    maps["_POLYCUBE_peers"] = kernel.open_map(cube / "_POLYCUBE_peers")
    hz = round(1 / time.clock_getres(_CLOCK_MONOTONIC_COARSE))  # the time has to be that of the cube
    text = datapath.text(max_sessions, KERNEL_HZ=hz)
    try:
        given = {**maps, "port_md": metadata_fd}
        return {
            name: load_text(written, hook, given)[0]
            for name, written in (("counted", text), ("uncounted", _without_counters(text)))
        }
    finally:
        for fd in maps.values():
            os.close(fd)


def _without_counters(text: str) -> str:
    for function in _COUNTERS:
        text, found = re.subn(
            rf"(static __always_inline void {function}\([^{{]*\{{\n)", r"\1  return;\n", text
        )
        if found != 1:
            raise LookupError(f"{function} is not in the datapath")
    return text
