"""A service that was rebuilt: unloaded and loaded again under the same path, the new code runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, cast

from pcnhost.library import ServiceLibrary
from tests.unit.sdk.map_engine import MapEngine


def load(path: Path) -> ServiceLibrary:
    engine = cast(Any, MapEngine())
    library = ServiceLibrary.open("revision", str(path), engine, Path("/dev/null"), [path.parent])
    library.init()
    return library


def call(library: ServiceLibrary) -> Any:
    return json.loads(library.call("read_revision_by_id_handler", None).message)


def test_rebuilt_library(test_services: Path, tmp_path: Path) -> None:
    path = tmp_path / "libpcn-revision.so"
    for revision in ("1", "2", "1"):
        shutil.copy(test_services / f"libpcn-revision{revision}.so", path)  # same inode: written in place
        library = load(path)
        assert library.data_model == f"revision {revision}"
        assert [call(library) for _ in range(2)] == [
            {"revision": f"revision {revision}", "calls": 1, "here": 1},
            {"revision": f"revision {revision}", "calls": 2, "here": 2},
        ]
        library.close()


def test_file_that_is_overwritten_under_a_loaded_service(test_services: Path, tmp_path: Path) -> None:
    path = tmp_path / "libpcn-revision.so"
    shutil.copy(test_services / "libpcn-revision1.so", path)
    before = load(path)
    path.write_bytes(b"\0" * path.stat().st_size)
    assert call(before)["revision"] == "revision 1"
    shutil.copy(test_services / "libpcn-revision2.so", path)
    after = load(path)
    assert [call(library)["revision"] for library in (before, after, before)] == [
        *("revision 1", "revision 2", "revision 1")
    ]
    before.close()
    assert call(after)["calls"] == 2
    after.close()


def test_no_copy_stays_behind(test_services: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    load(test_services / "libpcn-revision1.so").close()
    assert list(tmp_path.iterdir()) == []
