"""The two commands, and how a datapath is joined."""

from __future__ import annotations

from pathlib import Path

import pytest

from codegen import __main__ as cli
from codegen import datapath, export, rst

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
    """A small project of the same layout, with the real model."""
    files = {
        "datamodel/k8slbrp.yang": YANG.read_text(),
        "datamodel/names.toml": YANG.with_name("names.toml").read_text(),
        "src/lb_dp.c": '#include "datapath/maps.h"\n',
        "src/datapath/maps.h": "int maps;\n",
        "src/lb.cpp": "int  unformatted ;\n",
        "upstream/test/test_one.sh": "polycubectl k8slbrp add lb1\n",
        "upstream/words.txt": "k8slbrp\nMaglev\n",
        "pcn-k8slbrp.md": "# k8slbrp\n\n`port_mode` is `MULTI` unless given.\n",
    }
    for name, text in files.items():
        (tmp_path / "project" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "project" / name).write_text(text)
    return tmp_path / "project"


@pytest.fixture
def polycube(tmp_path: Path) -> Path:
    """What of a Polycube tree an export has to do with, the present lbrp included."""
    files = {
        ".clang-format": "BasedOnStyle: Google\n",
        "src/services/CMakeLists.txt": (
            "include(x)\nadd_service(bridge pcn-bridge)\nadd_service(lbrp pcn-loadbalancer-rp)\n"
            "add_service(nat pcn-nat)\n\nfile(WRITE y)\n"
        ),
        "src/services/pcn-loadbalancer-rp/datamodel/lbrp.yang": "module lbrp {}\n",
        "src/services/pcn-loadbalancer-rp/src/Lbrp.cpp": "// theirs\n",
        "src/services/pcn-loadbalancer-rp/test/test_weight.sh": "# theirs\n",
        "Documentation/services/index.rst": (
            "Services\n\n.. toctree::\n    :maxdepth: 2\n\n    pcn-bridge/bridge\n"
            "    pcn-loadbalancer-rp/loadbalancer-rp\n    pcn-nat/nat\n"
        ),
        "Documentation/services/pcn-loadbalancer-rp/loadbalancer-rp.rst": "theirs\n",
        "Documentation/spelling_wordlist.txt": "Bridge\nmaglev",
    }
    for name, text in files.items():
        (tmp_path / "polycube" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "polycube" / name).write_text(text)
    return tmp_path / "polycube"


def exported(project: Path, polycube: Path, *options: str) -> int:
    return export.main(["--polycube", str(polycube), "--project", str(project), *options])


def snapshot(directory: Path) -> dict[str, str]:
    return {str(f.relative_to(directory)): f.read_text() for f in directory.rglob("*") if f.is_file()}


def test_export_makes_a_complete_contribution(project: Path, polycube: Path) -> None:
    before = snapshot(polycube)
    assert exported(project, polycube) == 0
    after = snapshot(polycube)
    service = "src/services/pcn-k8slbrp"
    assert after[f"{service}/datamodel/k8slbrp.yang"] == YANG.read_text()
    assert after[f"{service}/src/datapath/maps.h"] == "int maps;\n"
    assert after[f"{service}/src/lb.cpp"] == "int unformatted;\n"
    assert "int maps;" in after[f"{service}/generated/datapath.h"]
    assert "add_library(pcn-k8slbrp SHARED" in after[f"{service}/CMakeLists.txt"]
    assert after[f"{service}/test/test_one.sh"] == "polycubectl k8slbrp add lb1\n"
    assert (polycube / service / "test/test_one.sh").stat().st_mode & 0o111
    assert f"{service}/.swagger-codegen-ignore" in after
    listing = after["src/services/CMakeLists.txt"]
    assert "add_service(nat pcn-nat)\nadd_service(k8slbrp pcn-k8slbrp)\n\nfile" in listing
    page = after["Documentation/services/pcn-k8slbrp/k8slbrp.rst"]
    assert page == "k8slbrp\n=======\n\n``port_mode`` is ``MULTI`` unless given.\n"
    index = after["Documentation/services/index.rst"]
    assert "    pcn-bridge/bridge\n    pcn-k8slbrp/k8slbrp\n    pcn-loadbalancer-rp/" in index
    assert after["Documentation/spelling_wordlist.txt"] == "Bridge\nmaglev\nk8slbrp\n"
    assert {name for name in before if after[name] != before[name]} == {
        "src/services/CMakeLists.txt",
        "Documentation/services/index.rst",
        "Documentation/spelling_wordlist.txt",
    }


def test_export_of_lbrp_takes_the_place_of_the_present_one(project: Path, polycube: Path) -> None:
    listing = (polycube / "src/services/CMakeLists.txt").read_text()
    assert exported(project, polycube, "--name", "lbrp") == 0
    after = snapshot(polycube)
    service = "src/services/pcn-loadbalancer-rp"
    assert "module lbrp {" in after[f"{service}/datamodel/lbrp.yang"]
    assert "default SINGLE;" in after[f"{service}/datamodel/lbrp.yang"]
    assert f"{service}/src/Lbrp.cpp" not in after and f"{service}/src/lb.cpp" in after
    assert after[f"{service}/test/test_weight.sh"] == "# theirs\n"
    assert after[f"{service}/test/test_one.sh"] == "polycubectl lbrp add lb1\n"
    assert after["src/services/CMakeLists.txt"] == listing
    page = after["Documentation/services/pcn-loadbalancer-rp/loadbalancer-rp.rst"]
    assert page == "lbrp\n====\n\n``port_mode`` is ``SINGLE`` unless given.\n"
    assert after["Documentation/services/index.rst"].count("loadbalancer-rp/") == 1
    assert not any("k8slbrp" in name for name in after)


@pytest.mark.parametrize("name", ["k8slbrp", "lbrp"])
def test_export_can_be_repeated_and_checked(
    project: Path, polycube: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exported(project, polycube, "--name", name, "--check") == 1
    before = snapshot(polycube)
    assert exported(project, polycube, "--name", name) == 0
    after = snapshot(polycube)
    assert before != after
    capsys.readouterr()
    assert exported(project, polycube, "--name", name, "--check") == 0
    assert capsys.readouterr().out == ""
    assert exported(project, polycube, "--name", name) == 0
    assert snapshot(polycube) == after
    (project / "src/lb.cpp").rename(project / "src/new.cpp")
    folder = Path("src/services") / {"lbrp": "pcn-loadbalancer-rp"}.get(name, "pcn-k8slbrp")
    (polycube / folder / "generated/config.h").write_text("edited\n")
    capsys.readouterr()
    assert exported(project, polycube, "--name", name, "--check") == 1
    assert capsys.readouterr().out.splitlines() == [
        f"{folder / file} is not what an export writes"
        for file in ("generated/config.h", "src/lb.cpp", "src/new.cpp")
    ]
    assert (polycube / folder / "src/lb.cpp").exists(), "--check changes nothing"
    assert exported(project, polycube, "--name", name) == 0
    assert [file.name for file in (polycube / folder / "src").glob("*.cpp")] == ["new.cpp"]


def test_export_leaves_alone_what_is_another_service(
    project: Path, polycube: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = polycube / "src/services/pcn-k8slbrp"
    foreign.mkdir()
    (foreign / "CMakeLists.txt").write_text("project(theirs)\n")
    before = snapshot(polycube)
    assert exported(project, polycube) == 1
    assert "is not the service k8slbrp" in capsys.readouterr().err
    assert snapshot(polycube) == before


def test_export_needs_a_polycube_tree_one_datapath_and_a_known_name(
    project: Path, tmp_path: Path, polycube: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(export.ExportError, match="not a Polycube tree"):
        export.contribution(project, tmp_path)
    assert exported(project, polycube, "--name", "nat") == 1
    assert "nat is no name of k8slbrp, allowed: k8slbrp, lbrp" in capsys.readouterr().err
    (project / "src/other_dp.c").write_text("")
    with pytest.raises(export.ExportError, match="exactly one"):
        export.contribution(project, polycube)


def test_markdown_becomes_restructured_text() -> None:
    text = (
        "# Title of `it`\n\nSee [here](http://x), **now**.\n\n## Part\n\n- one\n- two\n\n    code\n    more\n\n"
        "```console\n$ a\n\n$ b\n```\n\n| a | `b` |\n|---|---|\n| 1 |  |\n"
    )
    assert rst.from_markdown(text) == (
        "Title of ``it``\n===============\n\nSee `here <http://x>`__, **now**.\n\nPart\n----\n\n- one\n- two\n\n"
        "::\n\n    code\n    more\n\n::\n\n    $ a\n\n    $ b\n\n"
        ".. list-table::\n    :header-rows: 1\n\n    * - a\n      - ``b``\n    * - 1\n      -\n"
    )
