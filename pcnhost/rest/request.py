"""What a handler gets to know about an HTTP request."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

BASE = ("polycube", "v1")
BASE_PATH = "/" + "/".join(BASE)


@dataclass(frozen=True, slots=True)
class Request:
    """`segments` are the non-empty parts of the path below the base, not decoded; None outside the base."""

    method: str
    segments: tuple[str, ...] | None
    raw_query: str = ""
    body: bytes = b""
    has_referer: bool = False
    client: str = ""  # who asks: an address and port, or "unix"; empty: the host itself
    arrived: float = field(default_factory=time.monotonic, compare=False)
    query: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "query", _split_query(self.raw_query) if self.raw_query else {})


def segments_below_base(path: str) -> tuple[str, ...] | None:
    """Repeated and trailing slashes do not count."""
    parts = tuple(part for part in path.split("/") if part)
    return parts[len(BASE) :] if parts[: len(BASE)] == BASE else None


def query_pairs(raw_query: str) -> list[tuple[str, str]]:
    """(name, value) of each parameter as written; a parameter without `=` has the value ""."""
    pairs = []
    for item in raw_query.split("&"):
        if item:
            name, _, value = item.partition("=")
            pairs.append((name, value))
    return pairs


def _split_query(raw_query: str) -> dict[str, str]:
    return {unquote_plus(name): unquote_plus(value) for name, value in query_pairs(raw_query)}
