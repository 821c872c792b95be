"""One cluster of three nodes for all tests of this folder; each test leaves it as it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.cluster.cluster import Cluster
from testbed.lab import Lab


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder: Path = tmp_path_factory.mktemp("cluster")
    with Lab() as lab:
        cluster = Cluster(lab, folder)
        yield cluster
        cluster.close()
