"""What the stats of a cube tell between two moments."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pcnhost.ctl.client import Client
from pcnhost.ctl.views import fetch

COUNTERS = ("new-sessions", "packets-in", "packets-out", "bytes-in", "bytes-out")
SIDES = ("frontend", "backend")


@dataclass(frozen=True)
class Sample:
    """What the host has told at `moment` (monotonic seconds)."""

    moment: float
    cube: Mapping[str, Any]
    services: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Row:
    """A service or a backend: what it does each second, None where the host does not tell."""

    address: str
    name: str
    active: int | None
    rates: Mapping[str, float | None]
    backends: Sequence[Row] = ()

    def value(self, column: str) -> float:
        """To sort by."""
        found = self.active if column == "active" else self.rates.get(column)
        return -1.0 if found is None else float(found)


@dataclass(frozen=True)
class Table:
    name: str
    entries: int
    limit: int
    evictions: float | None

    @property
    def fill(self) -> float:
        return self.entries / self.limit if self.limit else 0.0


@dataclass(frozen=True)
class Picture:
    """A cube between two samples. `totals` are rates of the whole cube, `drops` and `punts` each reason's rate and its
    sum since the cube was made."""

    seconds: float
    totals: Mapping[str, float | None]
    drops: Mapping[str, tuple[float, int]]
    punts: Mapping[str, tuple[float, int]]
    sessions: Mapping[str, Mapping[str, int]]
    tables: Sequence[Table]
    services: Sequence[Row] = field(default=())

    @property
    def active(self) -> int:
        return sum(sum(states.values()) for states in self.sessions.values())


def sample(client: Client, service: str, cube: str) -> Sample:
    """Raises NotAnswered, Unreachable."""
    told = fetch.get(client, service, cube, "stats") or {}
    services = fetch.get(client, service, cube, "stats", "service") or []
    return Sample(time.monotonic(), told, [one for one in services if isinstance(one, dict)])


def between(old: Sample, new: Sample) -> Picture:
    seconds = max(new.moment - old.moment, 0.001)
    before = {_key(service): service for service in old.services}
    return Picture(
        seconds=seconds,
        totals=dict(_totals(old.cube, new.cube, seconds)),
        drops=_reasons(old.cube, new.cube, "drops", seconds),
        punts=_reasons(old.cube, new.cube, "punts", seconds),
        sessions={
            protocol: states
            for protocol, states in new.cube.get("sessions", {}).items()
            if isinstance(states, dict)
        },
        tables=list(_tables(old.cube, new.cube, seconds)),
        services=[_service(before.get(_key(service), {}), service, seconds) for service in new.services],
    )


def _rate(old: Mapping[str, Any], new: Mapping[str, Any], leaf: str, seconds: float) -> float | None:
    """What is new since the last sample has started from 0."""
    if not isinstance(new.get(leaf), int):
        return None
    return float(max(0, new[leaf] - old.get(leaf, 0)) / seconds)


def _totals(
    old: Mapping[str, Any], new: Mapping[str, Any], seconds: float
) -> Iterator[tuple[str, float | None]]:
    for leaf in ("new-sessions", "rejected"):
        yield leaf, _rate(old, new, leaf, seconds)
    for side in SIDES:
        for unit in ("packets", "bytes"):
            leaf = f"translated-{unit}"
            yield f"{side}-{unit}", _rate(old.get(side, {}), new.get(side, {}), leaf, seconds)


def _reasons(
    old: Mapping[str, Any], new: Mapping[str, Any], what: str, seconds: float
) -> dict[str, tuple[float, int]]:
    before, now = old.get(what, {}), new.get(what, {})
    return {
        reason: (_rate(before, now, reason, seconds) or 0.0, count)
        for reason, count in now.items()
        if isinstance(count, int)
    }


def _tables(old: Mapping[str, Any], new: Mapping[str, Any], seconds: float) -> Iterator[Table]:
    before = {table["name"]: table for table in old.get("table", ())}
    for table in new.get("table", ()):
        evictions = _rate(before.get(table["name"], {}), table, "evicted", seconds)
        yield Table(table["name"], table.get("entries", 0), table.get("limit", 0), evictions)


def _service(old: Mapping[str, Any], new: Mapping[str, Any], seconds: float) -> Row:
    before = {backend["ip"]: backend for backend in old.get("backend", ())}
    backends = [
        Row(
            f"{backend['ip']}:{backend.get('port', '')}",
            backend.get("name", ""),
            backend.get("active-sessions"),
            {leaf: _rate(before.get(backend["ip"], {}), backend, leaf, seconds) for leaf in COUNTERS},
        )
        for backend in new.get("backend", ())
    ]
    proto = str(new["proto"]).upper()
    address = new["vip"] if proto == "ICMP" else f"{new['vip']}:{new['vport']}"
    rates = {leaf: _rate(old, new, leaf, seconds) for leaf in COUNTERS}
    return Row(f"{address}/{proto}", new.get("name", ""), new.get("active-sessions"), rates, backends)


def _key(service: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    return service["vip"], service["vport"], service["proto"]
