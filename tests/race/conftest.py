"""A host with one cube whose ports lead to the checking program; made anew for each hook."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from bench import host as bench_host
from bench.host import Host
from pcnhost.engine.source import Hook
from testbed.lab import Lab
from tests.race.racers import Track, track


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with Lab() as lab, bench_host.running(lab) as running:
        yield running


@pytest.fixture(params=list(Hook), ids=lambda hook: hook.name)
def hook(request: pytest.FixtureRequest) -> Hook:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def on_track(host: Host, hook: Hook) -> Iterator[Callable[[int], Track]]:
    """A function that makes the cube `race`, with so many sessions, and two clients' ports."""
    tracks = []

    def make(max_sessions: int) -> Track:
        options = {"type": "TC" if hook is Hook.TC else "XDP_SKB", "max-sessions": max_sessions}
        host.api.post("k8slbrp/race", options)
        host.api.post("k8slbrp/race/ports/servers", {"type": "BACKEND"})
        for number in (1, 2):
            port = {"type": "FRONTEND", "ip": f"10.10.1.{number}"}
            host.api.post(f"k8slbrp/race/ports/client{number}", port)
        manager = track(host, "race", hook)
        tracks.append(manager)
        return manager.__enter__()

    yield make
    for manager in tracks:
        manager.__exit__(None, None, None)
    host.api.delete("k8slbrp/race")
