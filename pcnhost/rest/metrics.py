"""`/metrics`: the state of the host and its cubes for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pcnhost import instruments
from pcnhost.engine import Cube
from pcnhost.rest.answers import Answer
from pcnhost.rest.lbmetrics import LoadBalancers
from pcnhost.rest.services import Service
from pcnhost.rest.writes import Writes

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Host(Collector):
    """The host at one moment."""

    def __init__(
        self, services: Sequence[Service], cubes: Sequence[Cube], writes: Writes, series: int
    ) -> None:
        self._services = services
        self._cubes = cubes
        self._writes = writes
        self._series = series

    def collect(self) -> Iterator[Metric]:
        yield instruments.build_info()
        yield self._services_gauge()
        ports = {cube.name: list(cube.ports.values()) for cube in self._cubes}
        yield self._cubes_gauge("ports", "Ports of a cube", {name: len(all_) for name, all_ in ports.items()})
        up = {name: sum(port.status == "UP" for port in all_) for name, all_ in ports.items()}
        yield self._cubes_gauge("ports_up", "Ports of a cube that are connected and forward packets", up)
        down = {name: sum(bool(port.peer and port.why_down) for port in all_) for name, all_ in ports.items()}
        yield self._cubes_gauge(
            "ports_down", "Ports of a cube that want a peer and do not reach it", down, "cube"
        )
        if self._writes.kept:
            yield GaugeMetricFamily(
                "pcnhost_persistence_failing",
                "Whether writes are refused because they cannot be kept",
                value=int(bool(self._writes.problem)),
            )
            yield GaugeMetricFamily(
                "pcnhost_cubes_not_restored",
                "Cubes that are kept but could not be created again",
                value=len(self._writes.not_restored),
            )
        yield from LoadBalancers(self._services, self._cubes, self._series).families()

    def _services_gauge(self) -> Metric:
        family = GaugeMetricFamily("polycube_service_cubes", "Cubes of a service", labels=["service"])
        for service in self._services:
            family.add_metric([service.name], sum(c.service_name == service.name for c in self._cubes))
        return family

    def _cubes_gauge(self, name: str, text: str, values: dict[str, int], label: str = "cubeName") -> Metric:
        """The names of old have polycubed's label, which is not like those of others."""
        family = GaugeMetricFamily(f"polycube_cube_{name}", text, labels=[label, "service"])
        for cube in self._cubes:
            family.add_metric([cube.name, cube.service_name], values[cube.name])
        return family


def metrics(services: Sequence[Service], cubes: Sequence[Cube], writes: Writes, series: int) -> Answer:
    """`series`: how many there may be of one cube's services and backends."""
    registry = CollectorRegistry()
    registry.register(_Host(services, cubes, writes, series))
    text = generate_latest(registry).decode() + generate_latest(instruments.REGISTRY).decode()
    return Answer(200, text, CONTENT_TYPE)
