"""`python -m pcnhost`"""

from __future__ import annotations

import ctypes
import fcntl
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from pcnhost import logs, rights
from pcnhost.config import Config, ConfigError, load
from pcnhost.starter import Starter

_M_MMAP_THRESHOLD, _LARGE_BLOCK = -3, 128 << 10


def main() -> int:
    """Exit status: 0 after a signal, 1 when the host could not start."""
    os.umask(0o027)
    _give_large_blocks_back()
    starter = Starter()
    try:
        config = load()
        if lacking := rights.missing():
            raise ConfigError(f"root privileges are needed, or at least {', '.join(lacking)}")
        if config.daemon:
            starter.detach()
        _start_logging(config)
        # Imported late: compiling and tracing libraries take a while, and --help does not need them.
        from pcnhost.host import run

        with _locked(config.pidfile):
            leave = run(config, starter.ready)
    except ConfigError as e:
        starter.failed(str(e))
        return 1
    if leave:
        logging.shutdown()
        os._exit(0)
    return 0


def _give_large_blocks_back() -> None:
    """Of each answer of megabytes, glibc would keep the memory, for each thread that has worked on one."""
    with suppress(AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK)


def _start_logging(config: Config) -> None:
    try:
        logs.start(config.loglevel, config.logfile)
    except OSError as e:
        raise ConfigError(f"cannot write {config.logfile}: {e.strerror}") from None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock file with our process id. Raises ConfigError when another process holds it."""
    try:
        file = _lock(path)
    except BlockingIOError:
        raise ConfigError(f"another host is running ({path} is locked)") from None
    except OSError as e:
        raise ConfigError(f"cannot write {path}: {e.strerror}") from None
    with file:
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _lock(path: Path) -> TextIO:
    """The locked file. Raises BlockingIOError when another process has it, OSError if it is not writable.

    Whoever can open it can lock it: one that others can open is not of a host."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        pass
    else:
        if found.st_mode & 0o077 or found.st_uid != os.geteuid():
            path.unlink()
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "r+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not path.exists() or not os.path.samestat(path.stat(), os.fstat(file.fileno())):
            raise BlockingIOError  # its owner has removed it just now: let the next one have the name
    except BlockingIOError:
        file.close()
        raise
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


if __name__ == "__main__":
    sys.exit(main())
