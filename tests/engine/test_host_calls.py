"""How often the service calls the host: each call takes some ten microseconds of Python, and a node has many pods."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pcnhost.bridge_engine import CUBE_METHODS
from pcnhost.engine import Engine
from pcnhost.library import Key, ServiceLibrary

pytestmark = pytest.mark.root

BUILD = Path(__file__).resolve().parents[2] / "build"
PORTS = 50
FEW = 10  # calls, however many ports there are


@pytest.fixture
def library(engine: Engine, tmp_path: Path) -> Iterator[ServiceLibrary]:
    """The service, with the cube lb1 and PORTS ports."""
    path = str(BUILD / "libpcn-k8slbrp.so")
    loaded = ServiceLibrary.open("k8slbrp", path, engine, tmp_path / "service.log", [BUILD])
    loaded.init()
    base = {"type": "TC", "loglevel": "INFO", "shadow": False, "span": False}
    cube = {"name": "lb1", **base, "port_mode": "MULTI", "ports": [port(n) for n in range(PORTS)]}
    created = loaded.call("create_k8slbrp_by_id_handler", "lb1", (), json.dumps(cube))
    assert created.tag.name == "CREATED", created.message
    try:
        yield loaded
    finally:
        loaded.call("delete_k8slbrp_by_id_handler", "lb1")
        loaded.close()


@pytest.fixture
def calls(library: ServiceLibrary, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Those of the host from now on, by name."""
    counted: Counter[str] = Counter()

    def counting(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            counted[name] += 1
            return method(*arguments)

        return call

    for name, method in list(CUBE_METHODS.items()):
        monkeypatch.setitem(CUBE_METHODS, name, counting(name, method))  # type: ignore[arg-type]
    return counted


def port(number: int) -> dict[str, str]:
    return {"name": f"p{number}", "type": "FRONTEND", "ip": f"10.10.1.{number + 1}"}


def test_adding_and_removing_a_port_asks_others_for_their_peers_twice(
    library: ServiceLibrary, calls: Counter[str]
) -> None:
    key = Key("ports_name", "STRING", f"p{PORTS}")
    added = library.call("create_k8slbrp_ports_by_id_handler", "lb1", (key,), json.dumps(port(PORTS)))
    assert added.tag.name == "CREATED", added.message
    assert calls["add_port"] == 1 and calls.total() <= 2 * PORTS + FEW, calls
    calls.clear()
    removed = library.call("delete_k8slbrp_ports_by_id_handler", "lb1", (key,))
    assert removed.tag.name == "OK", removed.message
    assert calls["remove_port"] == 1 and calls.total() <= 2 * (PORTS + 1) + FEW, calls
