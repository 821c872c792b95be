"""The two commands, and how a datapath is joined."""

from __future__ import annotations

from pathlib import Path

import pytest

from codegen import __main__ as cli
from codegen import datapath, export

PROJECT = Path(__file__).resolve().parents[3]
YANG = PROJECT / "datamodel/k8slbrp.yang"


def test_join_takes_each_file_once_and_keeps_the_includes_of_the_host(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/abi.h").write_text("#pragma once\nint abi;\n")
    (tmp_path / "deep/maps.h").write_text('#include "abi.h"\nint maps;')
    main = tmp_path / "main.c"
    main.write_text(
        '#include <uapi/linux/ip.h>\n#include "deep/maps.h"\n  # include "deep/abi.h"\nint main_;\n'
    )
    more = tmp_path / "more.c"
    more.write_text('#include "deep/abi.h"\n#include "main.c"\n// #include "absent.h"\n')
    assert datapath.join([main, more]) == (
        '#include <uapi/linux/ip.h>\nint abi;\nint maps;\nint main_;\n// #include "absent.h"\n'
    )


def test_join_names_the_file_that_is_missing(tmp_path: Path) -> None:
    main = tmp_path / "main.c"
    main.write_text('#include "absent.h"\n')
    with pytest.raises(datapath.DatapathError, match=r"absent\.h: No such file"):
        datapath.join([main])


def test_command_writes_only_what_changed(tmp_path: Path) -> None:
    program = tmp_path / "lb_dp.c"
    program.write_text("int handle_rx;\n")
    out = tmp_path / "out"
    command = ["--yang", str(YANG), "--datapath", str(program), "--out", str(out)]
    assert cli.main(command) == 0
    assert 'datapath = R"POLYCUBE(int handle_rx;\n)POLYCUBE";' in (out / "datapath.h").read_text()
    before = {file.name: file.stat().st_mtime_ns for file in out.iterdir()}
    program.write_text("int other;\n")
    assert cli.main(command) == 0
    changed = {file.name for file in out.iterdir() if file.stat().st_mtime_ns != before[file.name]}
    assert changed == {"datapath.h"}


def test_command_without_datapath_and_with_search_path(tmp_path: Path) -> None:
    (tmp_path / "t.yang").write_text(
        'module t { namespace "http://t"; prefix t; import u { prefix u; } leaf x { type u:v; } }'
    )
    (tmp_path / "u.yang").write_text(
        'module u { namespace "http://u"; prefix u; typedef v { type uint8 { range "1..2"; } } }'
    )
    command = ["--yang", str(tmp_path / "t.yang"), "--out", str(tmp_path / "out")]
    assert cli.main([*command, "--yang-path", str(tmp_path)]) == 0
    assert "{{1, 2}}" in (tmp_path / "out/config.cpp").read_text()
    assert not (tmp_path / "out/datapath.h").exists()


@pytest.mark.parametrize("yang", ["absent.yang", "bad.yang"])
def test_command_reports_problems(yang: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.yang").write_text("module bad {")
    assert cli.main(["--yang", str(tmp_path / yang), "--out", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err.startswith("codegen: ")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for folder in ("datamodel", "src/datapath"):
        (tmp_path / "project" / folder).mkdir(parents=True)
    (tmp_path / "project/datamodel/k8slbrp.yang").write_text(YANG.read_text())
    (tmp_path / "project/src/lb_dp.c").write_text('#include "datapath/maps.h"\n')
    (tmp_path / "project/src/datapath/maps.h").write_text("int maps;\n")
    (tmp_path / "project/src/lb.cpp").write_text("// control plane\n")
    return tmp_path / "project"


@pytest.fixture
def polycube(tmp_path: Path) -> Path:
    services = tmp_path / "polycube/src/services"
    services.mkdir(parents=True)
    (services / "CMakeLists.txt").write_text(
        "include(x)\nadd_service(bridge pcn-bridge)\nadd_service(nat pcn-nat)\n\nfile(WRITE y)\n"
    )
    return tmp_path / "polycube"


def test_export_puts_a_service_into_a_polycube_tree(project: Path, polycube: Path) -> None:
    assert export.main(["--polycube", str(polycube), "--project", str(project)]) == 0
    service = polycube / "src/services/pcn-k8slbrp"
    assert (service / "datamodel/k8slbrp.yang").read_text() == YANG.read_text()
    assert (service / "src/lb.cpp").exists() and (service / "src/datapath/maps.h").exists()
    assert "int maps;" in (service / "generated/datapath.h").read_text()
    assert "add_library(pcn-k8slbrp SHARED" in (service / "CMakeLists.txt").read_text()
    listing = (polycube / "src/services/CMakeLists.txt").read_text()
    assert "add_service(nat pcn-nat)\nadd_service(k8slbrp pcn-k8slbrp)\n\nfile" in listing


def test_export_replaces_an_earlier_one(project: Path, polycube: Path) -> None:
    service = export.export(project, polycube)
    listing = (polycube / "src/services/CMakeLists.txt").read_text()
    (project / "src/lb.cpp").rename(project / "src/new.cpp")
    export.export(project, polycube)
    assert [file.name for file in sorted((service / "src").glob("*.cpp"))] == ["new.cpp"]
    assert (polycube / "src/services/CMakeLists.txt").read_text() == listing


def test_export_leaves_alone_what_is_not_its_own(
    project: Path, polycube: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = polycube / "src/services/pcn-k8slbrp"
    foreign.mkdir()
    (foreign / "CMakeLists.txt").write_text("project(theirs)\n")
    assert export.main(["--polycube", str(polycube), "--project", str(project)]) == 1
    assert "was not written by codegen.export" in capsys.readouterr().err
    assert [file.name for file in foreign.iterdir()] == ["CMakeLists.txt"]


def test_export_needs_a_polycube_tree_and_one_datapath(project: Path, tmp_path: Path, polycube: Path) -> None:
    with pytest.raises(export.ExportError, match="not a Polycube tree"):
        export.export(project, tmp_path)
    (project / "src/other_dp.c").write_text("")
    with pytest.raises(export.ExportError, match="exactly one"):
        export.export(project, polycube)
