from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from testbed.api import Api
from testbed.host import SERVICE_LIBRARY, start_host
from testbed.lab import Lab
from tests.rest.daemon import Daemon

CUBE = "own"


@pytest.fixture(scope="session")
def service_uri() -> str:
    """The service's library as the daemon finds it: POLYCUBE_SERVICE, or what this tree built."""
    if "POLYCUBE_SERVICE" in os.environ:
        return os.environ["POLYCUBE_SERVICE"]
    if "POLYCUBE_URL" in os.environ:
        return "/usr/lib/libpcn-k8slbrp.so"
    assert SERVICE_LIBRARY.exists(), f"{SERVICE_LIBRARY} is not built (make build)"
    return str(SERVICE_LIBRARY)


@dataclass(frozen=True)
class OwnHost:
    """A host of this tree with the service loaded. `authority` is host:port; maps are pinned in `state_dir`."""

    authority: str
    pid: int
    state_dir: Path
    log: Path


@pytest.fixture(scope="session")
def own_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnHost]:
    """A host to fill, to exhaust and to look into, apart from the one of `daemon`."""
    with Lab() as lab:
        log = tmp_path_factory.mktemp("own") / "log"
        api, process = start_host(lab, None, "--service", f"k8slbrp={SERVICE_LIBRARY}", log=log)
        authority = api.url.split("/")[2]
        yield OwnHost(authority, process.pid, lab.state_dir, log)
        assert process.poll() is None, f"the host has ended by itself with {process.returncode}, see {log}"


@pytest.fixture
def api(own_host: OwnHost) -> Iterator[Api]:
    """The API of `own_host`, which has a cube CUBE as long as the test runs."""
    api = Api(own_host.authority)
    api.post(f"k8slbrp/{CUBE}", {"port_mode": "MULTI"})
    yield api
    api.delete(f"k8slbrp/{CUBE}")


@pytest.fixture(scope="session")
def daemon(service_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with the service loaded and without cubes: the one at POLYCUBE_URL, or a host of this tree."""
    if "POLYCUBE_URL" in os.environ:
        daemon = Daemon(os.environ["POLYCUBE_URL"].rstrip("/"), keep_alive=False)
        daemon.load_service(service_uri)
        yield daemon
        return
    with Lab() as lab:
        log: Path = tmp_path_factory.mktemp("rest") / "log"
        api, _ = start_host(lab, None, "--service", f"k8slbrp={service_uri}", log=log)
        yield Daemon(api.url.removesuffix("/polycube/v1"))
