"""Fragments wait for the first one of their datagram, within bounds (RFC 4787, REQ-14 and REQ-14a)."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SOURCES = HERE.parents[2] / "src"

SOURCE, OTHER_SOURCE = 1, 2
BYTES_OF_SOURCE, ALL_BYTES, SECONDS = 1 << 16, 1 << 20, 30  # HeldFragments.h
PACKETS_OF_SOURCE, PACKETS = 128, 1024


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    path = tmp_path_factory.mktemp("fragments") / "held.so"
    files = [str(HERE / "held.cpp"), str(SOURCES / "HeldFragments.cpp")]
    compiler = ["g++", "-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run([*compiler, f"-I{SOURCES}", *files, "-o", str(path)], check=True)
    shim = ctypes.CDLL(str(path))
    shim.create.restype = ctypes.c_void_p
    return shim


class Held:
    """The fragments of one cube."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._held = ctypes.c_void_p(library.create())

    def close(self) -> None:
        self._library.destroy(self._held)

    def hold(self, source: int, identification: int, size: int = 1000, now: int = 0) -> int:
        return int(self._library.hold(self._held, source, identification, size, now))

    def release(self, source: int, identification: int, now: int = 0) -> int:
        return int(self._library.release(self._held, source, identification, now))


@pytest.fixture
def held(library: ctypes.CDLL) -> Iterator[Held]:
    made = Held(library)
    yield made
    made.close()


def test_they_wait_for_the_first_one_of_their_datagram(held: Held) -> None:
    assert [held.hold(SOURCE, 1), held.hold(SOURCE, 1), held.hold(SOURCE, 2)] == [0, 0, 0]
    assert held.release(SOURCE, 1) == 2
    assert held.release(SOURCE, 1) == 0
    assert held.release(SOURCE, 2) == 1


def test_one_that_comes_after_the_release_goes_on_at_once(held: Held) -> None:
    held.release(SOURCE, 1)
    assert held.hold(SOURCE, 1, 700) == 700
    assert held.hold(SOURCE, 2, 700) == 0


def test_held_fragments_are_bounded(held: Held) -> None:
    """In time, in bytes of a source, in bytes and number of all."""
    held.hold(SOURCE, 1, now=0)
    assert held.release(SOURCE, 1, now=SECONDS + 1) == 0
    now = 2 * SECONDS + 2
    for _ in range(100):
        held.hold(SOURCE, 3, 1000, now)
    assert held.release(SOURCE, 3, now) == BYTES_OF_SOURCE // 1000
    for source in range(10, 60):
        for _ in range(65):
            held.hold(source, 4, 1000, now)
    assert sum(held.release(source, 4, now) for source in range(10, 60)) <= ALL_BYTES // 1000
    now += SECONDS + 1
    for source in range(2 * PACKETS):
        held.hold(1000 + source, 5, 8, now)
    assert sum(held.release(1000 + source, 5, now) for source in range(2 * PACKETS)) == PACKETS


def test_a_source_that_fills_its_share_does_not_keep_others_out(held: Held) -> None:
    for _ in range(100):
        held.hold(SOURCE, 1)
    held.hold(OTHER_SOURCE, 1)
    assert held.release(OTHER_SOURCE, 1) == 1


def test_tiny_fragments_of_a_source_do_not_keep_others_out(held: Held) -> None:
    for identification in range(PACKETS):
        held.hold(SOURCE, identification, 8)
    held.hold(OTHER_SOURCE, 1)
    assert held.release(OTHER_SOURCE, 1) == 1
    assert sum(held.release(SOURCE, identification) for identification in range(PACKETS)) == PACKETS_OF_SOURCE


def test_released_datagrams_of_a_source_do_not_keep_others_out(held: Held) -> None:
    """Each is remembered for fragments that other CPUs bring later; the last ones of a source for longest."""
    for identification in range(PACKETS):
        held.hold(SOURCE, identification, 8)
        assert held.release(SOURCE, identification) == 1
    held.hold(OTHER_SOURCE, 1)
    assert held.release(OTHER_SOURCE, 1) == 1
    last = range(PACKETS - PACKETS_OF_SOURCE, PACKETS)
    assert [held.hold(SOURCE, identification, 8) for identification in last] == [8] * PACKETS_OF_SOURCE
    assert [held.hold(SOURCE, PACKETS, 8), held.release(SOURCE, PACKETS)] == [0, 1]
