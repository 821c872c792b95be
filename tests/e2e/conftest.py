"""A pcnhost with the service, and cubes in their networks; made anew for each test module, then removed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from testbed import topology
from testbed.api import Api
from testbed.host import load_service, start_host
from testbed.lab import Lab
from testbed.topology import ConnectedCube


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@pytest.fixture(scope="module")
def api(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Api:
    api, _ = start_host(lab, log=tmp_path_factory.mktemp("pcnhost") / "log")
    load_service(api)
    return api


@pytest.fixture(scope="module", params=["MULTI", "SINGLE"])
def any_mode(request: pytest.FixtureRequest, api: Api) -> Iterator[ConnectedCube]:
    """A cube of each mode in turn, with one client and three servers."""
    create = topology.create_multi if request.param == "MULTI" else topology.create_single
    with Lab() as lab:
        network = topology.build(lab, clients=1, servers=3)
        create(api, "any", network)
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
