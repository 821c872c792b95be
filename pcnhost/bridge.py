"""The C side of the host, `libpcnhost.so` (see sdk/host/exports.cpp and sdk/host/host.h), as ctypes sees it.

Texts cross this border as UTF-8. ctypes lets go of the interpreter lock around every call into C and takes it
around every call back, so handlers and events run on as many threads as there are callers.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from ctypes import POINTER, c_bool, c_char_p, c_int, c_size_t, c_uint64, c_void_p
from pathlib import Path
from typing import TypeVar

from pcnhost import logs

T = TypeVar("T")

BRIDGE_NAME = "libpcnhost.so"
BRIDGE_VARIABLE = "PCNHOST_BRIDGE"  # environment: path of the bridge library, before all other places


class KeyValue(ctypes.Union):
    _fields_ = (
        ("boolean", c_bool),
        ("string", c_char_p),
        ("int8", ctypes.c_int8),
        ("int16", ctypes.c_int16),
        ("int32", ctypes.c_int32),
        ("int64", ctypes.c_int64),
        ("uint8", ctypes.c_uint8),
        ("uint16", ctypes.c_uint16),
        ("uint32", ctypes.c_uint32),
        ("uint64", ctypes.c_uint64),
    )


class KeyRecord(ctypes.Structure):
    """`Key` of shared_lib_elements.h."""

    _fields_ = (("name", c_char_p), ("type", c_int), ("value", KeyValue))


class ResponseRecord(ctypes.Structure):
    """`Response` of response.h; the message is to be given to free()."""

    _fields_ = (("tag", c_int), ("message", c_void_p))


CallFunction = ctypes.CFUNCTYPE(c_int, c_uint64, c_char_p, c_char_p, c_void_p)
TableFdFunction = ctypes.CFUNCTYPE(c_int, c_uint64, c_char_p, c_int, c_int)
LogFunction = ctypes.CFUNCTYPE(None, c_char_p, c_int, c_void_p, c_size_t)
SendPacketFunction = ctypes.CFUNCTYPE(c_int, c_uint64, c_char_p, c_void_p, c_size_t, c_int, c_void_p)


class HostCalls(ctypes.Structure):
    """`HostCalls` of host.h."""

    _fields_ = (("call", CallFunction), ("table_fd", TableFdFunction), ("send_packet", SendPacketFunction))


class Bridge:
    """The functions of the loaded bridge. Those of type `str | None` give the text of an exception."""

    def __init__(self, path: str) -> None:
        self.path = path
        # For all to see: services find their undefined bpf_* symbols in it and in the libbpf that it needs.
        self._lib = lib = ctypes.CDLL(path, mode=os.RTLD_NOW | os.RTLD_GLOBAL)
        self._free = ctypes.CDLL(None).free
        self._free.argtypes, self._free.restype = (c_void_p,), None
        self._strlen = ctypes.CDLL(None).strlen
        self._strlen.argtypes, self._strlen.restype = (c_void_p,), c_size_t
        for name, result, arguments in (
            ("set_log", None, (LogFunction,)),
            ("attach", c_void_p, (POINTER(HostCalls),)),
            ("detach", None, (c_void_p,)),
            ("constant", c_void_p, (c_void_p, POINTER(c_char_p))),
            ("init", c_void_p, (c_void_p, c_void_p, c_char_p)),
            ("invoke", ResponseRecord, (c_void_p, c_char_p, POINTER(KeyRecord), c_size_t, c_char_p)),
            ("reply", None, (c_void_p, c_char_p, c_size_t)),
            ("packet_in", c_void_p, (c_uint64, c_char_p, c_char_p, c_size_t)),
            ("log_message", c_void_p, (c_uint64, c_char_p)),
            ("log_level", c_void_p, (c_uint64, c_char_p)),
        ):
            function = getattr(lib, f"pcnhost_{name}")
            function.restype, function.argtypes = result, arguments
        self._log = LogFunction(_log)
        lib.pcnhost_set_log(self._log)

    def stop_logging(self) -> None:
        """What services log from here on is lost: for the end of the process."""
        self._lib.pcnhost_set_log(LogFunction())

    def attach(self, calls: HostCalls) -> int:
        """Make a CubeFactory over the calls and return its address."""
        factory: int = self._lib.pcnhost_attach(ctypes.byref(calls))
        return factory

    def detach(self, factory: int) -> None:
        """Close a factory: waits for the running events, drops later ones, lets calls of the service fail."""
        self._lib.pcnhost_detach(factory)

    def init(self, function: int, factory: int, logfile: str) -> str | None:
        return self._text(self._lib.pcnhost_init(function, factory, os.fsencode(logfile)))

    def constant(self, function: int) -> tuple[str | None, str | None]:
        """The text that a function without arguments returns, and that of its exception."""
        text = c_char_p()
        error = self._text(self._lib.pcnhost_constant(function, ctypes.byref(text)))
        return None if text.value is None else text.value.decode(errors="replace"), error

    def invoke(
        self,
        function: int,
        cube: str | None,
        keys: ctypes.Array[KeyRecord] | None,
        body: str | None,
        take: Callable[[int, memoryview], T],
    ) -> T:
        """Run a handler, with a body or without; returns what `take` makes of its error tag and message.

        The message is where the service has written it, and gone when `take` returns: no view of it may be kept."""
        record = self._lib.pcnhost_invoke(
            function, _encoded(cube), keys, 0 if keys is None else len(keys), _encoded(body)
        )
        if not record.message:
            return take(record.tag, memoryview(b""))
        try:
            with _memory(record.message, self._strlen(record.message), _READ_ONLY) as text:
                return take(record.tag, text)
        finally:
            self._free(record.message)

    def reply(self, reply: int, text: str) -> None:
        data = text.encode(errors="replace")
        self._lib.pcnhost_reply(reply, data, len(data))

    def packet_in(self, events: int, metadata: bytes, packet: bytes) -> str | None:
        return self._text(self._lib.pcnhost_packet_in(events, metadata, packet, len(packet)))

    def log_message(self, events: int, record: bytes) -> str | None:
        return self._text(self._lib.pcnhost_log_message(events, record))

    def log_level(self, events: int, level: str) -> str | None:
        return self._text(self._lib.pcnhost_log_level(events, level.encode()))

    def _text(self, pointer: int | None) -> str | None:
        if not pointer:
            return None
        text = ctypes.string_at(pointer).decode(errors="replace")
        self._free(pointer)
        return text


def _log(name: bytes, level: int, text: int, length: int) -> None:
    logs.cube_says(
        name.decode(errors="replace"), level, ctypes.string_at(text, length).decode(errors="replace")
    )


_memory = ctypes.pythonapi.PyMemoryView_FromMemory
_memory.restype, _memory.argtypes = ctypes.py_object, (c_void_p, ctypes.c_ssize_t, c_int)
_READ_ONLY = 0x100  # PyBUF_READ


def _encoded(text: str | None) -> bytes | None:
    return None if text is None else text.encode(errors="surrogatepass")


_bridge: Bridge | None = None
_bridge_lock = threading.Lock()


def bridge() -> Bridge:
    """The bridge of this process, loaded at the first call. Raises OSError.

    Looked for in $PCNHOST_BRIDGE, beside this file, in build/ of a source tree, then by the system's loader:
    nowhere a request could name."""
    global _bridge
    with _bridge_lock:
        if _bridge is None:
            _bridge = Bridge(_bridge_path())
        return _bridge


def _bridge_path() -> str:
    if named := os.environ.get(BRIDGE_VARIABLE):
        return named
    own = Path(__file__).parent
    for directory in (own, own.parent / "build"):
        candidate = directory / BRIDGE_NAME
        if candidate.is_file():
            return str(candidate.absolute())
    return BRIDGE_NAME
