"""The log, which has one writer: Python's logging. Services hand it their lines by way of the bridge."""

from __future__ import annotations

import logging
import logging.handlers
import os
from io import TextIOWrapper
from pathlib import Path

LEVELS = {
    "trace": logging.DEBUG - 5,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "err": logging.ERROR,
    "critical": logging.CRITICAL,
    "off": logging.CRITICAL + 10,
}
_SPDLOG_LEVELS = tuple(LEVELS.values())  # by their numbers in C++
_FORMAT = "[%(asctime)s] [%(name)s] [%(levelname)s] %(message)s"

logging.addLevelName(LEVELS["trace"], "TRACE")
# What cubes say has passed their own log level.
_cubes = logging.getLogger("pcnhost.cubes")
_cubes.setLevel(1)


class LogFile(logging.handlers.WatchedFileHandler):
    """A file that logrotate may move away at any time. Others can't read it: it shows the network."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        return TextIOWrapper(os.fdopen(descriptor, "ab"), encoding="utf-8", errors="backslashreplace")


def start(level: str, file: Path | None) -> None:
    """Logs to the file, or to standard error. Raises OSError."""
    handler = LogFile(file) if file else logging.StreamHandler()
    logging.basicConfig(handlers=[handler], level=LEVELS[level], format=_FORMAT)


def cube_says(cube: str, level: int, text: str) -> None:
    """Logs a line of a cube, with spdlog's number of the level."""
    python_level = _SPDLOG_LEVELS[min(level, len(_SPDLOG_LEVELS) - 1)]
    _cubes.handle(_cubes.makeRecord(cube, python_level, "", 0, text, (), None))
