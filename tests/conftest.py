"""Tests marked `root` need privileges and a kernel with eBPF; they are skipped, with the reason, without."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import order
from tests.services.build import build_test_services


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=order.position)
    if os.geteuid() == 0:
        return
    skip = pytest.mark.skip(reason="needs root")
    for item in items:
        if item.get_closest_marker("root"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def test_services() -> Path:
    """Directory of the built test services: libpcn-counter.so, libpcn-revision{1,2}.so."""
    return build_test_services()
