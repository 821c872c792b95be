"""Metrics of cubes that are load balancers: those with `stats` of services and backends. Others have none of them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from pcnhost.engine import Cube
from pcnhost.rest.answers import Refused
from pcnhost.rest.context import link_segment
from pcnhost.rest.request import Request
from pcnhost.rest.services import Service

log = logging.getLogger(__name__)

Stats = Mapping[str, Any]
Family = CounterMetricFamily | GaugeMetricFamily

SIDES = ("frontend", "backend")
FATES = ("translated", "passed", "slow-path", "dropped")
TRAFFIC = {  # leaf -> the value of the label `direction`
    "packets": {"packets-in": "in", "packets-out": "out"},
    "bytes": {"bytes-in": "in", "bytes-out": "out"},
}
OF_VIP = ("cube", "vip", "vport", "proto", "name")
OF_BACKEND = ("cube", "vip", "vport", "proto", "backend", "port")
SERIES_OF_EACH = 6  # families times directions, of a service and of a backend


class LoadBalancers:
    """`series` bounds what one cube's services and backends have together: services that do not fit are left out with
    all their backends, those at the end of the list."""

    def __init__(self, services: Sequence[Service], cubes: Sequence[Cube], series: int) -> None:
        self._services = {service.name: service for service in services}
        self._cubes = cubes
        self._series = series
        self._families: dict[str, Family] = {}

    def families(self) -> Iterator[Metric]:
        for cube in self._cubes:
            stats = self._read(cube, "stats")
            if isinstance(stats, dict):
                self._of_cube(cube, stats)
                self._of_services(cube)
        yield from self._families.values()

    def _read(self, cube: Cube, *path: str) -> Any:
        """What the service answers to a GET below a cube; None without an answer."""
        service = self._services.get(cube.service_name)
        if service is None:
            return None
        segments = (service.name, link_segment(cube.name), *path)
        with service.in_use() as usable:
            found = service.resolve(Request("GET", segments), segments) if usable else None
            if found is None or "GET" not in found[0].methods:
                return None
            try:
                answer = found[0].methods["GET"](found[1])
            except Refused:
                return None  # it has just gone
        return json.loads(answer.body) if answer.status == 200 and answer.body else None

    def _counter(
        self, name: str, text: str, labels: Sequence[str], values: Sequence[str], value: float | None
    ) -> None:
        self._add(CounterMetricFamily, name, text, labels, values, value)

    def _gauge(
        self, name: str, text: str, labels: Sequence[str], values: Sequence[str], value: float | None
    ) -> None:
        self._add(GaugeMetricFamily, name, text, labels, values, value)

    def _add(
        self,
        kind: type[Family],
        name: str,
        text: str,
        labels: Sequence[str],
        values: Sequence[str],
        value: float | None,
    ) -> None:
        """A value that the service does not tell (None) makes no sample."""
        if value is None:
            return
        family = self._families.get(name)
        if family is None:
            family = self._families[name] = kind(name, text, labels=labels)
        family.add_metric(values, value)

    def _of_cube(self, cube: Cube, stats: Stats) -> None:
        for side in SIDES:
            for fate in FATES:
                for unit in ("packets", "bytes"):
                    self._counter(
                        f"polycube_cube_{unit}",
                        f"{unit.capitalize()} by the side they entered from and what became of them",
                        ("cube", "side", "fate"),
                        (cube.name, side, fate),
                        stats.get(side, {}).get(f"{fate}-{unit}"),
                    )
        for reason, count in stats.get("drops", {}).items():
            text = "Packets dropped, by reason"
            self._counter(
                "polycube_cube_dropped_packets", text, ("cube", "reason"), (cube.name, reason), count
            )
        for reason, count in stats.get("punts", {}).items():
            text = "Packets and copies given to the control plane, by reason"
            self._counter("polycube_cube_punts", text, ("cube", "reason"), (cube.name, reason), count)
        of_cube = (("cube",), (cube.name,))
        self._counter("polycube_cube_new_sessions", "Sessions opened", *of_cube, stats.get("new-sessions"))
        text = "TCP sessions found in the middle: evicted before, or begun elsewhere"
        self._counter("polycube_cube_resumed_sessions", text, *of_cube, stats.get("resumed-sessions"))
        text = "Requests to be refused: no usable backend, or no such service"
        self._counter("polycube_cube_rejected_requests", text, *of_cube, stats.get("rejected"))
        text = "Answers that found no free entry for their session: it stays among those without answer"
        self._counter("polycube_cube_not_promoted_answers", text, *of_cube, stats.get("not-promoted"))
        self._sessions(cube, stats.get("sessions", {}))
        text = "Sessions past their timeout that still have a place"
        self._gauge(
            "polycube_cube_expired_sessions", text, *of_cube, stats.get("sessions", {}).get("expired")
        )
        for table in stats.get("table", ()):
            where = (("cube", "table"), (cube.name, table["name"]))
            self._gauge(
                "polycube_cube_table_entries", "Entries of a table in use", *where, table.get("entries")
            )
            self._gauge("polycube_cube_table_limit", "Entries a table can hold", *where, table.get("limit"))
            text = "Entries removed to make room for others"
            self._counter("polycube_cube_table_evictions", text, *where, table.get("evicted"))

    def _sessions(self, cube: Cube, sessions: Stats) -> None:
        for protocol, states in sessions.items():
            if isinstance(states, dict):
                for state, count in states.items():
                    self._gauge(
                        "polycube_cube_sessions",
                        "Sessions in use",
                        ("cube", "protocol", "state"),
                        (cube.name, protocol, state),
                        count,
                    )

    def _of_services(self, cube: Cube) -> None:
        configured = self._read(cube, "service") or ()
        services = [service for service in configured if isinstance(service, dict)]
        usable = {_key(service): _usable(service) for service in services}
        self._gauge(
            "polycube_cube_vips_without_backend",
            "Services without any backend that takes new sessions",
            ("cube",),
            (cube.name,),
            sum(not count for count in usable.values()),
        )
        room, told = self._series, 0
        for service in (self._read(cube, "stats", "service") or ()) if room else ():
            if not isinstance(service, dict):
                continue  # links
            backends = [backend for backend in service.get("backend", ()) if isinstance(backend, dict)]
            room -= SERIES_OF_EACH * (1 + len(backends)) + 1
            if room < 0:
                break
            told += 1
            self._of_service(cube, service, backends, usable.get(_key(service), 0))
        self._gauge(
            "polycube_cube_vips_omitted",
            "Services that have no metrics of their own because there are too many",
            ("cube",),
            (cube.name,),
            max(0, len(services) - told),
        )

    def _of_service(self, cube: Cube, service: Stats, backends: Sequence[Stats], usable: int) -> None:
        key = (cube.name, *_key(service))
        name = str(service.get("name", ""))
        self._traffic("vip", "a service", OF_VIP, (*key, name), service)
        text = "Backends of a service that take new sessions"
        self._gauge("polycube_vip_usable_backends", text, OF_VIP, (*key, name), usable)
        for backend in backends:
            values = (*key, str(backend["ip"]), str(backend.get("port", "")))
            self._traffic("backend", "a backend for a service", OF_BACKEND, values, backend)

    def _traffic(
        self, what: str, whose: str, labels: Sequence[str], values: Sequence[str], stats: Stats
    ) -> None:
        for unit, leaves in TRAFFIC.items():
            for leaf, direction in leaves.items():
                self._counter(
                    f"polycube_{what}_{unit}",
                    f"{unit.capitalize()} of {whose}, from clients (in) and to them (out)",
                    (*labels, "direction"),
                    (*values, direction),
                    stats.get(leaf),
                )
        new, active = stats.get("new-sessions"), stats.get("active-sessions")
        self._counter(f"polycube_{what}_new_sessions", f"Sessions opened with {whose}", labels, values, new)
        self._gauge(f"polycube_{what}_active_sessions", f"Sessions in use of {whose}", labels, values, active)


def _key(service: Stats) -> tuple[str, str, str]:
    return str(service.get("vip", "")), str(service.get("vport", "")), str(service.get("proto", "")).upper()


def _usable(service: Stats) -> int:
    """Backends that get new sessions: active ones, or those on standby while there is none."""
    found = [backend for backend in service.get("backend", ()) if isinstance(backend, dict)]
    states = [
        str(backend.get("state", "active")).lower() for backend in found if backend.get("weight", 1) > 0
    ]
    return states.count("active") or states.count("standby")
