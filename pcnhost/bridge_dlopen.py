"""Opening and closing the shared library of a service."""

from __future__ import annotations

import _ctypes
import ctypes
import os
import shutil
import tempfile
from pathlib import Path


def open_private(uri: str) -> ctypes.CDLL:
    """dlopen() a private copy of a library; `uri` without a slash is searched for as dlopen() does.

    The loader knows a library by its file and keeps it mapped after dlclose() when anything still holds on to
    it: a GNU-unique symbol, a thread-local object with a destructor. The same path would then give the old
    code again. A copy is always a new file, and overwriting the original in place cannot pull the mapped code
    from under a running service. Raises OSError with the loader's text."""
    path = uri if "/" in uri else _search(uri)
    if not Path(path).is_file():
        return ctypes.CDLL(path, mode=os.RTLD_NOW)  # raises with the loader's own words
    descriptor, copy = tempfile.mkstemp(prefix="pcnhost-", suffix=f"-{Path(path).name}")
    try:
        with os.fdopen(descriptor, "wb") as target, Path(path).open("rb") as source:
            shutil.copyfileobj(source, target)
        return ctypes.CDLL(copy, mode=os.RTLD_NOW)
    except OSError as e:
        raise OSError(str(e).replace(copy, path)) from None
    finally:
        Path(copy).unlink()


def close(library: ctypes.CDLL) -> None:
    _ctypes.dlclose(library._handle)


def symbol_address(library: ctypes.CDLL, symbol: str) -> int | None:
    try:
        function = getattr(library, symbol)
    except AttributeError:
        return None
    return ctypes.cast(function, ctypes.c_void_p).value


class _LinkMap(ctypes.Structure):
    _fields_ = (("address", ctypes.c_void_p), ("name", ctypes.c_char_p))


def _search(name: str) -> str:
    """Path of a library on the loader's search path. Raises OSError."""
    dlinfo = ctypes.CDLL(None).dlinfo
    dlinfo.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
    library = ctypes.CDLL(name, mode=os.RTLD_LAZY)
    try:
        entry = ctypes.POINTER(_LinkMap)()
        RTLD_DI_LINKMAP = 2
        if dlinfo(library._handle, RTLD_DI_LINKMAP, ctypes.byref(entry)) != 0:
            raise OSError(f"{name}: cannot be located")
        return os.fsdecode(entry.contents.name)
    finally:
        close(library)
