"""Every test here that takes a `lab` runs in TC and in XDP, in SINGLE and in MULTI mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pcnhost.engine.compile import keep_results
from pcnhost.engine.compiled import Cache
from pcnhost.engine.source import Hook
from testbed.host import COMPILE_CACHE
from tests.datapath.harness import Datapath, Way, copies, timeless_copies
from tests.datapath.lab import Lab
from tests.datapath.tables import Tables


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents and "lab" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.root)


@pytest.fixture(scope="module", autouse=True)
def kept_programs() -> Iterator[None]:
    """The same programs in each run, and in each worker."""
    keep_results(Cache(COMPILE_CACHE))
    yield
    keep_results(None)


@pytest.fixture(scope="session")
def datapaths(request: pytest.FixtureRequest) -> Iterator[Callable[[Hook], Datapath]]:
    """Compiles each program once, and only when a test wants it; another copy for tests marked with through()."""
    way = getattr(request, "param", Way.BOTH)
    with copies(lambda hook: Datapath(hook, way=way)) as copy:
        yield copy


@pytest.fixture(scope="module")
def timeless() -> Iterator[Callable[[Hook], Datapath]]:
    """Programs whose clock stands still unless the test moves it, on one CPU with its counters."""
    with timeless_copies() as copy:
        yield copy


@pytest.fixture(params=list(Hook), ids=lambda hook: hook.name)
def hook(request: pytest.FixtureRequest) -> Hook:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(params=[False, True], ids=["SINGLE", "MULTI"])
def multi(request: pytest.FixtureRequest) -> bool:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def lab(datapaths: Callable[[Hook], Datapath], hook: Hook, multi: bool) -> Lab:
    datapath = datapaths(hook)
    lab = Lab(datapath, Tables(datapath), multi)
    lab.set_up()
    return lab
