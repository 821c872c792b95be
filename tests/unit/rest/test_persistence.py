"""The file of cubes: what it holds after changes, and what comes back from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pcnhost.library import ErrorTag
from pcnhost.persistence import CubesDump
from tests.unit.rest.store_host import Host

READ = {
    "name": "s1",
    "uuid": "cube-uuid",
    "service-name": "store",
    "loglevel": "INFO",
    "ports": [{"name": "p1", "uuid": "port-uuid", "status": "UP", "peer": "veth1", "colour": ""}],
    "site": "here",
    "visitors": 5,
    "climate": {"celsius": 18.5},
    "box": [{"side": "LEFT", "row": 1, "content": "nails", "opened": True}],
}

KEPT = {
    "service-name": "store",
    "name": "s1",
    "loglevel": "INFO",
    "ports": [{"name": "p1", "peer": "veth1"}],
    "site": "here",
    "climate": {"celsius": 18.5},
    "box": [{"row": 1, "side": "LEFT", "content": "nails"}],
}


def dumped(host: Host, path: Path, *changed: str) -> Any:
    engine: Any = host.engine
    dump = CubesDump(path, engine)
    dump.start(host.services)
    for name in changed:
        dump.changed(name)
    dump.stop()
    return json.loads(path.read_text())


def test_file_holds_what_would_create_the_cubes(host: Host, tmp_path: Path) -> None:
    host.answering("read_store_by_id_handler", json.dumps(READ))
    assert dumped(host, tmp_path / "new" / "cubes.yaml", "s1", "gone") == [KEPT]


def test_deleted_cube_leaves_the_file(host: Host, tmp_path: Path) -> None:
    host.answering("read_store_by_id_handler", json.dumps(READ))
    path = tmp_path / "cubes.yaml"
    engine: Any = host.engine
    dump = CubesDump(path, engine)
    dump.start(host.services)
    dump.changed("s1")
    del host.engine.cubes["s1"]
    dump.changed("s1")
    dump.stop()
    assert json.loads(path.read_text()) == []


def test_restored_cube_is_created_first_and_connected_then(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "cubes.yaml"
    path.write_text(json.dumps([KEPT | {"name": "s2"}, {"name": "x", "service-name": "shop"}]))
    host.library.ports_of_new_cubes = ("p1",)
    engine: Any = host.engine
    CubesDump(path, engine).restore(host.services)
    created = json.loads(host.last().body or "")
    assert created["ports"] == [{"name": "p1"}]
    assert created["box"] == [{"row": 1, "side": "LEFT", "content": "nails", "kilos": 1}]
    assert host.engine.cubes["s2"].ports["p1"].peer == "veth1"
    assert "x" not in host.engine.cubes


@pytest.mark.parametrize(
    "content", ["", "{}", "5", "[", '[5,{"name":3}]', '[{"name":"a","ports":[5,{"peer":"b"}]}]', "\xff"]
)
def test_file_without_cubes_restores_none(host: Host, tmp_path: Path, content: str) -> None:
    path = tmp_path / "cubes.yaml"
    path.write_text(content, encoding="latin-1")
    engine: Any = host.engine
    CubesDump(path, engine).restore(host.services)
    assert not host.library.asked


def test_cube_that_fails_does_not_stop_the_others(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "cubes.yaml"
    path.write_text('[{"name":"s2","service-name":"store","bogus":1},{"name":"s3","service-name":"store"}]')
    engine: Any = host.engine
    CubesDump(path, engine).restore(host.services)
    assert sorted(host.engine.cubes) == ["s1", "s3"]
    host.answering("create_store_by_id_handler", "no", ErrorTag.GENERIC_ERROR)
    CubesDump(path, engine).restore(host.services)


def test_file_keeps_restored_cubes_with_peers_and_those_that_failed(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "cubes.yaml"
    failing = {"name": "x", "service-name": "shop", "ports": [{"name": "p", "peer": "veth2"}]}
    path.write_text(json.dumps([KEPT | {"name": "s2"}, failing]))
    host.library.ports_of_new_cubes = ("p1",)
    engine: Any = host.engine
    dump = CubesDump(path, engine)
    host.services.changed = dump.changed
    host.answering("read_store_by_id_handler", json.dumps(READ | {"name": "s2"}))
    dump.start(host.services)
    dump.restore(host.services)
    dump.stop()
    assert json.loads(path.read_text()) == [KEPT | {"name": "s2"}, failing]


def test_clearing_writes_an_empty_object(host: Host, tmp_path: Path) -> None:
    engine: Any = host.engine
    CubesDump(tmp_path / "cubes.yaml", engine).clear()
    assert (tmp_path / "cubes.yaml").read_text() == "{}"
