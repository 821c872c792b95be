"""The ASGI application: reads requests, has threads answer them, writes the answers.

A request is carried out once all of it is here, or not at all. Services block (they compile and load programs),
so each request occupies a thread and not the event loop; reads have threads of their own, so that slow writes
do not hide what is going on; large writes have one, because several at once would keep the interpreter from others;
traces have some, because each waits for its packets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any

from pcnhost.rest.admission import Admission, Scope
from pcnhost.rest.answers import Answer
from pcnhost.rest.changes import WRITES
from pcnhost.rest.pool import Overloaded, Pool
from pcnhost.rest.request import Request, segments_below_base
from pcnhost.rest.router import Router

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MAX_BODY = 1 << 20
LARGE_BODY = 64 << 10  # it takes the interpreter tens of milliseconds to read and to check
MAX_BODIES = 64 << 20  # of all requests together, from the first byte to the answer
BODY_S = 20  # for a body to arrive
HALF_CLOSED_S = 0.5  # for the turn to come of a client that has closed its side, most likely for good
READERS = 8
MOST_WAITING = 256  # for a thread, among reads and among writes
MOST_TRACES = 4  # at work; none waits

TOO_LARGE = Answer(413, "Request exceeded maximum buffer size")
TOO_SLOW = Answer(408, "The request did not arrive in time", headers=(("Connection", "close"),))
BUSY = Answer(503, "Too many requests are waiting, try again", headers=(("Retry-After", "1"),))
TRACED_OUT = Answer(
    503, f"{MOST_TRACES} traces are at work, try again when one has ended", headers=(("Retry-After", "1"),)
)
GONE = Answer(503, "The client has gone before its turn")


class Gone(Exception):
    """The client has hung up in the middle of its request."""


class RestApp:
    def __init__(self, router: Router, threads: int, admission: Admission) -> None:
        self._router = router
        self._admission = admission
        self._readers = Pool("rest-read", READERS, MOST_WAITING)
        self._writers = Pool("rest-write", threads, MOST_WAITING)
        self._large_writers = Pool("rest-large", 1, MOST_WAITING)
        self._tracers = Pool("rest-trace", MOST_TRACES, 0)
        self._bodies = Bodies()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        answer = self._admission.refusal(scope)
        if answer is None:
            with self._bodies.arrival() as arrival:
                try:
                    body = await arrival.read(receive)
                    answer = await self._answer(scope, body, receive) if body is not None else TOO_LARGE
                except Gone:
                    return
                except TimeoutError:
                    answer = TOO_SLOW
                except Overloaded:
                    answer = BUSY
        await _send(send, answer)

    async def _answer(self, scope: Scope, body: bytes, receive: Receive) -> Answer:
        request = Request(
            method=scope["method"],
            segments=segments_below_base(scope["raw_path"].decode(errors="replace")),
            raw_query=scope["query_string"].decode(errors="replace"),
            body=body,
            has_referer=any(name == b"referer" for name, _ in scope["headers"]),
            client=_client(scope),
        )
        pool = self._pool(request)
        if pool is self._tracers and len(body) > LARGE_BODY:
            return TOO_LARGE
        try:
            job = pool.submit(partial(self._router.answer, request))
        except Overloaded:
            return TRACED_OUT if pool is self._tracers else BUSY
        answering: asyncio.Future[Answer] = asyncio.wrap_future(job)
        # The body is complete: whatever comes now says that the client has closed the connection or its side.
        hanging_up: asyncio.Future[Any] = asyncio.ensure_future(receive())
        try:
            both: tuple[asyncio.Future[Any], ...] = (answering, hanging_up)
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done() and hanging_up.result()["type"] != "http.disconnect":
                await asyncio.wait((answering,), timeout=HALF_CLOSED_S)
            if not answering.done() and job.cancel():
                return GONE
            return await answering
        except asyncio.CancelledError:
            return BUSY  # the host ends
        finally:
            hanging_up.cancel()

    def _pool(self, request: Request) -> Pool:
        if request.method not in WRITES:
            return self._readers
        if request.method == "POST" and request.segments and request.segments[0] == "trace":
            return self._tracers
        return self._large_writers if len(request.body) > LARGE_BODY else self._writers

    def close(self, timeout: float = 5) -> bool:
        """Drop waiting requests, wait for running ones. Returns whether all have ended in time."""
        all_ended = True
        for pool in (self._writers, self._large_writers, self._readers, self._tracers):
            all_ended = pool.close(timeout if all_ended else 0) and all_ended
        return all_ended


class Bodies:
    """All bodies in memory. When they are too many, the one that has been arriving for longest is given up."""

    def __init__(self) -> None:
        self.size = 0
        self.arriving: dict[asyncio.Timeout, None] = {}

    def arrival(self) -> Arrival:
        return Arrival(self)

    def make_room(self, own: asyncio.Timeout) -> None:
        """Raises Overloaded when only whole requests are left, which wait for their answers."""
        oldest = next(iter(self.arriving))
        if oldest is own:
            raise Overloaded
        del self.arriving[oldest]
        oldest.reschedule(asyncio.get_running_loop().time())


class Arrival:
    """One body, as long as it takes memory."""

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self._size = 0

    def __enter__(self) -> Arrival:
        return self

    def __exit__(self, *_: object) -> None:
        self._bodies.size -= self._size

    async def read(self, receive: Receive) -> bytes | None:
        """The whole body; None when it is larger than MAX_BODY. Raises Gone, TimeoutError, Overloaded."""
        chunks = []
        async with asyncio.timeout(BODY_S) as limit:
            self._bodies.arriving[limit] = None
            try:
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Gone
                    chunk = message.get("body", b"")
                    if self._size + len(chunk) > MAX_BODY:
                        return None
                    chunks.append(chunk)
                    self._size += len(chunk)
                    self._bodies.size += len(chunk)
                    if not message.get("more_body"):
                        return b"".join(chunks)
                    if self._bodies.size > MAX_BODIES:
                        self._bodies.make_room(limit)
            finally:
                self._bodies.arriving.pop(limit, None)


def _client(scope: Scope) -> str:
    client = scope.get("client")
    return f"{client[0]}:{client[1]}" if client else "unix"


async def _send(send: Send, answer: Answer) -> None:
    body = answer.data
    headers = [(name.lower().encode(), value.encode()) for name, value in answer.headers]
    if answer.status != 204:
        headers.append((b"content-length", str(len(body)).encode()))
    if answer.content_type:
        headers.append((b"content-type", answer.content_type.encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
