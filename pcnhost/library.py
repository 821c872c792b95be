"""A service: a shared library with the C ABI of a Polycube service, driven through the bridge."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pcnhost import bridge_dlopen, librarypath
from pcnhost.bridge import KeyRecord, KeyValue, bridge
from pcnhost.bridge_engine import EngineCalls

if TYPE_CHECKING:
    from pcnhost.engine import Engine


T = TypeVar("T")


class LibraryError(Exception):
    """A library is not a service that this host can run; the text says why."""


class ErrorTag(IntEnum):
    OK = 0
    CREATED = 1
    NO_CONTENT = 2
    BAD_REQUEST = 3
    GENERIC_ERROR = 4
    INVALID_VALUE = 5
    MISSING_ATTRIBUTE = 6
    MISSING_ELEMENT = 7
    BAD_ATTRIBUTE = 8
    BAD_ELEMENT = 9
    DATA_EXISTS = 10
    DATA_MISSING = 11
    OPERATION_NOT_SUPPORTED = 12
    UNPARSABLE_CHOICE = 13


# Types of list keys, by their numbers in C. Each but DECIMAL, a text, has a union member of its name.
KEY_TYPES = (
    *("BOOLEAN", "STRING", "INT8", "INT16", "INT32", "INT64"),
    *("UINT8", "UINT16", "UINT32", "UINT64", "DECIMAL"),
)


@dataclass(frozen=True)
class Key:
    """One list key of a call: name, one of KEY_TYPES, value of that type. Integers are cut to their width."""

    name: str
    type: str
    value: str | int | bool


@dataclass(frozen=True)
class Response:
    tag: ErrorTag
    message: str

    @classmethod
    def of(cls, tag: int, text: memoryview) -> Response:
        message = str(text, errors="replace")
        try:
            return cls(ErrorTag(tag), message)
        except ValueError:
            return cls(ErrorTag.GENERIC_ERROR, message)


class ServiceLibrary:
    """A loaded service library. Its methods may be called from any thread, several at once."""

    def __init__(self, name: str, uri: str, engine: Engine, logfile: Path, trusted: Sequence[Path]) -> None:
        """Load a library and ask for its data model. Use `open`."""
        self.name = name
        self.uri = uri
        self._logfile = logfile
        self._state = threading.Condition()
        self._running = 0
        self._closed = False
        try:
            self._bridge = bridge()
            with bridge_dlopen.in_memory(uri, librarypath.read(uri, trusted)) as fd:
                bridge_dlopen.try_out(self._bridge.path, fd)
                self._library = bridge_dlopen.dlopen(uri, fd)
        except OSError as e:
            raise LibraryError(f"Cannot load service implementation {uri}: {e}") from None
        try:
            self.data_model = self._constant("data_model")
            self.pyang_git = self._constant("pyang_git")
            self.swagger_codegen_git = self._constant("swagger_codegen_git")
        except LibraryError:
            bridge_dlopen.close(self._library)
            raise
        calls = EngineCalls(self._bridge, engine, name)
        # Kept for ever, like the factory itself: a thread of the service may be inside a call at any time.
        _calls_in_use.append(calls)
        self._factory = self._bridge.attach(calls.table)
        _open_libraries.add(self)

    @classmethod
    def open(
        cls, name: str, uri: str, engine: Engine, logfile: Path, trusted: Sequence[Path] = ()
    ) -> ServiceLibrary:
        """Load the library `uri` (an absolute path) as service `name`.

        It belongs to root or is below one of the directories `trusted` (see librarypath). Its cubes will live in
        `engine` and log to `logfile`. Raises LibraryError."""
        return cls(name, uri, engine, logfile, trusted)

    def require(self, path: str, symbols: Iterable[str]) -> None:
        """Check that the library exports all the symbols; LibraryError tells the first that is missing."""
        with self._in_use():
            for symbol in symbols:
                self._address(symbol, path)

    def init(self) -> None:
        """Hand the service its host. Once, before any `call`. Raises LibraryError."""
        with self._in_use():
            if error := self._bridge.init(self._address("init"), self._factory, str(self._logfile)):
                raise LibraryError(f"init of {self.uri} failed: {error}")

    def call(
        self, symbol: str, cube: str | None, keys: Sequence[Key] = (), body: str | None = None
    ) -> Response:
        """Run the handler `symbol`, of the kind that takes a body when one is given.

        A C++ exception answers like the real daemon: GENERIC_ERROR with its text. Raises LibraryError when
        there is no such symbol or the library is closed."""
        return self._call(symbol, cube, keys, body, Response.of)

    def show(
        self, symbol: str, cube: str, keys: Sequence[Key], finish: Callable[[memoryview], bytes]
    ) -> Response | bytes:
        """Run the handler `symbol`, which reads: what `finish` makes of its text, or its failure.

        A text may have megabytes, so `finish` gets it where the service has written it, and must not keep it."""

        def take(tag: int, text: memoryview) -> Response | bytes:
            return finish(text) if tag == ErrorTag.OK else Response.of(tag, text)

        return self._call(symbol, cube, keys, None, take)

    def _call(
        self,
        symbol: str,
        cube: str | None,
        keys: Sequence[Key],
        body: str | None,
        take: Callable[[int, memoryview], T],
    ) -> T:
        records = (KeyRecord * len(keys))(*map(_record, keys)) if keys else None
        with self._in_use():
            return self._bridge.invoke(self._address(symbol), cube, records, body, take)

    def close(self) -> None:
        """Unload the library, once the running calls have returned.

        Cubes that were not deleted before stay in the engine, without a service: their packets flow, their
        events are dropped."""
        with self._state:
            if self._closed:
                return
            self._closed = True
            self._state.wait_for(lambda: self._running == 0)
        _open_libraries.discard(self)
        self._bridge.detach(self._factory)
        bridge_dlopen.close(self._library)

    def cut_off(self) -> None:
        """End all traffic between the library and Python, for the end of the process."""
        self._bridge.stop_logging()
        self._bridge.detach(self._factory)

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        with self._state:
            if self._closed:
                raise LibraryError(f"service {self.name} is not loaded any more")
            self._running += 1
        try:
            yield
        finally:
            with self._state:
                self._running -= 1
                self._state.notify_all()

    def _address(self, symbol: str, path: str | None = None) -> int:
        address = bridge_dlopen.symbol_address(self._library, symbol)
        if address is None:
            raise LibraryError(f"{path or self.uri}: undefined symbol: {symbol}")
        return address

    def _constant(self, symbol: str) -> str:
        """The text that the function `symbol` returns."""
        text, error = self._bridge.constant(self._address(symbol))
        if error is not None:
            raise LibraryError(f"{self.uri}: {symbol}() failed: {error}")
        if text is None:
            raise LibraryError(f"{self.uri}: {symbol}() returned NULL")
        return text


def _record(key: Key) -> KeyRecord:
    value = KeyValue()
    if isinstance(key.value, str):
        value.string = key.value.encode(errors="surrogatepass")
    else:
        setattr(value, key.type.lower(), key.value)
    return KeyRecord(key.name.encode(), KEY_TYPES.index(key.type), value)


_calls_in_use: list[EngineCalls] = []
_open_libraries: set[ServiceLibrary] = set()


@atexit.register
def _cut_off_all() -> None:
    """Destructors of a service's static objects run after the interpreter is gone: they must not call it."""
    for library in list(_open_libraries):
        library.cut_off()
