"""Requests to the real daemon and its answers, as recorded; see data/README.md."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).parent / "data" / "polycubed-k8slbrp.jsonl"

# The recording was made in sections; each began without cubes.
SECTIONS = {
    1: "service level",
    42: "cube",
    145: "ports, MULTI",
    274: "ports as a list, MULTI",
    297: "ports, SINGLE",
    334: "service",
    456: "service as a list",
    479: "backend",
    600: "weights, many backends",
    621: "src-ip-rewrite",
    681: "core: services, connect, topology",
    722: "only backend with weight 0",
    725: "backend with weight 65536",
    728: "cube deleted after the peer of its port was deleted",
}


@dataclass(frozen=True)
class Recorded:
    """`line` counts from 1. `status` 0 stands for a daemon that died or hung."""

    line: int
    method: str
    path: str
    body: str | None
    status: int
    response: str

    @property
    def request(self) -> str:
        return f"{self.method} {self.path}" + ("" if self.body is None else f" {self.body}")


def load() -> list[Recorded]:
    with FILE.open() as file:
        return [Recorded(line=number, **json.loads(text)) for number, text in enumerate(file, 1)]
