"""Compiled texts in files, so that a host that starts again, or makes a cube like an earlier one, need not wait for
the compiler (nor keep its process, which is larger than the host).

    <directory>/<hash of text, flags, kernel and compiler>.json

What lies there gets into the kernel: the directory belongs to the host's user alone.
"""

import base64
import hashlib
import importlib.util
import json
import os
import stat
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pcnhost.engine.bpf import MapSpec

FILES_KEPT = 256  # of some 100 KiB; those that were not used for longest go

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_MAPS_OF_MAPS = (12, 13)  # of which the kernel does not tell what they hold


@dataclass(frozen=True)
class Compiled:
    """Instructions by function; by name of the table, the descriptor that instructions name it by, and its kind."""

    functions: dict[str, bytes]
    tables: dict[str, tuple[int, MapSpec]]

    def is_complete(self) -> bool:
        """Whether the tables can be made again from what is known of them."""
        return all(spec.type not in _MAPS_OF_MAPS for _, spec in self.tables.values())


class Cache:
    """`directory` is made when it is needed. One that others can write to is left alone: it keeps nothing."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def get(self, text: str, cflags: Sequence[str]) -> Compiled | None:
        """None when it is not there, or damaged."""
        path = self._path(text, cflags)
        try:
            self._check()
            content = json.loads(path.read_text())
            os.utime(path)
            return Compiled(
                {name: base64.b64decode(insns) for name, insns in content["functions"].items()},
                {name: (fd, MapSpec(**spec)) for name, (fd, spec) in content["tables"].items()},
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def put(self, text: str, cflags: Sequence[str], compiled: Compiled) -> None:
        """Raises OSError, with the reason as its text, when it cannot be kept."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._check()
        content = {
            "functions": {
                name: base64.b64encode(insns).decode() for name, insns in compiled.functions.items()
            },
            "tables": {name: (fd, asdict(spec)) for name, (fd, spec) in compiled.tables.items()},
        }
        path = self._path(text, cflags)
        # Others may be about to keep the same.
        number, name = tempfile.mkstemp(dir=self._directory)
        try:
            with os.fdopen(number, "w") as fresh:
                json.dump(content, fresh)
            Path(name).replace(path)
        except OSError:  # the disk is full, most likely
            Path(name).unlink(missing_ok=True)
            raise
        self._drop_oldest()

    def _check(self) -> None:
        found = self._directory.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & _OTHERS_WRITE:
            raise PermissionError(
                f"{self._directory} has to be a directory that this user alone can write to"
            )

    def _path(self, text: str, cflags: Sequence[str]) -> Path:
        parts = json.dumps([text, list(cflags), _circumstances()])
        return self._directory / f"{hashlib.sha256(parts.encode()).hexdigest()}.json"

    def _drop_oldest(self) -> None:
        for file in sorted(self._directory.iterdir(), key=_last_used)[:-FILES_KEPT]:
            file.unlink(missing_ok=True)


def _last_used(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except FileNotFoundError:  # somebody else has put it in its place, or dropped it
        return 0


def _circumstances() -> list[str]:
    """What else the result depends on: the kernel with its headers, and the compiler."""
    kernel = os.uname()
    bcc = importlib.util.find_spec("bcc")
    version = Path(bcc.origin).stat().st_mtime_ns if bcc and bcc.origin else 0
    headers = os.environ.get("BCC_KERNEL_SOURCE", "")
    return [kernel.release, kernel.version, kernel.machine, headers, str(version)]
