"""The bounds of a connection: how large a request's head may be, how long it may take, how many there are.

h11 reads one request at a time, and no more than MAX_HEAD bytes of a head (or of a chunk's frame)."""

from __future__ import annotations

import asyncio
import http
import logging
import resource
import sys
import time
import typing
from collections import OrderedDict
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from pcnhost.rest.tls import ClientFilter

MAX_HEAD = 64 << 10  # of request line and headers
MAX_READ = 4 << 10  # bytes at a time, so that the turn of the others comes soon; asyncio takes 256 KiB
HEAD_S = 10  # for a head to arrive, and for the rest of a body that nobody wants
MAX_CONNECTIONS = 512
GRACE_S = 0.5  # for a client to say what it wants, and for the host to read it: so long it need not make room
PAUSE_S = 0.02  # before looking for room again
MAX_UNREAD = 64 << 20  # of all answers together that wait for their clients to take them
UNREAD_S = 20  # for a client to take at least some of its answer


class Connection(typing.Protocol):
    def abort(self) -> None:
        """Close it at once."""


class Connections:
    """All open connections. When there are too many, the one goes on which nothing has been said for longest; if there
    is none, the one that has been open for longest without a whole request; else the one that has been idle for
    longest. So whoever opens connections only to keep others out meets himself."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._silent: OrderedDict[Connection, float] = OrderedDict()
        self._new: OrderedDict[Connection, float] = OrderedDict()
        self._idle: OrderedDict[Connection, float] = OrderedDict()
        self._busy: set[Connection] = set()

    def __len__(self) -> int:
        return len(self._silent) + len(self._new) + len(self._idle) + len(self._busy)

    def make_room(self) -> float:
        """For one more. Returns for how many seconds it has to wait, because the others have only just come or are
        being served; 0 when there is room."""
        if len(self) < self._most:
            return 0
        latest = time.monotonic() - GRACE_S
        for crowd in [crowd for crowd in (self._silent, self._new) if crowd] or [self._idle]:
            if crowd and next(iter(crowd.values())) <= latest:
                crowd.popitem(last=False)[0].abort()
                return 0
        return PAUSE_S

    def hang_up_on_silent(self) -> None:
        while self._silent:
            self._silent.popitem()[0].abort()

    def silent(self, connection: Connection) -> None:
        self._silent[connection] = time.monotonic()

    def new(self, connection: Connection) -> None:
        if connection not in self._new:
            self.remove(connection)
            self._new[connection] = time.monotonic()

    def busy(self, connection: Connection) -> None:
        self.remove(connection)
        self._busy.add(connection)

    def idle(self, connection: Connection) -> None:
        self.remove(connection)
        self._idle[connection] = time.monotonic()

    def remove(self, connection: Connection) -> None:
        self._silent.pop(connection, None)
        self._new.pop(connection, None)
        self._idle.pop(connection, None)
        self._busy.discard(connection)


class Unread:
    """The connections whose clients do not take their answers as fast as they come. When too much waits for them, the
    one goes that has been waiting for longest."""

    def __init__(self) -> None:
        self._connections: OrderedDict[Protocol, None] = OrderedDict()

    def add(self, connection: Protocol) -> None:
        self._connections[connection] = None
        while len(self._connections) > 1 and sum(map(Protocol.unread_bytes, self._connections)) > MAX_UNREAD:
            self._connections.popitem(last=False)[0].transport.abort()

    def remove(self, connection: Protocol) -> None:
        self._connections.pop(connection, None)


def most_connections() -> int:
    """Maps of cubes need descriptors, too."""
    return min(MAX_CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 3)


class _Connection(h11.Connection):
    """What is sent comes as views: asyncio slices off what the socket has taken, and a slice of bytes is a copy."""

    def send(self, event: h11.Event) -> Any:
        data = super().send(event)
        return memoryview(data) if data else data


class Protocol(H11Protocol):
    """One connection. `crowd`, `unread` and `filter` are set before the server starts; the filter hangs up on clients
    with an unwanted certificate before anything of them is read."""

    crowd: Connections
    unread: Unread
    filter: ClientFilter | None = None
    _deadline: asyncio.TimerHandle | None = None
    _progress: asyncio.TimerHandle | None = None
    _half_closed = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.conn = _Connection(h11.SERVER, MAX_HEAD)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.max_size = MAX_READ  # type: ignore[attr-defined]
        if self.filter and not self.filter.admits(_certificate(transport)):
            transport.abort()
        else:
            # Something has been said, and is about to be read; with TLS, that was the handshake.
            (self.crowd.new if self.scheme == "https" else self.crowd.busy)(self)
            self._deadline = self.loop.call_later(HEAD_S, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        self.crowd.remove(self)
        self._stop_clock()
        self._answer_is_taken()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def abort(self) -> None:
        self.transport.abort()

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """A client that closes its side after a whole request gets its answer, if its turn has come.

        asyncio's TLS cannot close one side only."""
        cycle = self.cycle
        if self.scheme == "https" or cycle is None or cycle.more_body or cycle.response_complete:
            return None
        self._half_closed = True
        cycle.message_event.set()
        return True

    def handle_events(self) -> None:
        super().handle_events()
        if self.transport.is_closing():
            return
        state = self.conn.their_state
        if state is h11.IDLE and self.conn.trailing_data[0]:
            self._start_clock()
        elif state is h11.SEND_BODY and self.conn.our_state is h11.DONE:
            self._start_clock()  # of a body that is not read any more
        else:
            self._stop_clock()
        if self.cycle is None or self.cycle.more_body:
            self.crowd.new(self)
        elif not self.cycle.response_complete:
            self.crowd.busy(self)

    def on_response_complete(self) -> None:
        self.crowd.idle(self)
        finished = self.cycle
        super().on_response_complete()
        if self._half_closed and self.cycle is finished:
            self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self.unread.add(self)
        self._watch_progress()

    def resume_writing(self) -> None:
        self._answer_is_taken()
        super().resume_writing()

    def unread_bytes(self) -> int:
        return self.transport.get_write_buffer_size()

    def send_400_response(self, msg: str) -> None:
        """Called while h11's error is being handled, which knows the right status."""
        error = sys.exception()
        status = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        self.refuse(status, "The head of the request is too large" if status == 431 else msg)

    def refuse(self, status: int, text: str) -> None:
        """Answer what is no request, and hang up; only hang up when an answer is under way."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            headers = [("content-length", str(len(text))), ("connection", "close")]
            reason = http.HTTPStatus(status).phrase.encode()
            response = h11.Response(status_code=status, headers=headers, reason=reason)
            for event in (response, h11.Data(data=text.encode()), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _start_clock(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_S, self._too_slow)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _watch_progress(self) -> None:
        self._progress = self.loop.call_later(UNREAD_S, self._check_progress, self.unread_bytes())

    def _check_progress(self, before: int) -> None:
        if self.unread_bytes() < before:
            self._watch_progress()
        else:
            self.transport.abort()

    def _answer_is_taken(self) -> None:
        self.unread.remove(self)
        if self._progress is not None:
            self._progress.cancel()
            self._progress = None

    def _too_slow(self) -> None:
        if self.conn.trailing_data[0] and self.conn.our_state is h11.IDLE:
            self.refuse(408, "The request did not arrive in time")
        else:
            self.transport.close()


def _certificate(transport: asyncio.Transport) -> bytes | None:
    certificate: bytes | None = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
    return certificate


class OncePerSecond(logging.Filter):
    """Lets one record of a kind pass each second: what clients can cause must not fill the disk."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        kind = str(record.msg)[:40]
        if record.created - self._last.get(kind, 0) < 1:
            return False
        if len(self._last) > 100:
            self._last.clear()
        self._last[kind] = record.created
        return True
