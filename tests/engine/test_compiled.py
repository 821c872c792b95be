"""What has been compiled once is taken from a file, by any process, as long as nothing has changed."""

import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pcnhost.engine import Engine, bpf, compile, compiled, source
from pcnhost.engine.compile import Module, compile_text
from pcnhost.engine.compiled import Cache, Compiled

from .programs import CABLE, program
from .support import create, open_files

pytestmark = pytest.mark.root

COUNTS = """
BPF_HASH(seen, u32, u64, 77);
int run(struct __sk_buff *ctx) { u32 k = 0; u64 *n = seen.lookup(&k); return n ? *n : 7; }
"""


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    compile.keep_results(Cache(tmp_path / "kept"))
    yield tmp_path / "kept"
    compile.keep_results(None)


def forbid_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compile._compiler, "ask", lambda *_: pytest.fail("the compiler was asked"))


def files(directory: Path) -> list[Path]:
    return sorted(directory.iterdir())


def shape(module: Module) -> tuple[list[tuple[str, int]], dict[str, bpf.MapSpec]]:
    """All of it but the numbers of descriptors, which are closed."""
    functions = [(name, len(insns)) for name, insns in module.functions.items()]
    tables = {name: bpf.map_spec(fd) for name, fd in module.tables.items()}
    bpf.load_program(bpf.PROG_TYPE_SCHED_CLS, "run", module.linked("run", module.tables))
    module.close()
    return functions, tables


def test_the_second_time_needs_no_compiler(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = shape(compile_text(COUNTS, ()))
    forbid_compiler(monkeypatch)
    before = open_files()
    assert shape(compile_text(COUNTS, ())) == first
    assert open_files() == before + 1  # the loaded program


@pytest.mark.parametrize("changed", ["text", "flags", "kernel", "headers"])
def test_what_has_changed_is_compiled(directory: Path, changed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compile_text(COUNTS, ()).close()
    text, flags = COUNTS, []
    if changed == "text":
        text += " "
    elif changed == "flags":
        flags = ["-DNEW"]
    elif changed == "kernel":
        names = list(os.uname())
        names[3] = "#2 another build"
        monkeypatch.setattr(os, "uname", lambda: os.uname_result(names))
    else:
        monkeypatch.setenv("BCC_KERNEL_SOURCE", f"/lib/modules/{os.uname().release}/build")
    compile_text(text, flags).close()
    assert len(files(directory)) == 2


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"functions": 1}', '{"functions": {}, "tables": {"t": 1}}']
)
def test_a_damaged_file_is_replaced(directory: Path, damage: str) -> None:
    first = shape(compile_text(COUNTS, ()))
    (file,) = files(directory)
    good = file.stat().st_size
    file.write_text(damage)
    assert shape(compile_text(COUNTS, ())) == first
    assert files(directory) == [file]
    assert file.stat().st_size >= good - 8


def test_several_threads_keep_the_same(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    result = Compiled({"run": bytes(100_000)}, {})
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: Cache(directory).put("text", (), result), range(100)))
    assert Cache(directory).get("text", ()) == result
    assert len(files(directory)) == 1


def test_where_others_can_write_nothing_is_kept_or_taken(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    compile_text(COUNTS, ()).close()
    (file,) = files(directory)
    file.write_text(file.read_text().replace("functions", "fictions"))
    directory.chmod(0o777)
    compile_text(COUNTS, ()).close()
    assert "this user alone" in caplog.text
    assert "fictions" in file.read_text()
    directory.chmod(0o700)
    os.chown(directory, 65534, 65534)
    compile_text(COUNTS, ()).close()
    assert "fictions" in file.read_text()


def test_a_link_to_elsewhere_is_not_followed(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    directory.symlink_to(tmp_path / "elsewhere")
    compile_text(COUNTS, ()).close()
    assert files(tmp_path / "elsewhere") == []


def test_warnings_come_each_time(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        caplog.clear()
        compile_text(f"#warning look here\n{COUNTS}", ()).close()
        assert "look here" in caplog.text


def test_tables_of_tables_are_not_kept(directory: Path) -> None:
    inner = 'BPF_ARRAY(inner, u64, 4); BPF_ARRAY_OF_MAPS(outer, "inner", 8);'
    for _ in range(2):
        module = compile_text(f"{inner}\nint run(struct __sk_buff *ctx) {{ return 0; }}", ())
        assert set(module.tables) == {"inner", "outer"}
        module.close()
    assert not directory.exists()


def test_the_oldest_go(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "FILES_KEPT", 2)

    def compile_number(number: int) -> None:
        time.sleep(0.02)  # times of files are as coarse as the kernel's ticks
        compile_text(f"int run(void *ctx) {{ return {number}; }}", ()).close()

    for number in (1, 2, 1, 3):
        compile_number(number)
    assert len(files(directory)) == 2
    forbid_compiler(monkeypatch)
    compile_number(1)
    compile_number(3)


def test_a_full_disk_is_no_reason_to_fail(
    directory: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    compile_text(COUNTS, ()).close()
    assert "No space left" in caplog.text


def test_a_cube_like_an_earlier_one_needs_no_compiler(
    directory: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(engine, CABLE)
    engine.destroy_cube("c1")
    forbid_compiler(monkeypatch)
    create(engine, CABLE)


def test_who_asks_for_the_wall_clock_gets_that_of_its_process(directory: Path) -> None:
    uses = program("return pcn_get_time_epoch() & 1;")
    assert source.complete(uses, source.Hook.TC) != source.complete(CABLE, source.Hook.TC)
    assert f"_EPOCH_BASE {source.epoch_base()}ULL" in source.complete(uses, source.Hook.TC)
    assert "_EPOCH_BASE 0ULL" in source.complete(CABLE, source.Hook.TC)


def test_a_full_disk_keeps_nothing(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "none", str(tmp_path)], check=True)
    try:
        with pytest.raises(OSError, match="No space left"):
            Cache(tmp_path).put("text", (), Compiled({"run": bytes(100_000)}, {}))
        assert files(tmp_path) == []
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
