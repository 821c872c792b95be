"""What the cubes are configured to be, in a database that no crash damages.

A write is announced before it is carried out. Announcements are on the disk when store() returns (those of several
threads share a transaction), so a write that a client knows of is never lost. What has become of it is noted after
it has been carried out; until then the announcement stays and is repeated at the next start.

The writes of a cube are carried out one at a time, in the order of their announcements.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sqlite3
import stat
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pcnhost.errors import HostError, StorageError
from pcnhost.rest.jsontext import Json, compact

T = TypeVar("T")

_VERSION = 1
_TRIES = 3
_ROOM_BYTES = 64 * 1024  # the index of the write-ahead log takes half of it
_TABLES = """
CREATE TABLE cube (name TEXT PRIMARY KEY, service TEXT NOT NULL, whole INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE node (
  id INTEGER PRIMARY KEY, cube TEXT NOT NULL, path TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (cube, path)
);
CREATE TABLE write (number INTEGER PRIMARY KEY, request TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0);
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
_PUT_NODE = (
    "INSERT INTO node (cube, path, value) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"
)


class DamagedJournal(HostError):
    """The file is not what the host has written."""


@dataclass(frozen=True)
class Nodes:
    """What is at `path` and below it, `nodes` instead of what was there. With `cube` alone, the whole cube.

    A path that ends in `=` is that of a list."""

    cube: str
    path: str
    nodes: tuple[tuple[str, Json], ...]
    service: str = ""

    def apply(self, db: sqlite3.Connection) -> None:
        if not self.path:
            _forget(db, self.cube)
            if self.nodes:
                db.execute("INSERT INTO cube VALUES (?, ?, 0)", (self.cube, self.service))
        elif self.path.endswith("="):
            _delete_range(db, self.cube, self.path, self.path[:-1] + ">")
        else:
            _delete_range(db, self.cube, f"{self.path}/", f"{self.path}0")
            if not self.nodes:
                db.execute("DELETE FROM node WHERE cube = ? AND path = ?", (self.cube, self.path))
        db.executemany(_PUT_NODE, ((self.cube, path, compact(value)) for path, value in self.nodes))


@dataclass(frozen=True)
class Member:
    """A member (within containers) of the node at `path`; None when it has none."""

    cube: str
    path: str
    names: tuple[str, ...]
    value: Json

    def apply(self, db: sqlite3.Connection) -> None:
        found = db.execute(
            "SELECT value FROM node WHERE cube = ? AND path = ?", (self.cube, self.path)
        ).fetchone()
        if found is None:
            return
        node = inner = json.loads(found[0])
        *containers, last = self.names
        for name in containers:
            inner = inner.setdefault(name, {})
        if self.value is None:
            inner.pop(last, None)
        else:
            inner[last] = self.value
        db.execute(_PUT_NODE, (self.cube, self.path, compact(node)))


Change = Nodes | Member


@dataclass(eq=False)
class _Write:
    number: int
    request: str
    cubes: tuple[str, ...]
    stored: bool = False
    problem: str = ""


@dataclass(frozen=True)
class _Outcome:
    number: int
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class StoredCube:
    """`whole` when it is one node, with everything in it, whose lists nobody has taken apart."""

    name: str
    service: str
    whole: bool
    nodes: list[tuple[str, Json]] = field(default_factory=list)


class Journal:
    """The database at `path`, for this process alone. Safe to use from any thread, but for the constructor.

    Raises StorageError when the disk does not let it, DamagedJournal when it is not a journal."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock_fd = _lock(path)
        try:
            _room(path).unlink(missing_ok=True)
            self._db = _open(path)
        except BaseException:
            os.close(self._lock_fd)
            raise
        self._reader = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._reading = threading.Lock()
        self._committing = threading.Lock()  # held by who uses the database, but for the reader
        self._guard = threading.Condition()  # of everything below
        self._announced: list[_Write] = []
        self._outcomes: list[_Outcome] = []
        self._turns: dict[str, deque[_Write]] = {}
        self._number = self._db.execute("SELECT max(number) FROM write").fetchone()[0] or 0
        self.problem = ""

    def write(
        self, request: str, cubes: Sequence[str], action: Callable[[], tuple[T, Sequence[Change] | None]]
    ) -> T:
        """Carries out a write, which answers its result and what has changed (None: the next start shall find out).

        Raises StorageError when it cannot be kept: then it has not been carried out."""
        write = self._announce(request, cubes)
        try:
            self._store(write)
            with self._guard:
                self._guard.wait_for(lambda: all(self._turns[cube][0] is write for cube in write.cubes))
            return self.carry_out(write.number, action)
        finally:
            with self._guard:
                for cube in write.cubes:
                    self._turns[cube].remove(write)
                    if not self._turns[cube]:
                        del self._turns[cube]
                self._guard.notify_all()

    def carry_out(self, number: int, action: Callable[[], tuple[T, Sequence[Change] | None]]) -> T:
        """Carries out a write that is stored already."""
        changes: Sequence[Change] | None = ()
        try:
            result, changes = action()
            return result
        finally:
            if changes is not None:
                with self._guard:
                    self._outcomes.append(_Outcome(number, tuple(changes)))
                self._note_outcomes()

    def writes(self) -> list[tuple[int, str]]:
        """The writes that nobody knows the outcome of, oldest first: number and request."""
        with self._reads() as read:
            return list(read("SELECT number, request FROM write ORDER BY number"))

    def is_tried_out(self, number: int) -> bool:
        """Whether a write has been begun so often, without any outcome, that it must be what ends the host. Counts.

        Raises StorageError."""
        self._change(lambda db: db.execute("UPDATE write SET tries = tries + 1 WHERE number = ?", (number,)))
        with self._reads() as read:
            tries = read("SELECT tries FROM write WHERE number = ?", (number,)).fetchone()
        return bool(tries) and tries[0] > _TRIES

    def has(self, cube: str, path: str) -> bool:
        with self._reads() as read:
            found = read("SELECT 1 FROM node WHERE cube = ? AND path = ?", (cube, path))
            return found.fetchone() is not None

    def cubes(self) -> list[StoredCube]:
        """All cubes, in the order of their names; their nodes in the order in which they came."""
        with self._reads() as read:
            read("BEGIN")
            found = [StoredCube(*row) for row in read("SELECT * FROM cube ORDER BY name")]
            for cube in found:
                nodes = read("SELECT path, value FROM node WHERE cube = ? ORDER BY id", (cube.name,))
                cube.nodes.extend((path, json.loads(value)) for path, value in nodes)
        return found

    def replace_all(self, cubes: Iterable[tuple[str, str, Json]]) -> None:
        """Nothing but these cubes (name, service, configuration), and no writes to repeat. Raises StorageError."""

        def replace(db: sqlite3.Connection) -> None:
            for table in ("cube", "node", "write"):
                db.execute(f"DELETE FROM {table}")
            for name, service, configuration in cubes:
                db.execute("INSERT INTO cube VALUES (?, ?, 1)", (name, service))
                db.execute(_PUT_NODE, (name, "", compact(configuration)))

        self._change(replace)

    def put(self, *changes: Change) -> None:
        """Notes what is so without any write."""
        with self._guard:
            self._outcomes.append(_Outcome(0, changes))
        self._note_outcomes()

    def sync(self) -> None:
        """All that is noted is on the disk. Raises StorageError."""
        self._change(lambda db: None)

    def setting(self, name: str) -> str | None:
        with self._reads() as read:
            found = read("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return found[0] if found else None

    def set_setting(self, name: str, value: str) -> None:
        """Raises StorageError."""
        self._change(lambda db: db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, value)))

    def close(self) -> None:
        self._note_outcomes()
        with self._committing, self._reading:
            self._reader.close()
            self._db.close()
            _keep_room(self._path)
            os.close(self._lock_fd)

    @contextmanager
    def _reads(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        """Runs a query, one thread at a time; all those after a BEGIN see the same. Raises DamagedJournal."""
        with self._reading:
            try:
                yield self._reader.execute
            except (sqlite3.DatabaseError, ValueError) as e:
                raise DamagedJournal(f"{self._path} is damaged: {e}") from None
            finally:
                if self._reader.in_transaction:
                    self._reader.execute("ROLLBACK")

    def _announce(self, request: str, cubes: Sequence[str]) -> _Write:
        with self._guard:
            self._number += 1
            write = _Write(self._number, request, tuple(dict.fromkeys(cubes)))
            self._announced.append(write)
            for cube in write.cubes:
                self._turns.setdefault(cube, deque()).append(write)
            return write

    def _store(self, write: _Write) -> None:
        """On the disk, together with what others have announced meanwhile."""
        with self._committing:
            if not write.stored and not write.problem:
                with self._guard:
                    batch, self._announced = self._announced, []
                try:
                    self._commit(batch)
                    for one in batch:
                        one.stored = True
                except StorageError as e:
                    for one in batch:
                        one.problem = str(e)
        if self._outcomes and not write.problem:
            self._note_outcomes()
        if write.problem:
            raise StorageError(write.problem)

    def _note_outcomes(self) -> None:
        """Of who finds the database in use, its user takes care. A kill cannot undo it; where the machine fails
        before the next announcement is stored, the write is repeated."""
        while self._outcomes and self._committing.acquire(blocking=False):
            try:
                self._commit([], durable=False)
            except StorageError:
                return  # with the next one
            finally:
                self._committing.release()

    def _change(self, action: Callable[[sqlite3.Connection], object]) -> None:
        with self._committing:
            self._commit([], action=action)

    def _commit(
        self,
        batch: list[_Write],
        *,
        durable: bool = True,
        action: Callable[[sqlite3.Connection], object] | None = None,
    ) -> None:
        with self._guard:
            outcomes = list(self._outcomes)
        db = self._db
        try:
            self._check_place()
            db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            db.execute("BEGIN IMMEDIATE")
            for outcome in outcomes:
                for change in outcome.changes:
                    change.apply(db)
                db.execute("DELETE FROM write WHERE number = ?", (outcome.number,))
            db.executemany(
                "INSERT INTO write (number, request) VALUES (?, ?)",
                ((one.number, one.request) for one in batch),
            )
            if action:
                action(db)
            db.execute("COMMIT")
        except (OSError, sqlite3.Error) as e:
            if db.in_transaction:
                db.execute("ROLLBACK")
            self.problem = f"cannot write {self._path}: {e}"
            raise StorageError(self.problem) from None
        self.problem = ""
        with self._guard:
            del self._outcomes[: len(outcomes)]

    def _check_place(self) -> None:
        """What is written into a file without a name is lost."""
        if not self._path.exists():
            raise OSError("it has been removed, restart the host")


def _forget(db: sqlite3.Connection, cube: str) -> None:
    db.execute("DELETE FROM cube WHERE name = ?", (cube,))
    db.execute("DELETE FROM node WHERE cube = ?", (cube,))


def _delete_range(db: sqlite3.Connection, cube: str, first: str, end: str) -> None:
    db.execute("DELETE FROM node WHERE cube = ? AND path >= ? AND path < ?", (cube, first, end))


def _lock(path: Path) -> int:
    """A descriptor of the file that no second host can have."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        check_private(path)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        os.fchmod(fd, 0o600)
    except OSError as e:
        raise StorageError(f"cannot write {path}: {e.strerror or e}") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise StorageError(f"another host is at work on {path}") from None
    return fd


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            db.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {_VERSION}; COMMIT")
        elif version != _VERSION:
            raise DamagedJournal(f"{path} is of another version of pcnhost")
        _check(db)
    except BaseException as e:
        db.close()
        if not isinstance(e, sqlite3.DatabaseError):
            raise
        # Of what the file system does not let it do, SQLite has told the code; the rest is for us to blame on the file.
        code = getattr(e, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        if isinstance(e, sqlite3.OperationalError) and code != sqlite3.SQLITE_ERROR:
            full = ", there is no space left" if shutil.disk_usage(path.parent).free < _ROOM_BYTES else ""
            raise StorageError(f"cannot write {path}: {e}{full}") from None
        raise DamagedJournal(f"{path} is damaged: {e}") from None
    return db


def _room(path: Path) -> Path:
    return path.with_name(path.name + "-room")


def _keep_room(path: Path) -> None:
    """SQLite removes the files beside its database when that is closed, and needs them to open it: a disk that is
    full by then must not keep the host from starting."""
    room = _room(path)
    try:
        fd = os.open(room, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(fd, 0, _ROOM_BYTES)
        finally:
            os.close(fd)
    except OSError:  # the disk is full already
        room.unlink(missing_ok=True)


def _check(db: sqlite3.Connection) -> None:
    """Raises DatabaseError when anything is not as the host has written it, wherever in the file."""
    db.execute(
        "SELECT cube.name, service, whole, path, tries, setting.value FROM cube, node, write, setting LIMIT 1"
    ).fetchall()
    (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(found.splitlines()[-1])
    strange = "SELECT path FROM node WHERE typeof(value) != 'text' OR NOT json_valid(value) LIMIT 1"
    if found := db.execute(strange).fetchone():
        raise sqlite3.DatabaseError(f"what is at {found[0]!r} is no JSON")


def check_private(path: Path) -> None:
    """Raises OSError when somebody else may have written what is at `path`, if anything is."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(found.st_mode):
        raise OSError("it is not a regular file")
    if found.st_uid not in (0, os.geteuid()) or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise OSError("others can write it")
