"""Clusters of three nodes for all tests of this folder; each test leaves them as they were."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from testbed.cluster.cluster import Cluster
from testbed.cluster.nftables import NftablesProxy
from testbed.lab import Lab


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """With our cubes, told what to do by polykube's requests."""
    with Lab() as lab:
        cluster = Cluster(lab, tmp_path_factory.mktemp("cluster"))
        yield cluster
        cluster.close()


@pytest.fixture(scope="session")
def nftables_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """With rules in the manner of kube-proxy, the yardstick."""
    with Lab() as lab:
        cluster = Cluster(lab, tmp_path_factory.mktemp("nftables"), proxy=NftablesProxy)
        yield cluster
        cluster.close()


@pytest.fixture(params=["ours", "nftables"])
def any_cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Each in turn, without Services or pods before and after."""
    name = {"ours": "cluster", "nftables": "nftables_cluster"}[request.param]
    cluster: Cluster = request.getfixturevalue(name)
    assert cluster.pods == [] and cluster.services == {}
    yield cluster
    for service in list(cluster.services):
        cluster.delete_service(service)
    cluster.end_pods([*cluster.pods], grace_s=0)
