"""The slots of a service: shares by weight, a function of the set alone, and little moved by a change."""

from __future__ import annotations

import ctypes
import os
import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest
from numpy.typing import NDArray

HERE = Path(__file__).parent
SOURCES = HERE.parents[2] / "src"

BUCKETS = 1024
LARGEST = 64 * BUCKETS
# Whose are the first slots of three backends: a change of these numbers moves sessions at an upgrade.
FIRST_OWNERS = [2, 2, 3, 2, 3, 2, 1, 2, 2, 3, 3, 3, 2, 2, 2, 2, 3, 3, 3, 3, 3, 2, 1, 3]


class Table(Protocol):
    """From {identity: weight} to the identity that owns each slot."""

    def __call__(self, weights: dict[int, int]) -> NDArray[np.uint64]: ...


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    library = tmp_path_factory.mktemp("rendezvous") / "rendezvous.so"
    files = [str(HERE / "slots.cpp"), str(SOURCES / "Rendezvous.cpp")]
    compiler = ["g++", "-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run([*compiler, f"-I{SOURCES}", *files, "-o", str(library)], check=True)
    shim = ctypes.CDLL(str(library))
    shim.slots_for.restype = ctypes.c_uint32

    def assign(weights: dict[int, int]) -> NDArray[np.uint64]:
        identities = sorted(weights)
        backends = (
            (ctypes.c_uint64 * len(weights))(*identities),
            (ctypes.c_uint32 * len(weights))(*(weights[identity] for identity in identities)),
            ctypes.c_size_t(len(weights)),
        )
        size = shim.slots_for(*backends)
        owners = np.empty(size, dtype=np.uint32)
        shim.assign(*backends, ctypes.c_uint32(size), owners.ctypes.data_as(ctypes.POINTER(ctypes.c_uint32)))
        return np.array(identities, dtype=np.uint64)[owners]

    return assign


def identity(number: int) -> int:
    """Of the backend 10.0.x.y:8080, as the service numbers it."""
    return (0x0A000000 + number) << 16 | 8080


def assert_shares(slots: NDArray[np.uint64], weights: dict[int, int], precision: float = 0.01) -> None:
    owners, counts = np.unique(slots, return_counts=True)
    owned = dict(zip(owners.tolist(), counts.tolist(), strict=True))
    total = sum(weights.values())
    for backend, weight in weights.items():
        assert owned[backend] / len(slots) == pytest.approx(weight / total, rel=precision)


def moved_for_others(before: NDArray[np.uint64], after: NDArray[np.uint64], single: int) -> float:
    """The part of all choices that changed, but neither from nor to the backend that goes or comes."""
    unit = np.lcm(len(before), len(after))
    old, new = np.repeat(before, unit // len(before)), np.repeat(after, unit // len(after))
    return float(np.mean((old != new) & (old != single) & (new != single)))


@pytest.mark.parametrize("count", [1, 2, 3, 5, 10, 11, 14, 15, 50, 100])
@pytest.mark.parametrize(
    "weigh", [lambda n: 1, lambda n: 1 + n % 3, lambda n: 1 + n % 10, lambda n: 1 + 12 * (n == 0)]
)
def test_shares_are_within_one_percent_of_the_weights(
    table: Table, count: int, weigh: Callable[[int], int]
) -> None:
    weights = {identity(n): weigh(n) for n in range(count)}
    assert_shares(table(weights), weights)


@pytest.mark.parametrize("count", [101, 200, 333, 500, 750, 1000])
def test_shares_of_many(table: Table, count: int) -> None:
    weights = {identity(n): 1 + n % 3 for n in range(count)}
    assert_shares(table(weights), weights, 0.03)


def test_more_slots_only_as_far_as_they_are_needed(table: Table) -> None:
    assert len(table({identity(n): 1 for n in range(10)})) == BUCKETS
    assert len(table({identity(n): 7 for n in range(128)})) == BUCKETS  # 8 each
    assert len(table({identity(0): 1, identity(1): 65535})) == LARGEST


def test_extreme_weights_leave_nobody_without_a_slot(table: Table) -> None:
    weights = {identity(1): 65535} | {identity(n): 1 for n in range(2, 300)}
    assert set(table(weights).tolist()) == weights.keys()


def test_most_backends_and_one_much_heavier(table: Table) -> None:
    """The time does not grow with the square of their number."""
    weights = {identity(n): 1 for n in range(32767)} | {identity(40000): 65535}
    started = time.process_time()
    slots = table(weights)
    assert time.process_time() - started < 3
    assert set(slots.tolist()) == weights.keys()


def test_same_owners_in_every_release(table: Table) -> None:
    """Nodes of a cluster may run different releases for a while."""
    slots = table({identity(1): 1, identity(2): 2, identity(3): 3})
    assert (slots[:24] >> np.uint64(16) & np.uint64(0xFF)).tolist() == FIRST_OWNERS


def sizes() -> list[int]:
    """STABILITY=all looks at every number from 1 to 1000, which takes a minute or two."""
    if os.environ.get("STABILITY") == "all":
        return list(range(2, 1001))
    return [2, 3, 4, 8, 13, 14, 15, 16, 17, 33, 50, 64, 65, 99, 100, 101, 102, 128, 129, 257, 500, 1000]


@pytest.mark.parametrize("count", sizes())
def test_who_comes_or_goes_moves_little_for_others(table: Table, count: int) -> None:
    everyone = {identity(n): 1 for n in range(count)}
    before = table(everyone)
    chooser = random.Random(count)
    for gone in chooser.sample(range(count), min(count, 3 if len(sizes()) < 100 else 1)):
        after = table({one: weight for one, weight in everyone.items() if one != identity(gone)})
        assert moved_for_others(before, after, identity(gone)) <= 1 / count + 0.02


@pytest.mark.parametrize("count", [2, 5, 14, 15, 50, 100, 101, 300])
def test_a_weighted_one_moves_little_for_others(table: Table, count: int) -> None:
    everyone = {identity(n): 3 if n % 3 == 0 else 1 for n in range(count)}
    total = sum(everyone.values())
    before = table(everyone)
    for gone, weight in list(everyone.items())[:6]:
        after = table({one: weight for one, weight in everyone.items() if one != gone})
        assert moved_for_others(before, after, gone) <= weight / total + 0.02
