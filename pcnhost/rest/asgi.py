"""The ASGI application: reads requests, has a pool of threads answer them, writes the answers.

Services block (they compile and load programs), so each request occupies a thread of the pool and not the
event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pcnhost.rest.answers import Answer
from pcnhost.rest.request import Request, segments_below_base
from pcnhost.rest.router import Router

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MAX_BODY = 1 << 20
TOO_LARGE = Answer(413, "Request exceeded maximum buffer size")


class RestApp:
    def __init__(self, router: Router, threads: int) -> None:
        self._router = router
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="rest")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        body = await _read_body(receive)
        if body is None:
            await _send(send, TOO_LARGE)
            return
        request = Request(
            method=scope["method"],
            segments=segments_below_base(scope["raw_path"].decode(errors="replace")),
            raw_query=scope["query_string"].decode(errors="replace"),
            body=body,
            has_referer=any(name == b"referer" for name, _ in scope["headers"]),
        )
        loop = asyncio.get_running_loop()
        await _send(send, await loop.run_in_executor(self._pool, self._router.answer, request))

    def close(self) -> None:
        """Wait for running requests."""
        self._pool.shutdown()


async def _read_body(receive: Receive) -> bytes | None:
    """The whole body; None when it is larger than MAX_BODY."""
    chunks = []
    size = 0
    while True:
        message = await receive()
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY:
            return None
        chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks)


async def _send(send: Send, answer: Answer) -> None:
    body = answer.body.encode()
    headers = [(name.encode(), value.encode()) for name, value in answer.headers]
    if answer.status != 204:
        headers.append((b"content-length", str(len(body)).encode()))
    if answer.content_type:
        headers.append((b"content-type", answer.content_type.encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
