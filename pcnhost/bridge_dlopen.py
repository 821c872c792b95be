"""Opening and closing the shared library of a service."""

from __future__ import annotations

import _ctypes
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TRIAL_S = 10
MFD_EXEC = 0x10  # Linux 6.3; before, every memfd could be executed


@contextmanager
def in_memory(uri: str, content: bytes) -> Iterator[int]:
    """A descriptor of a file in memory that holds the library and cannot be changed.

    The loader knows a library by its file and keeps it mapped after dlclose() when anything still holds on to
    it: a GNU-unique symbol, a thread-local object with a destructor. The same file would then give the old
    code again. A copy is always a new file, and overwriting the original in place cannot pull the mapped code
    from under a running service. The loader compares paths, too: the descriptor has a number whose path is not
    that of a library that is still mapped."""
    fds = [_memfd(Path(uri).name[:200])]
    try:
        with os.fdopen(os.dup(fds[0]), "wb") as file:
            file.write(content)
        while _is_loaded(_path(fds[-1])):
            fds.append(os.dup(fds[0]))
        yield fds[-1]
    finally:
        for fd in fds:
            os.close(fd)


def try_out(bridge: str, fd: int) -> None:
    """Load the library in a process of its own (trial.py). Raises OSError when that does not end well."""
    command = [sys.executable, "-ISP", str(Path(__file__).with_name("trial.py")), bridge, str(fd)]
    try:
        done = subprocess.run(
            command, pass_fds=[fd], stdin=subprocess.DEVNULL, capture_output=True, timeout=TRIAL_S
        )
    except subprocess.TimeoutExpired:
        raise OSError(f"its initialization does not end within {TRIAL_S} s") from None
    if done.returncode:
        signalled = done.returncode < 0
        end = signal.Signals(-done.returncode).name if signalled else f"status {done.returncode}"
        raise OSError(f"its initialization ends the process with {end}: {_last_line(done.stderr)}")


def dlopen(uri: str, fd: int) -> ctypes.CDLL:
    """Raises OSError with the loader's text, about `uri`."""
    path = _path(fd)
    try:
        return ctypes.CDLL(path, mode=os.RTLD_NOW)
    except OSError as e:
        raise OSError(str(e).replace(path, uri)) from None


def close(library: ctypes.CDLL) -> None:
    _ctypes.dlclose(library._handle)


def symbol_address(library: ctypes.CDLL, symbol: str) -> int | None:
    try:
        function = getattr(library, symbol)
    except AttributeError:
        return None
    return ctypes.cast(function, ctypes.c_void_p).value


def _path(fd: int) -> str:
    return f"/proc/self/fd/{fd}"


def _is_loaded(path: str) -> bool:
    try:
        close(ctypes.CDLL(path, mode=os.RTLD_NOW | os.RTLD_NOLOAD))
    except OSError:
        return False
    return True


def _last_line(output: bytes) -> str:
    return output.decode(errors="replace").strip().rpartition("\n")[2][:200]


def _memfd(name: str) -> int:
    try:
        return os.memfd_create(name, os.MFD_CLOEXEC | MFD_EXEC)
    except OSError:
        return os.memfd_create(name, os.MFD_CLOEXEC)
