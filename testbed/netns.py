"""Sockets in other network namespaces: a socket stays where it was created, whoever uses it."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def enter(namespace: str) -> None:
    """Move the calling thread into a named network namespace."""
    with Path(f"/run/netns/{namespace}").open() as file:
        _set(file.fileno())


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Let the calling thread work in a named network namespace, then bring it back."""
    with Path("/proc/thread-self/ns/net").open() as before:
        enter(namespace)
        try:
            yield
        finally:
            _set(before.fileno())


def _set(fd: int) -> None:
    if _libc.setns(fd, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
