from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pcnhost.library import Key, Response, ServiceLibrary
from tests.unit.sdk.map_engine import MapEngine

DEFAULTS = {"type": "TC", "loglevel": "INFO", "shadow": False, "span": False, "step": 1}


class CounterService:
    """The counter service, called as the REST side would."""

    def __init__(self, directory: Path, logfile: Path, engine: Any = None) -> None:
        self.engine = engine or MapEngine()
        self.logfile = logfile
        self.library = ServiceLibrary.open(
            "counter", str(directory / "libpcn-counter.so"), self.engine, logfile, [directory]
        )
        self.library.init()

    def create(self, name: str, **conf: Any) -> Any:
        response = self.write("create_counter", name, {"name": name, **DEFAULTS, **conf})
        assert (response.tag.name, response.message) == ("CREATED", "")
        return self.engine.cubes[name]  # of a MapEngine: MapCube

    def write(self, symbol: str, cube: str, body: Any, *keys: Key) -> Response:
        return self.library.call(f"{symbol}_by_id_handler", cube, keys, json.dumps(body))

    def read(self, symbol: str, cube: str, *keys: Key) -> Response:
        return self.library.call(f"{symbol}_by_id_handler", cube, keys)

    def value(self, symbol: str, cube: str, *keys: Key) -> Any:
        response = self.read(symbol, cube, *keys)
        assert response.tag.name == "OK", response.message
        return json.loads(response.message)

    def delete(self, cube: str) -> None:
        assert self.read("delete_counter", cube).tag.name == "OK"

    def close(self) -> None:
        self.library.close()
        self.engine.close()


@pytest.fixture
def counter(test_services: Path, tmp_path: Path) -> Iterator[CounterService]:
    service = CounterService(test_services, tmp_path / "service.log")
    try:
        yield service
    finally:
        service.close()
