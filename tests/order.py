"""The order in which files of tests are begun."""

from __future__ import annotations

import pytest

BEGIN_WITH = (
    "kube/test_kube_changes.py",
    "kube/test_kube_conformance.py",
    "e2e/test_e2e_crash.py",
    "packages/test_python_packages.py",
    "packages/test_debian_package.py",
)
"""Those that take longest, however few tests they have: so that no worker is left with one of them alone at the end.
xdist itself would begin with the files that have the most tests (scripts/test.sh tells it not to)."""


def position(item: pytest.Item) -> int:
    """Of a test's file; all others follow in the order they have."""
    name = item.path.as_posix()
    return next((i for i, end in enumerate(BEGIN_WITH) if name.endswith(f"/{end}")), len(BEGIN_WITH))
