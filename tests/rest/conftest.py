from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from .daemon import Daemon, started_host

LIBRARY = Path(__file__).resolve().parents[2] / "build" / "libpcn-k8slbrp.so"


@pytest.fixture(scope="session")
def service_uri() -> str:
    """The service's library as the daemon finds it: POLYCUBE_SERVICE, or what this tree built."""
    if "POLYCUBE_SERVICE" in os.environ:
        return os.environ["POLYCUBE_SERVICE"]
    if "POLYCUBE_URL" in os.environ:
        return "/usr/lib/libpcn-k8slbrp.so"
    assert LIBRARY.exists(), f"{LIBRARY} is not built (make)"
    return str(LIBRARY)


@pytest.fixture(scope="session")
def daemon(service_uri: str) -> Iterator[Daemon]:
    """A daemon with the service loaded and without cubes."""
    if "POLYCUBE_URL" in os.environ:
        daemon = Daemon(os.environ["POLYCUBE_URL"].rstrip("/"))
        daemon.delete_all_cubes()
        yield daemon
    else:
        with started_host("--service", f"k8slbrp={service_uri}") as daemon:
            yield daemon
