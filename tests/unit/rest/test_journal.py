"""The journal: many writers share a transaction, a cube's writes happen in turn, a full disk loses nothing."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pcnhost.errors import StorageError
from pcnhost.journal import Journal, Member, Nodes

CUBE = Nodes("c", "", (("", {"name": "c"}),), "svc")
BIG = "x" * 3000


def entry(number: int) -> Nodes:
    return Nodes("c", f"list={number}", ((f"list={number}", {"n": number, "text": BIG}),))


def names(journal: Journal) -> list[str]:
    return [path for cube in journal.cubes() for path, _ in cube.nodes if path]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def test_what_is_noted_is_there_after_a_restart(path: Path) -> None:
    journal = Journal(path)
    journal.write("a", ["c"], lambda: (None, [CUBE]))
    assert (
        journal.write("b", ["c"], lambda: ("answer", [entry(1), Member("c", "", ("in", "leaf"), 5)]))
        == "answer"
    )
    journal.close()
    journal = Journal(path)
    (cube,) = journal.cubes()
    assert (cube.name, cube.service, cube.whole) == ("c", "svc", False)
    assert cube.nodes == [("", {"name": "c", "in": {"leaf": 5}}), ("list=1", {"n": 1, "text": BIG})]
    assert journal.writes() == []


def test_ranges_end_where_they_should(path: Path) -> None:
    journal = Journal(path)
    paths = ["list=1", "list=1/in=1", "list=10", "list=1.5", "list2=1", "lis=1", "list/list=1"]
    changes = [CUBE, *(Nodes("c", path, ((path, {}),)) for path in paths)]
    journal.write("a", ["c"], lambda: (None, changes))
    journal.put(Nodes("c", "list=1", ()))
    assert names(journal) == paths[2:]
    journal.put(Nodes("c", "list=", (("list=7", {}),)))
    assert names(journal) == ["list2=1", "lis=1", "list/list=1", "list=7"]
    journal.put(Nodes("c", "", ()))
    assert journal.cubes() == []


def test_what_fails_changes_nothing(path: Path) -> None:
    journal = Journal(path)

    def fail() -> tuple[None, list[Nodes]]:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        journal.write("a", ["c"], fail)
    assert (journal.cubes(), journal.writes()) == ([], [])


def test_an_unknown_outcome_is_left_to_the_next_start(path: Path) -> None:
    journal = Journal(path)
    journal.write("a", ["c"], lambda: (None, None))
    journal.close()
    journal = Journal(path)
    ((number, request),) = journal.writes()
    assert request == "a"
    journal.carry_out(number, lambda: (None, [CUBE]))
    assert (len(journal.cubes()), journal.writes()) == (1, [])


def test_writers_share_transactions_and_those_of_a_cube_take_turns(path: Path) -> None:
    journal = Journal(path)
    journal.write("a", ["c"], lambda: (None, [CUBE]))
    inside: list[int] = []
    collisions = []
    done: list[int] = []

    def write(number: int) -> None:
        def action() -> tuple[None, list[Nodes]]:
            inside.append(number)
            time.sleep(0.001)
            if inside != [number]:
                collisions.append(list(inside))
            inside.remove(number)
            done.append(number)
            return None, [entry(number)]

        journal.write(str(number), ["c"], action)

    commits: list[str] = []
    journal._db.set_trace_callback(lambda text: commits.append(text) if text.endswith("= FULL") else None)
    threads = [threading.Thread(target=write, args=(number,)) for number in range(32)]
    with journal._committing:
        for thread in threads:
            thread.start()
        while len(journal._announced) < len(threads):
            time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert collisions == []
    assert len(commits) == 1
    assert set(names(journal)) == {f"list={number}" for number in range(32)}
    assert [int(path.removeprefix("list=")) for path in names(journal)] == done


def test_several_cubes_at_once(path: Path) -> None:
    """Nobody waits for ever, whatever the order in which they name their cubes."""
    journal = Journal(path)
    cubes = (("a", "b"), ("b", "a"), ("a",), ("b",), ())
    threads = [
        threading.Thread(
            target=lambda mine=mine: [journal.write("w", mine, lambda: (None, ())) for _ in range(20)]
        )
        for mine in cubes * 2
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(place)], check=True)
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.root
def test_a_full_disk_refuses_writes_and_recovers_by_itself(small_disk: Path) -> None:
    journal = Journal(small_disk / "journal")
    journal.write("a", ["c"], lambda: (None, [CUBE]))
    done = []

    def write(number: int) -> None:
        def action() -> tuple[None, list[Nodes]]:
            done.append(number)
            return None, [entry(number)]

        journal.write("r" * 1000, ["c"], action)

    with pytest.raises(StorageError, match="disk is full"):
        for number in range(1000):
            write(number)
    carried_out = list(done)
    for number in range(1000, 1005):
        with pytest.raises(
            StorageError, match=f"cannot write {small_disk}/journal: database or disk is full"
        ):
            write(number)
    assert done == carried_out
    assert "disk is full" in journal.problem
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    write(5000)
    assert journal.problem == ""
    journal.close()
    journal = Journal(small_disk / "journal")
    assert set(names(journal)) == {f"list={number}" for number in [*carried_out, 5000]}
    assert journal.writes() == []


def _fill(disk: Path) -> None:
    with contextlib.suppress(OSError), (disk / "filled").open("ab", buffering=0) as rest:
        while True:
            rest.write(bytes(4096))


@pytest.mark.root
def test_a_disk_that_is_full_by_the_next_start_does_not_stop_it(small_disk: Path) -> None:
    journal = Journal(small_disk / "journal")
    journal.write("a", ["c"], lambda: (None, [CUBE]))
    journal.close()
    _fill(small_disk)
    for _ in range(2):
        journal = Journal(small_disk / "journal")
        assert [cube.name for cube in journal.cubes()] == ["c"]
        with pytest.raises(StorageError, match="disk is full"):
            for number in range(100):
                journal.write("b" * 1000, ["c"], lambda number=number: (None, [entry(number)]))  # type: ignore[misc]
        journal.close()
        _fill(small_disk)


@pytest.mark.root
def test_a_full_disk_is_told(small_disk: Path) -> None:
    journal = Journal(small_disk / "journal")
    journal.write("a", ["c"], lambda: (None, [CUBE]))
    journal.close()
    (small_disk / "journal-room").unlink(missing_ok=True)
    _fill(small_disk)
    with pytest.raises(StorageError, match=f"cannot write {small_disk}/journal: .*, there is no space left"):
        Journal(small_disk / "journal")
