"""What is kept of the cubes: after writes, after a crash, and what comes back from it."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pcnhost import retries
from pcnhost.engine.compile import NO_ANSWER
from pcnhost.library import ErrorTag
from pcnhost.persistence import CannotRestore, Persistence
from pcnhost.rest.answers import Answer
from pcnhost.rest.daemon import Daemon
from pcnhost.rest.router import Router
from tests.unit.rest.store_host import Host, PlainCube, PlainPort

READ = {
    "name": "s1",
    "uuid": "cube-uuid",
    "service-name": "store",
    "loglevel": "INFO",
    "ports": [{"name": "p1", "uuid": "port-uuid", "status": "UP", "peer": "veth1", "colour": ""}],
    "site": "here",
    "visitors": 5,
    "climate": {"celsius": 18.5, "limits": {"low": 3}},
    "box": [
        {"side": "left", "row": 1, "content": "nails", "opened": True, "seal": [{"row": 2, "stamp": "x"}]},
        {"side": "RIGHT", "row": 1, "content": "pins"},
    ],
}

NAILS = {"row": 1, "side": "left", "content": "nails", "seal": [{"row": 2, "stamp": "x"}]}
PINS = {"row": 1, "side": "RIGHT", "content": "pins"}
KEPT: dict[str, Any] = {
    "service-name": "store",
    "name": "s1",
    "loglevel": "INFO",
    "ports": [{"name": "p1", "peer": "veth1"}],
    "site": "here",
    "climate": {"celsius": 18.5, "limits": {"low": 3}},
    "box": [NAILS, PINS],
}
_PAGE = 4096  # of the journal, in bytes


class Keeper:
    """The host of a test, with what it keeps."""

    def __init__(self, host: Host, path: Path) -> None:
        self.host = host
        self.engine: Any = host.engine
        self.path = path
        self.open()

    def open(self, **options: bool) -> None:
        self.kept = Persistence(self.path, **options)
        daemon = Daemon(self.engine, self.host.services, "host:1", self.kept)
        self.host.router = Router(self.engine, self.host.services, daemon, self.kept)

    def restore(self) -> None:
        service = self.host.services.get("store")
        assert service is not None
        self.kept.restore(service, self.engine)
        self.kept.repeat_others(self.host.router.answer)

    def content(self) -> Any:
        self.kept.save()
        return json.loads(self.path.read_text())

    def done(self, method: str, path: str, body: object = None) -> Answer:
        answer = self.host.ask(method, path, "" if body is None else json.dumps(body))
        assert answer.status < 300, answer.body
        return answer


@pytest.fixture
def keeper(host: Host, tmp_path: Path) -> Keeper:
    return Keeper(host, tmp_path / "new" / "cubes.yaml")


@pytest.fixture
def filled(keeper: Keeper) -> Keeper:
    """The cube s1 is as in READ, and kept."""
    del keeper.host.engine.cubes["s1"]
    keeper.host.answering("read_store_by_id_handler", json.dumps(READ))
    keeper.done("POST", "store/s1", {})
    return keeper


def test_file_holds_what_would_create_the_cubes(filled: Keeper) -> None:
    assert filled.content() == [KEPT]
    assert [path.stat().st_mode & 0o777 for path in filled.path.parent.iterdir()] == [0o600] * 4
    filled.kept.close()
    assert [path.stat().st_mode & 0o777 for path in filled.path.parent.iterdir()] == [0o600] * 3


def test_cube_that_is_deleted_is_not_kept(filled: Keeper) -> None:
    filled.host.answering("read_store_by_id_handler", "", ErrorTag.GENERIC_ERROR)
    filled.done("DELETE", "store/s1")
    assert filled.content() == []


def test_refused_write_changes_nothing_kept(filled: Keeper) -> None:
    filled.host.answering("create_store_box_by_id_handler", "no", ErrorTag.BAD_REQUEST)
    assert filled.host.ask("POST", "store/s1/box/LEFT/9", '{"content":"a"}').status == 400
    assert filled.host.ask("POST", "store/s1/box/LEFT/9", '{"content":5}').status == 400
    assert filled.content() == [KEPT]


def test_entry_is_kept_as_the_service_says_it_is(filled: Keeper) -> None:
    filled.host.answering("read_store_box_by_id_handler", '{"side":"left","row":1,"content":"screws"}')
    filled.done("PUT", "store/s1/box/LEFT/1", {"content": "screw"})
    assert filled.content()[0]["box"] == [{"row": 1, "side": "left", "content": "screws"}, PINS]


def test_leaf_and_container_change_only_themselves(filled: Keeper) -> None:
    filled.host.answering("read_store_box_content_by_id_handler", '"glue"')
    filled.done("PATCH", "store/s1/box/right/1/content", "glue")
    filled.host.answering("read_store_climate_celsius_by_id_handler", "20.5")
    filled.done("PATCH", "store/s1/climate/celsius", 20.5)
    filled.host.answering("read_store_climate_limits_low_by_id_handler", "-1")
    filled.done("PATCH", "store/s1/climate/limits", {"low": -1})
    assert filled.content()[0]["box"] == [NAILS, PINS | {"content": "glue"}]
    assert filled.content()[0]["climate"] == {"celsius": 20.5, "limits": {"low": -1}}


def test_patch_of_the_cube_reads_what_it_names_only(filled: Keeper) -> None:
    filled.host.answering("read_store_box_by_id_handler", '{"side":"left","row":1,"content":"screws"}')
    asked = len(filled.host.library.asked)
    filled.done("PATCH", "store/s1", {"box": [{"side": "LEFT", "row": 1, "content": "screws"}]})
    assert [one.symbol for one in filled.host.library.asked[asked:]] == [
        "update_store_by_id_handler",
        "read_store_box_by_id_handler",
    ]
    assert filled.content()[0]["box"] == [{"row": 1, "side": "left", "content": "screws"}, PINS]


def test_entry_that_is_deleted_goes_with_what_is_in_it(filled: Keeper) -> None:
    filled.done("DELETE", "store/s1/box/LEFT/1")
    assert filled.content()[0]["box"] == [PINS]


def test_list_is_read_when_the_service_has_made_something_else_of_an_entry(filled: Keeper) -> None:
    filled.host.answering("read_store_box_list_by_id_handler", json.dumps([PINS, {**NAILS, "row": 7}]))
    filled.host.answering("read_store_box_by_id_handler", "none", ErrorTag.GENERIC_ERROR)
    filled.done("POST", "store/s1/box", [{"side": "LEFT", "row": 5, "content": "nails"}])
    assert filled.content()[0]["box"] == [PINS, {**NAILS, "row": 7}]


def test_list_that_is_replaced_or_deleted(filled: Keeper) -> None:
    filled.host.answering("read_store_box_list_by_id_handler", json.dumps([PINS]))
    filled.done("PUT", "store/s1/box", [PINS])
    assert filled.content()[0]["box"] == [PINS]
    filled.host.answering("read_store_box_list_by_id_handler", "[]")
    filled.done("DELETE", "store/s1/box")
    assert "box" not in filled.content()[0]


def test_action_may_have_changed_anything(filled: Keeper) -> None:
    filled.host.answering("read_store_by_id_handler", json.dumps(READ | {"site": "there"}))
    filled.done("POST", "store/s1/box/LEFT/1/shake", {"gently": True})
    assert filled.content() == [KEPT | {"site": "there"}]


def test_base_leaves_are_kept(filled: Keeper) -> None:
    filled.host.engine.cubes["s1"].ports["p1"] = PlainPort("p1")
    filled.done("PATCH", "store/s1/loglevel", "debug")
    filled.done("PATCH", "store/s1/ports/p1/peer", "veth2")
    assert filled.content() == [KEPT | {"loglevel": "DEBUG", "ports": [{"name": "p1", "peer": "veth2"}]}]


def test_service_that_is_unloaded_takes_its_cubes_along(filled: Keeper) -> None:
    filled.done("DELETE", "services/store")
    assert filled.content() == []


def test_what_was_kept_comes_back(filled: Keeper) -> None:
    filled.kept.close()
    filled.host.engine.cubes.clear()
    filled.open()
    assert filled.kept.not_restored["s1"].reason == "there is no service store"
    filled.restore()
    created = json.loads(filled.host.library.asked[-1].body)
    assert created["box"] == [{**NAILS, "kilos": 1}, {**PINS, "kilos": 1}]
    assert created["ports"] == KEPT["ports"]
    assert not filled.kept.not_restored


def test_cube_that_cannot_be_restored_is_kept_and_shown(filled: Keeper) -> None:
    filled.kept.close()
    filled.host.engine.cubes.clear()
    filled.open()
    filled.host.answering("create_store_by_id_handler", "no room", ErrorTag.GENERIC_ERROR)
    filled.restore()
    assert json.loads(filled.host.ask("GET", "status").body)["cubes-not-restored"] == [
        {"name": "s1", "service-name": "store", "reason": "no room"}
    ]
    assert "pcnhost_cubes_not_restored 1.0" in filled.host.ask("GET", "metrics").body
    assert filled.content() == [KEPT]


def _die(filled: Keeper, symbol: str, method: str, path: str, body: object) -> None:
    """The host is killed while the service carries out a request."""
    child = os.fork()
    if child == 0:
        filled.host.library.dying_at = symbol
        filled.host.ask(method, path, json.dumps(body))
        os._exit(0)
    assert os.WEXITSTATUS(os.waitpid(child, 0)[1]) == 9
    filled.kept.close()
    filled.host.engine.cubes.clear()
    filled.open()


def test_write_that_a_crash_interrupts_is_repeated(filled: Keeper) -> None:
    _die(filled, "create_store_box_by_id_handler", "POST", "store/s1/box/LEFT/5", {"content": "a"})
    filled.host.answering("read_store_box_by_id_handler", '{"side":"left","row":5,"content":"a"}')
    filled.restore()
    assert filled.content()[0]["box"][-1] == {"row": 5, "side": "left", "content": "a"}
    asked = len(filled.host.library.asked)
    filled.kept.close()
    filled.host.engine.cubes.clear()
    filled.open()
    filled.restore()
    assert [one.symbol for one in filled.host.library.asked[asked:]] == ["create_store_by_id_handler"]


def test_write_that_ends_the_host_does_not_keep_it_from_starting(filled: Keeper) -> None:
    symbol = "create_store_box_by_id_handler"
    _die(filled, symbol, "POST", "store/s1/box/LEFT/5", {"content": "a"})
    for _ in range(3):
        filled.kept.close()
        child = os.fork()
        if child == 0:
            filled.open()
            filled.host.library.dying_at = symbol
            filled.restore()
            os._exit(0)
        assert os.WEXITSTATUS(os.waitpid(child, 0)[1]) == 9
        filled.open()
    filled.host.library.dying_at = symbol
    filled.restore()
    assert filled.content() == [KEPT]


def test_refused_write_that_a_crash_interrupts_is_forgotten(filled: Keeper) -> None:
    _die(filled, "create_store_box_by_id_handler", "POST", "store/s1/box/LEFT/5", {"content": "a"})
    filled.host.answering("create_store_box_by_id_handler", "no", ErrorTag.BAD_REQUEST)
    filled.restore()
    assert filled.content() == [KEPT]


def test_write_waits_for_its_cube(filled: Keeper) -> None:
    _die(filled, "create_store_box_by_id_handler", "POST", "store/s1/box/LEFT/5", {"content": "a"})
    filled.host.answering("create_store_by_id_handler", "not now", ErrorTag.GENERIC_ERROR)
    filled.restore()
    del filled.host.library.answers["create_store_by_id_handler"]
    filled.host.answering("read_store_box_by_id_handler", '{"side":"left","row":5,"content":"a"}')
    filled.restore()
    assert filled.content()[0]["box"][-1] == {"row": 5, "side": "left", "content": "a"}


def test_write_that_cannot_be_kept_is_refused(filled: Keeper) -> None:
    journal = filled.path.with_name("cubes.yaml.journal")
    journal.rename(journal.with_name("away"))
    asked = len(filled.host.library.asked)
    answer = filled.host.ask("PATCH", "store/s1/mode", '"Closed"')
    assert (answer.status, answer.body) == (
        507,
        f"cannot write {journal}: it has been removed, restart the host; nothing has been changed",
    )
    assert len(filled.host.library.asked) == asked
    assert json.loads(filled.host.ask("GET", "status").body)["persistence"]["state"] == "failing"
    assert "pcnhost_persistence_failing 1.0" in filled.host.ask("GET", "metrics").body
    journal.with_name("away").rename(journal)
    assert filled.host.ask("PATCH", "store/s1/mode", '"Closed"').status == 200
    assert json.loads(filled.host.ask("GET", "status").body)["persistence"] == {"state": "ok"}


def test_file_of_an_earlier_version_is_used(keeper: Keeper) -> None:
    keeper.kept.close()
    for file in keeper.path.parent.iterdir():
        file.unlink()
    keeper.path.write_text(json.dumps([KEPT | {"name": "s2"}]))
    keeper.open()
    keeper.host.answering("read_store_by_id_handler", json.dumps(READ | {"name": "s2"}))
    keeper.restore()
    assert keeper.content() == [KEPT | {"name": "s2"}]
    keeper.host.answering("read_store_box_content_by_id_handler", '"glue"')
    keeper.done("PATCH", "store/s2/box/right/1/content", "glue")
    assert keeper.content()[0]["box"] == [NAILS, PINS | {"content": "glue"}]


def test_file_that_somebody_has_changed_counts(filled: Keeper) -> None:
    filled.kept.close()
    filled.path.write_text(json.dumps([KEPT | {"site": "there"}]))
    filled.host.engine.cubes.clear()
    filled.open()
    filled.restore()
    assert json.loads(filled.host.library.asked[-2].body)["site"] == "there"
    assert json.loads(filled.path.with_name("cubes.yaml.old").read_text()) == [KEPT]


DAMAGED = {
    "[": "malformed JSON",
    "5": "no array",
    '{"name":"c0"}': "no array",
    "[1,2]": r"\[0\] is no cube",
    '[{"name":"c0"}]': r"\[0\] is no cube, name and service-name are expected",
    '[{"name":"c0","service-name":"store"},5]': r"\[1\] is no cube",
    "\xff": "utf-8",
}


@pytest.mark.parametrize(("content", "message"), DAMAGED.items())
def test_damaged_file_is_refused_and_left(host: Host, tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "cubes.yaml"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(CannotRestore, match=f"{path} cannot be used: .*{message}.* Mend it, or start with"):
        Persistence(path)
    assert path.read_text(encoding="latin-1") == content
    kept = Persistence(path, clean=True)
    assert path.read_text(encoding="latin-1") == content
    kept.forget()
    assert path.with_name("cubes.yaml.bad").read_text(encoding="latin-1") == content
    kept.close()
    assert path.read_text() == "[]"


@pytest.mark.parametrize("content", ["", "{}", "[]", " "])
def test_file_without_cubes(host: Host, tmp_path: Path, content: str) -> None:
    path = tmp_path / "cubes.yaml"
    path.write_text(content)
    assert not Persistence(path).not_restored


def test_damaged_journal_is_refused_and_left(filled: Keeper) -> None:
    filled.kept.close()
    journal = filled.path.with_name("cubes.yaml.journal")
    journal.write_bytes(b"no database at all" * 100)
    with pytest.raises(
        CannotRestore, match=f"{journal} is damaged: .*Remove it to start with {filled.path}, or"
    ):
        Persistence(filled.path)
    assert journal.read_bytes().startswith(b"no database")
    filled.open(clean=True)
    assert journal.with_name("cubes.yaml.journal.bad").read_bytes().startswith(b"no database")


def _page_in_the_middle(journal: Path) -> None:
    content = bytearray(journal.read_bytes())
    middle = len(content) // _PAGE // 2 * _PAGE
    content[middle : middle + _PAGE] = b"\xff" * _PAGE
    journal.write_bytes(content)


def _second_half(journal: Path) -> None:
    content = journal.read_bytes()
    journal.write_bytes(content[: len(content) // _PAGE // 2 * _PAGE])


def _by_sql(statement: str) -> Callable[[Path], None]:
    def damage(journal: Path) -> None:
        with contextlib.closing(sqlite3.connect(journal, isolation_level=None)) as db:
            db.execute(statement)

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        _page_in_the_middle,
        _second_half,
        _by_sql("DROP TABLE setting"),
        _by_sql("ALTER TABLE node RENAME COLUMN value TO other"),
        _by_sql("UPDATE node SET value = '{' WHERE id = 100"),
        _by_sql("UPDATE node SET value = x'ff' WHERE id = 100"),
        _by_sql("INSERT INTO write (number, request) VALUES (1000, 'GET')"),
        _by_sql("INSERT INTO write (number, request) VALUES (1000, '[1, 2]')"),
    ],
)
def test_any_damage_of_the_journal_is_told(filled: Keeper, damage: Callable[[Path], None]) -> None:
    boxes = [{**PINS, "row": row, "content": "x" * 200} for row in range(1000)]
    filled.host.answering("read_store_box_list_by_id_handler", json.dumps(boxes))
    filled.done("PUT", "store/s1/box", boxes)
    filled.kept.close()
    journal = filled.path.with_name("cubes.yaml.journal")
    damage(journal)
    before = journal.read_bytes()
    for _ in range(2):
        with pytest.raises(CannotRestore, match=f"{journal} is damaged: .*Remove it to start with"):
            Persistence(filled.path)
    assert journal.read_bytes() == before
    filled.open(clean=True)
    filled.kept.forget()
    assert journal.with_name("cubes.yaml.journal.bad").read_bytes() == before
    assert filled.content() == []


def test_file_that_others_can_write_is_refused(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "cubes.yaml"
    path.write_text("[]")
    path.chmod(0o666)
    with pytest.raises(CannotRestore, match="others can write it"):
        Persistence(path)
    path.unlink()
    path.symlink_to("/etc/passwd")
    with pytest.raises(CannotRestore, match="not a regular file"):
        Persistence(path)


def test_second_host_with_the_same_file_is_refused(keeper: Keeper) -> None:
    with pytest.raises(CannotRestore, match="another host is at work on"):
        Persistence(keeper.path)


def test_clean_start_forgets(filled: Keeper) -> None:
    filled.kept.close()
    filled.host.engine.cubes["s1"] = PlainCube("s1", "store")
    filled.open(clean=True)
    filled.kept.forget()
    assert filled.path.read_text() == "{}"
    assert filled.content() == []


def test_kept_peers_survive_a_connect(filled: Keeper) -> None:
    port = filled.host.engine.cubes["s1"].ports["p1"] = PlainPort("p1")

    def connect(peer1: str, peer2: str) -> None:
        port.peer = peer2

    filled.engine.connect = connect
    filled.done("POST", "connect", {"peer1": "s1:p1", "peer2": "veth9"})
    assert filled.content()[0]["ports"] == [{"name": "p1", "peer": "veth9"}]


def test_numeric_keys_may_be_strings_in_the_file(host: Host, tmp_path: Path) -> None:
    """As in the file of polycubed, which keeps keys that came in a URL as they were there."""
    path = tmp_path / "cubes.json"
    content = {
        **KEPT,
        "box": [{**NAILS, "row": "1", "seal": [{"row": "2", "stamp": "x"}]}, {**PINS, "row": "1"}],
    }
    path.write_text(json.dumps([content]))
    del host.engine.cubes["s1"]
    keeper = Keeper(host, path)
    host.answering("read_store_by_id_handler", json.dumps(READ))
    keeper.restore()
    assert not keeper.kept.not_restored
    created = next(asked for asked in host.library.asked if asked.symbol.startswith("create_store"))
    assert json.loads(created.body)["box"] == [{**NAILS, "kilos": 1}, {**PINS, "kilos": 1}]
    assert keeper.content() == [KEPT]


def test_restore_that_the_compiler_keeps_waiting_is_tried_again(
    filled: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "FIRST_PAUSE_S", 0.05)
    filled.kept.close()
    filled.host.engine.cubes.clear()
    filled.open()
    slow = f"{NO_ANSWER} within 60 s"
    filled.host.answering("create_store_by_id_handler", slow, ErrorTag.GENERIC_ERROR)
    filled.restore()
    reason = f"{slow}, it is tried again"
    assert filled.kept.not_restored["s1"].reason == reason
    asked = len(filled.host.library.asked)
    _wait(lambda: len(filled.host.library.asked) > asked + 1)
    assert filled.kept.not_restored["s1"].reason == reason
    filled.host.answering("create_store_by_id_handler", "", ErrorTag.CREATED)
    _wait(lambda: not filled.kept.not_restored)
    assert filled.content() == [KEPT]
    filled.kept.close()


def _wait(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
