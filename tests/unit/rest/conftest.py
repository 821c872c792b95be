from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codegen import schema
from pcnhost.rest import services as services_module
from pcnhost.rest.daemon import NAMES, Daemon
from pcnhost.rest.router import Router
from pcnhost.rest.services import Services
from pcnhost.rest.writes import Writes
from tests.unit.rest.store_host import YANG, Host, PlainCube, PlainEngine, PlainPort, RecordingLibrary


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host with the service `store` and its cube `s1`."""

    class Opener:
        @staticmethod
        def open(name: str, uri: str, engine: Any, logfile: Path, trusted: Any) -> RecordingLibrary:
            return RecordingLibrary(name, uri, engine)

    monkeypatch.setattr(services_module, "ServiceLibrary", Opener)
    engine: Any = PlainEngine()
    writes = Writes()
    services = Services(engine, Path("/dev/null"), "host:1", NAMES)
    daemon = Daemon(engine, services, "host:1", writes)
    host = Host(engine, services, Router(engine, services, daemon, writes))
    services.load("store", "libpcn-store.so")
    engine.cubes["s1"] = PlainCube("s1", "store", ports={"p1": PlainPort("p1")})
    return host


@pytest.fixture(scope="session")
def node() -> Callable[[str], schema.Node]:
    """Find a node of the model by its path, like `box/content`."""
    module = schema.load(YANG)

    def find(path: str) -> schema.Node:
        first, *rest = path.split("/")
        found = next(child for child in module.children if child.name == first)
        for name in rest:
            found = found.child(name)
        return found

    return find
