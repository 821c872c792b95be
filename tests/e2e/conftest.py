"""A pcnhost with the service, and cubes in their networks; made anew for each test module, then removed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import topology
from testbed.api import Api
from testbed.host import load_service, start_host
from testbed.lab import Lab
from testbed.topology import ConnectedCube

from .explaining import Wire, World
from .live import Live


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@pytest.fixture(scope="module")
def api(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Api:
    api, _ = start_host(lab, log=tmp_path_factory.mktemp("pcnhost") / "log")
    load_service(api)
    return api


KINDS = [("MULTI", "TC"), ("SINGLE", "TC"), ("MULTI", "XDP_SKB"), ("MULTI", "XDP_DRV"), ("SINGLE", "XDP_DRV")]


@pytest.fixture(scope="module", params=KINDS, ids="-".join)
def any_cube(request: pytest.FixtureRequest, api: Api) -> Iterator[ConnectedCube]:
    """Cubes of all modes and types in turn, with one client and three servers."""
    mode, cube_type = request.param
    create = topology.create_multi if mode == "MULTI" else topology.create_single
    with Lab() as lab:
        network = topology.build(lab, clients=1, servers=3)
        if cube_type != "TC":
            topology.prepare_for_xdp(network)
        create(api, "any", network, type=cube_type)
        yield ConnectedCube("any", lab, api, network)
        api.delete("k8slbrp/any")


@pytest.fixture(scope="module")
def multi(api: Api) -> Iterator[ConnectedCube]:
    """A cube in MULTI mode with two clients and four servers."""
    with Lab() as lab:
        network = topology.build(lab, clients=2, servers=4)
        topology.create_multi(api, "multi", network)
        yield ConnectedCube("multi", lab, api, network)
        api.delete("k8slbrp/multi")


@pytest.fixture
def live(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Live]:
    with Lab() as lab:
        api, _ = start_host(lab, log=tmp_path / "log")
        load_service(api)
        cube = {"port_mode": "MULTI", "max-sessions": 65536, **getattr(request, "param", {})}
        api.post("k8slbrp/lb1", cube)
        api.post("k8slbrp/lb1/ports/be", {"type": "BACKEND"})
        api.post("k8slbrp/lb1/ports/fe", {"type": "FRONTEND", "ip": "10.10.1.1"})
        yield Live(lab, api)


@pytest.fixture(scope="module", params=["TC", "XDP_SKB"])
def world(request: pytest.FixtureRequest, api: Api, lab: Lab) -> Iterator[World]:
    with Lab() as own:
        network = topology.build(own, clients=2, servers=0)
        topology.create_multi(api, "lb1", network, **{"type": request.param, "max-sessions": 1024})
        wires = {"to_router": Wire(network.router, "lb")}
        wires |= {f"client{n}": Wire(space, "eth0") for n, space in enumerate(network.clients, 1)}
        yield World(ConnectedCube("lb1", lab, api, network), wires)
        for wire in wires.values():
            wire.close()
        api.delete("k8slbrp/lb1")
