"""Traces wait for their packets in threads of their own: requests that change something do not wait for them."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from pcnhost.rest.asgi import MOST_TRACES
from testbed.api import Api, ApiError
from testbed.host import SERVICE_LIBRARY, start_host
from testbed.lab import Lab
from tests.rest.conftest import OwnHost
from tests.rest.rawhttp import ask, connection, head, statuses

pytestmark = pytest.mark.root

CLOSE = "Connection: close"
DROPPED = b'{"dropped": true, "seconds": 60}'


def test_changes_go_on_while_traces_are_at_work(tmp_path: Path) -> None:
    """There are as many as there may be, and as many as there are threads for changes."""
    with Lab() as lab, ExitStack() as stack:
        options = ("--service", f"k8slbrp={SERVICE_LIBRARY}", "--threads", str(MOST_TRACES))
        api, process = start_host(lab, None, *options, log=tmp_path / "log")
        authority = api.url.split("/")[2]
        cubes = [f"c{number}" for number in range(MOST_TRACES + 1)]
        for cube in cubes:
            api.post(f"k8slbrp/{cube}")
        tracing = [stack.enter_context(connection(authority, 90)) for _ in range(MOST_TRACES)]
        for sock, cube in zip(tracing, cubes, strict=False):
            sock.sendall(head("POST", f"trace/{cube}", f"Content-Length: {len(DROPPED)}", CLOSE) + DROPPED)
        end = time.monotonic() + 60
        while not all(_is_traced(api, cube) for cube in cubes[:MOST_TRACES]):
            assert time.monotonic() < end
            time.sleep(0.1)
        start = time.monotonic()
        api.post("k8slbrp/c0/service/10.96.0.1/80/TCP", {"name": "web"})
        assert time.monotonic() - start < 5
        with pytest.raises(
            ApiError, match=f"503: {MOST_TRACES} traces are at work, try again when one has ended"
        ):
            api.post(f"trace/{cubes[-1]}", {"dropped": True, "seconds": 1})
        process.terminate()
        assert process.wait(30) == 0  # they do not hold up the end


def test_what_to_trace_is_said_in_few_words(own_host: OwnHost) -> None:
    body = b" " * (64 << 10) + DROPPED
    answer = ask(own_host.authority, head("POST", "trace/none", f"Content-Length: {len(body)}", CLOSE), body)
    assert statuses(answer) == [413]


def _is_traced(api: Api, cube: str) -> bool:
    return bool(api.get(f"trace/{cube}")["tracing"])
