"""Which files are code that runs as root: a library that only root could have put where it is."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

MAX_BYTES = 64 << 20


def read(uri: str, trusted: Sequence[Path] = ()) -> bytes:
    """The bytes of a library. Raises OSError with a text for people when it is not to be trusted.

    It and all directories above it belong to root and can be written by root alone, as sshd and sudo ask of
    their files, or it is below one of the directories `trusted`. Links are followed first: what counts is where
    the file really is. It is opened without waiting, so that a FIFO or a device cannot hold up the host."""
    if "\0" in uri or not Path(uri).is_absolute():
        raise OSError(f"{uri!r} is not possible, an absolute path is expected")
    try:
        return _read(Path(os.path.realpath(uri)), trusted)
    except OSError as e:
        if e.errno is None:
            raise
        raise OSError(f"{uri}: cannot open shared object file: {e.strerror}") from None


def _read(path: Path, trusted: Sequence[Path]) -> bytes:
    if not any(path.is_relative_to(os.path.realpath(directory)) for directory in trusted):
        check_owners(path)
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY)
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"{path} is not a regular file")
        if status.st_size == 0:  # also what the kernel makes up while it is read, as in /proc
            raise OSError(f"{path} is empty")
        if status.st_size > MAX_BYTES:
            raise OSError(f"{path} has {status.st_size} bytes, allowed: {MAX_BYTES}")
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise OSError(f"{path} grows, allowed: {MAX_BYTES} bytes")
    return content


def check_owners(path: Path, *, shared: bool = False) -> None:
    """Raises OSError when others than root can change what is at this path; with `shared`, they may have files of
    their own beside it, as in /tmp.

    Once a directory can be changed by root alone, so can what stands in it: no race is left."""
    for place in (*reversed(path.parents), path):
        status = place.lstat()
        if status.st_uid != 0:
            raise OSError(f"{place} does not belong to root")
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not (shared and status.st_mode & stat.S_ISVTX):
            raise OSError(f"{place} can be written by others than root")
