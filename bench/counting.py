"""The datapath whose fast path does not count packets and bytes, to see what that costs; and the one of polycubed."""

from __future__ import annotations

import os
import time
from pathlib import Path

from bench import datapath, kernel
from bench.driver import load_text
from pcnhost.engine.source import Hook

_CLOCK_MONOTONIC_COARSE = 6  # moves once a jiffy, and says so
# All that an established packet counts, and one that passes. The full path stays as it is, or the verifier may have
# more to follow than it is willing to.
_COUNTS = (
    "    count_fate(pkt.tuple.side, FATE_PASSED, packet_length(ctx));\n",
    "  count_translated(session.counter, from_client, packet_length(ctx));\n",
)


def programs(hook: Hook, cube: Path, metadata_fd: int, max_sessions: int) -> dict[str, int]:
    """The datapath three times, on the maps of a cube, which are pinned in a directory, and on the host's map
    `port_md`: "counted", "uncounted", and "polycubed", with its flags and nothing that only pcnhost offers."""
    maps = {path.name: kernel.open_map(path) for path in (cube / "ingress0").iterdir() if path.is_file()}
    maps["_POLYCUBE_peers"] = kernel.open_map(cube / "_POLYCUBE_peers")
    hz = round(1 / time.clock_getres(_CLOCK_MONOTONIC_COARSE))  # the time has to be that of the cube
    text = datapath.text(max_sessions, KERNEL_HZ=hz)
    try:
        given = {**maps, "port_md": metadata_fd}
        return {
            "counted": load_text(text, hook, given)[0],
            "uncounted": load_text(_without_counters(text), hook, given)[0],
            "polycubed": load_text(text, hook, given, change_flags=datapath.as_in_polycubed)[0],
        }
    finally:
        for fd in maps.values():
            os.close(fd)


def _without_counters(text: str) -> str:
    for count in _COUNTS:
        if text.count(count) != 1:
            raise LookupError(f"{count.strip()} is not in the datapath's fast path")
        text = text.replace(count, "")
    return text
