"""Lets one operation of a running host fail, by a library that is preloaded into it; the host itself is as it ships."""

from __future__ import annotations

import errno
import mmap
import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testbed.host import PROJECT, SERVICE_LIBRARY

_PLAN = struct.Struct(
    "=iiiiii16s"
)  # struct Plan of preload.cpp: pid, kind, countdown, error, lasting, fired, map
_BUILD = PROJECT / "build" / "faults"
_BRIDGE = PROJECT / "build" / "libpcnhost.so"

# Kinds of operations, with what the kernel refuses them with.
MAPS, NETDEVS, ALLOCATIONS, REMOVALS = 1, 2, 3, 4
WAITS = 0
ERRORS = {
    MAPS: (errno.ENOMEM, errno.E2BIG, errno.EBUSY, errno.EPERM),
    NETDEVS: (errno.ENOMEM, errno.ENOSPC, errno.EBUSY, errno.EPERM, errno.ENODEV, errno.EEXIST),
    ALLOCATIONS: (errno.ENOMEM,),
    REMOVALS: (errno.EBUSY, errno.EPERM),
}


@dataclass(frozen=True)
class Fault:
    """The `number`th operation of a kind from now on fails with `error`, and so do the next ones, `lasting` in all.
    `map`: only those on the map with this name, if they are on maps. With WAITS as `error`, the operation waits for
    resume()."""

    kind: int
    number: int
    error: int
    lasting: int = 1
    map: str = ""


class Injector:
    """`environment` is that of a host whose operations are to fail, once `pid` is set to its
    process; until then, of any process with this environment."""

    def __init__(self, file: Path) -> None:
        file.write_bytes(bytes(_PLAN.size))
        with file.open("r+b") as opened:
            self._shared = mmap.mmap(opened.fileno(), _PLAN.size)
        spared = file.with_suffix(".spared")
        spared.write_text("".join(_spared("/fd/", SERVICE_LIBRARY)) + "".join(_spared("libpcnhost", _BRIDGE)))
        self.environment = {
            "LD_PRELOAD": str(_library()),
            "PCN_FAULTS": str(file),
            "PCN_FAULTS_SPARED": str(spared),
        }
        self.pid = 0

    @contextmanager
    def armed(self, fault: Fault | None) -> Iterator[None]:
        if fault:
            plan = (self.pid, fault.kind, fault.number, fault.error, fault.lasting, 0, fault.map.encode())
            self._shared[:] = _PLAN.pack(*plan)
        yield
        _, _, countdown, error, lasting, fired, _ = _PLAN.unpack(self._shared[:])
        self._shared[:] = _PLAN.pack(0, 0, countdown, error, lasting, fired if fault else 0, b"")

    def resume(self) -> None:
        *before, _, lasting, fired, name = _PLAN.unpack(self._shared[:])
        self._shared[:] = _PLAN.pack(*before, errno.EINTR, lasting, fired, name)

    @property
    def fired(self) -> bool:
        """Whether the last fault has happened."""
        return bool(_PLAN.unpack(self._shared[:])[5])

    @property
    def left(self) -> int:
        """How many more operations the last fault had waited for."""
        return int(_PLAN.unpack(self._shared[:])[2])


def _spared(name: str, library: Path) -> Iterator[str]:
    """The functions of the JSON library, and those that work with its values; hosts load services from memory."""
    found = subprocess.run(
        ["nm", "-S", "--defined-only", library], capture_output=True, text=True, check=True
    )
    for line in found.stdout.splitlines():
        words = line.split()
        if len(words) == 4 and words[2] in "tTwW" and "nlohmann" in words[3]:
            start = int(words[0], 16)
            yield f"{name} {start:x} {start + int(words[1], 16):x}\n"


def _library() -> Path:
    source, library = Path(__file__).with_name("preload.cpp"), _BUILD / "libpreload.so"
    if not library.exists() or library.stat().st_mtime < source.stat().st_mtime:
        _BUILD.mkdir(parents=True, exist_ok=True)
        fresh = library.with_suffix(f".{os.getpid()}")
        options = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-fPIC", "-shared"]
        subprocess.run(["c++", *options, "-o", fresh, source], check=True)
        fresh.rename(library)
    return library
