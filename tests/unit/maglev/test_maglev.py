"""The slot table: shares by weight, the same for every order and run, and little moved by a change."""

from __future__ import annotations

import ctypes
import random
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

HERE = Path(__file__).parent
SOURCES = HERE.parents[2] / "src"

FIRST_SLOTS = [1, 3, 1, 3, 1, 2, 1, 2, 1, 3, 1, 3, 3, 2, 3, 3, 2, 2, 2, 2, 3, 3, 3, 3]


class Table(Protocol):
    """From {identity: weight} to the identity that owns each slot, of as many slots as needed unless given."""

    def __call__(self, weights: dict[int, int], size: int | None = None) -> list[int]: ...


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    library = tmp_path_factory.mktemp("maglev") / "maglev.so"
    files = [str(HERE / "slots.cpp"), str(SOURCES / "Maglev.cpp")]
    compiler = ["g++", "-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run([*compiler, f"-I{SOURCES}", *files, "-o", str(library)], check=True)
    shim = ctypes.CDLL(str(library))
    shim.slots_for.restype = ctypes.c_uint32

    def assign(weights: dict[int, int], size: int | None = None) -> list[int]:
        identities = list(weights)
        candidates = (
            (ctypes.c_uint64 * len(weights))(*identities),
            (ctypes.c_uint32 * len(weights))(*weights.values()),
            ctypes.c_size_t(len(weights)),
        )
        if size is None:
            size = shim.slots_for(*candidates)
        owners = (ctypes.c_uint32 * size)()
        shim.assign(*candidates, ctypes.c_uint32(size), owners)
        return [identities[owner] for owner in owners]

    return assign


def identity(number: int) -> int:
    """Of the backend 10.0.x.y:8080, as the service numbers it."""
    return (0x0A000000 + number) << 16 | 8080


def test_no_backend_has_no_slots_and_one_has_them_all(table: Table) -> None:
    assert table({}) == []
    assert table({identity(1): 7}) == [identity(1)]


@pytest.mark.parametrize("count", [2, 3, 5, 10, 11, 50, 100])
@pytest.mark.parametrize("weigh", [lambda n: 1, lambda n: 1 + n % 3, lambda n: 1 + n % 10])
def test_shares_are_within_one_percent_of_the_weights(
    table: Table, count: int, weigh: Callable[[int], int]
) -> None:
    weights = {identity(n): weigh(n) for n in range(count)}
    slots = table(weights)
    owned = Counter(slots)
    total = sum(weights.values())
    for backend, weight in weights.items():
        assert owned[backend] / len(slots) == pytest.approx(weight / total, rel=0.01)
        assert owned[backend] == pytest.approx(len(slots) * weight / total, abs=1)


@pytest.mark.parametrize(
    ("weights", "size"),
    [
        ([1] * 2, 1009),
        ([1] * 10, 1009),
        ([1] * 11, 10007),
        ([5000] * 100, 10007),
        ([1] * 101, 65537),
        ([1, 9], 1009),
        ([1, 10], 10007),
        ([1, 99], 10007),
        ([1, 100], 65537),
    ],
)
def test_table_is_large_enough_for_the_lightest(table: Table, weights: list[int], size: int) -> None:
    assert len(table({identity(n): weight for n, weight in enumerate(weights)})) == size


def test_extreme_weights_leave_nobody_without_a_slot(table: Table) -> None:
    weights = {identity(1): 65535, identity(2): 1, identity(3): 1}
    owned = Counter(table(weights))
    assert owned[identity(2)] == owned[identity(3)] == 1


def test_a_full_table_has_a_slot_for_each(table: Table) -> None:
    weights = {identity(n): 1 + n % 2 for n in range(65537)}
    assert sorted(table(weights)) == sorted(weights)


def test_the_order_of_the_backends_does_not_matter(table: Table) -> None:
    weights = {identity(n): 1 + n % 4 for n in range(20)}
    shuffled = list(weights.items())
    random.Random(1).shuffle(shuffled)
    assert table(weights) == table(dict(shuffled))


def test_the_table_is_the_same_in_every_release(table: Table) -> None:
    """Nodes of a cluster may run different releases for a while; these are slots of the first one."""
    slots = table({identity(1): 1, identity(2): 2, identity(3): 3})
    assert [slot >> 16 & 0xFF for slot in slots[:24]] == FIRST_SLOTS


@pytest.mark.parametrize("count", [2, 5, 10, 11, 12, 30, 100, 101, 102, 1000])
def test_removing_a_backend_moves_few_slots_of_the_others(table: Table, count: int) -> None:
    weights = {identity(n): 1 for n in range(count)}
    before = table(weights)
    gone = identity(count // 2)
    del weights[gone]
    after = table(weights, len(before))
    moved = sum(old != new for old, new in zip(before, after, strict=True) if old != gone)
    assert moved / len(before) <= 1 / count + 0.02
