"""What the figures have to reach, and whether they do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Report = dict[str, Any]


@dataclass(frozen=True)
class Target:
    """`path` leads to the measured value in the report, with slashes between the names."""

    name: str
    limit: float
    at_most: bool
    path: str

    def row(self, report: Report) -> Report:
        """Raises KeyError when the figure was not measured."""
        value: Any = report
        for name in self.path.split("/"):
            value = value[name]
        met = value <= self.limit if self.at_most else value >= self.limit
        return {
            "target": self.name,
            "limit": self.limit,
            "at most": self.at_most,
            "measured": value,
            "met": met,
        }


def check(report: Report) -> list[Report]:
    """A row for each target whose figure is in the report."""
    rows = []
    for target in _targets():
        try:
            rows.append(target.row(report))
        except KeyError:
            continue
    return rows


def _targets() -> Iterator[Target]:
    for hook in ("TC", "XDP"):
        established, passing, new = (2.2, 2.2, 13) if hook == "TC" else (2.3, 2.4, 14)
        for setup, case, limit in (
            ("multi", "tcp forward", established),
            ("multi", "tcp reverse", established),
            ("multi", "udp forward", established),
            ("multi", "udp reverse", established),
            ("multi", "pass", passing),
            ("opening", "new session", new),
        ):
            path = f"per_packet/{hook}/{setup}/{case}/ratio/median"
            yield Target(f"{hook}, {case}: multiples of the floor", limit, True, path)
        for case in ("tcp forward", "tcp reverse"):
            path = f"per_packet/{hook}/counting/{case}/ratio/median"
            yield Target(f"{hook}, {case}: what counting adds, multiples of the floor", 0.15, True, path)
        for case, limit in (("tcp forward", 1.3), ("tcp reverse", 1.3), ("pass", 1.3), ("new session", 1.45)):
            name = f"{hook}, {case}: with 10,000 services and 500,000 sessions, over 1 and 1"
            yield Target(name, limit, True, f"per_packet/{hook}/large over small/{case}")
        name = f"{hook}, new session: with 10,000 services and 500,000 sessions, multiples of the floor"
        yield Target(name, 1.45 * new, True, f"per_packet/{hook}/large/new session/ratio/median")

    large = "end_to_end/10000 services"
    yield Target("throughput over plain redirect", 0.95, False, f"{large}/throughput/cube_tc/ratio/median")
    for services, limit in ((10, 1.3), (10_000, 1.5)):
        results = f"end_to_end/{services} services"
        path = f"{results}/connections/cube_tc/over nftables/median"
        yield Target(f"new connections over nftables, {services} services", limit, False, path)
        for metric in ("latency_p50", "latency_p99"):
            path = f"{results}/{metric}/cube_tc/over nftables/median"
            yield Target(f"{metric} over nftables, {services} services", 1, True, path)

    yield Target("memory of an idle cube, MiB", 20, True, "control_plane/memory, MiB/idle/maps")
    for change in ("add", "remove"):
        path = f"control_plane/one endpoint change, ms/{change}/median"
        yield Target(f"one endpoint change at 10,000 services ({change}), ms", 5, True, path)
    yield Target("services in lists, per s", 2000, False, "control_plane/services in lists, per s/median")
    for cluster in ("44,125 x 1", "5,006 x 50"):
        results = f"growth/clusters/{cluster}"
        yield Target(f"{cluster} services and backends in lists, s", 30, True, f"{results}/load, s")
        yield Target(f"{cluster} services and backends, MiB of maps", 200, True, f"{results}/maps")
    path = "growth/read a whole cube/10,000 x 10/scrape, ms/median"
    yield Target("a scrape of the metrics beside 10,000 services, ms", 1000, True, path)
    path = "growth/read a whole cube/10,000 x 10/ms/median"
    yield Target("whole cube with 10,000 services at the client, ms", 60, True, path)
    for event in ("Service, new", "Endpoints, all new", "Endpoints, one for another", "Service, deleted"):
        path = f"polykube/one event, ms/{event}/median"
        yield Target(f"polykube's event at 10,000 services ({event}), ms", 60, True, path)
    yield Target("start of polykube with 5,000 services, s", 180, True, "polykube/start/s")
    for pods in (1, 120):
        path = f"polykube/attach a pod, ms/{pods} pods/p99"
        yield Target(f"polykube's attach of a pod, p99 at {pods} pods, ms", 60, True, path)
    yield Target("compile time over the wrapper's", 2.2, True, "compile/TC/ratio/median")
    worst = "consistency/worst"
    yield Target("share error up to 100 backends", 0.01, True, f"{worst}/share error up to 100 backends")
    yield Target("changed for others beyond 1/n", 0.02, True, f"{worst}/changed for others beyond 1 of n")
    path = "consistency/one by one/changed for others beyond 1 of n"
    yield Target("the same for every n from 1 to 1,000", 0.02, True, path)
