"""A host without machinery: the real router over the schema of store.yang, and a record of what it asks for.

Only the two edges are stood in for: the engine (cubes and ports as plain records) and the C library."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pcnhost.errors import HostError
from pcnhost.library import ErrorTag, Key, Response
from pcnhost.rest.answers import Answer
from pcnhost.rest.request import Request, segments_below_base
from pcnhost.rest.router import Router
from pcnhost.rest.services import Services

YANG = (Path(__file__).parent / "store.yang").read_text()
OK = Response(ErrorTag.OK, "")
NO_ELEMENTS = Response(ErrorTag.OK, "[]")


@dataclass
class PlainPort:
    name: str
    uuid: str = "port-uuid"
    status: str = "DOWN"
    peer: str = ""
    path: str = "s1:p1"
    why_down: str = ""

    def set_peer(self, peer: str) -> None:
        self.peer = peer


@dataclass
class PlainCube:
    name: str
    service_name: str
    uuid: str = "cube-uuid"
    type: str = "TC"
    loglevel: str = "INFO"
    shadow: bool = False
    span: bool = False
    ports: dict[str, PlainPort] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "service-name": self.service_name}

    def set_log_level(self, level: str) -> None:
        self.loglevel = level


@dataclass
class PlainEngine:
    cubes: dict[str, PlainCube] = field(default_factory=dict)

    def destroy_cube(self, name: str) -> None:
        del self.cubes[name]

    def connect(self, peer1: str, peer2: str) -> None:
        raise HostError(f"{peer1} and {peer2} cannot be connected")

    disconnect = connect

    def restoring(self, cube: str) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def provisional(self, *names: str) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def goes_on(self, name: str) -> bool:
        return False

    def netdevs(self) -> list[dict[str, Any]]:
        return [{"name": "eth9"}]


@dataclass(frozen=True)
class Asked:
    symbol: str
    cube: str | None
    keys: tuple[Key, ...]
    body: str | None


class RecordingLibrary:
    """Answers from `answers`, else OK without text; `asked` are all the calls so far."""

    pyang_git = ""
    swagger_codegen_git = "generator"
    data_model = YANG

    def __init__(self, name: str, uri: str, engine: PlainEngine) -> None:
        self.name = name
        self.uri = uri
        self.engine = engine
        self.required: list[str] = []
        self.asked: list[Asked] = []
        self.answers: dict[str, Response] = {}
        self.dying_at = ""
        self.open = True

    def require(self, path: str, symbols: Sequence[str]) -> None:
        self.required = list(symbols)

    def init(self) -> None:
        pass

    def close(self) -> None:
        self.open = False

    def call(
        self, symbol: str, cube: str | None, keys: Sequence[Key] = (), body: str | None = None
    ) -> Response:
        self.asked.append(Asked(symbol, cube, tuple(keys), body))
        if symbol == self.dying_at:
            os._exit(9)
        if cube and symbol == "create_store_by_id_handler" and symbol not in self.answers:
            self.engine.cubes[cube] = PlainCube(cube, self.name)
            return Response(ErrorTag.CREATED, "")
        if cube and symbol == "delete_store_by_id_handler" and symbol not in self.answers:
            del self.engine.cubes[cube]
        return self.answers.get(symbol, NO_ELEMENTS if symbol.endswith("_help") else OK)

    def show(
        self, symbol: str, cube: str, keys: Sequence[Key], finish: Callable[[memoryview], bytes]
    ) -> Response | bytes:
        response = self.call(symbol, cube, keys)
        return finish(memoryview(response.message.encode())) if response.tag is ErrorTag.OK else response


class Host:
    def __init__(self, engine: PlainEngine, services: Services, router: Router) -> None:
        self.engine = engine
        self.services = services
        self.router = router

    @property
    def library(self) -> Any:
        service = self.services.get("store")
        assert service is not None
        return service.library

    def ask(self, method: str, path: str, body: str = "", *, referer: bool = False) -> Answer:
        """`path` below the base path."""
        where, _, query = f"/polycube/v1/{path}".partition("?")
        return self.router.answer(
            Request(method, segments_below_base(where), query, body.encode(), has_referer=referer)
        )

    def last(self) -> Asked:
        asked: Asked = self.library.asked[-1]
        return asked

    def answering(self, symbol: str, text: str, tag: ErrorTag = ErrorTag.OK) -> None:
        self.library.answers[symbol] = Response(tag, text)
