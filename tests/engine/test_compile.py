"""The compiler, which may end at any text without taking the host along."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pcnhost.engine import Engine, bpf
from pcnhost.engine.compile import CompileError, Module, compile_text
from pcnhost.errors import HostError

from .programs import PASS, program
from .support import create, eventually, open_files

pytestmark = pytest.mark.root

# LLVM ends its process at this one.
TOO_MUCH_STACK = "volatile char all[1024]; all[ctx->len & 1023] = 1; return all[5];"
GOOD = "return ctx->len;"


def compiled(body: str, before: str = "") -> Module:
    return compile_text(f"{before}\nint run(struct __sk_buff *ctx) {{ {body} }}", ())


def compilers() -> Iterator[int]:
    """The processes that this one has compile for it."""
    for task in Path("/proc/self/task").iterdir():
        for pid in (task / "children").read_text().split():
            if b"compiler.py" in Path(f"/proc/{pid}/cmdline").read_bytes():
                yield int(pid)


def test_the_error_is_what_the_compiler_says() -> None:
    with pytest.raises(CompileError, match="use of undeclared identifier 'nothing'"):
        compiled("return nothing;")


def test_a_text_that_ends_the_compiler_is_an_error_like_others() -> None:
    with pytest.raises(CompileError, match="BPF stack limit of 512 bytes is exceeded"):
        compiled(TOO_MUCH_STACK)
    compiled(GOOD).close()


def test_a_cube_whose_text_ends_the_compiler_does_not_come_to_be(engine: Engine) -> None:
    with pytest.raises(HostError, match="BPF stack limit"):
        create(engine, program(TOO_MUCH_STACK))
    assert engine.cubes == {}
    create(engine, PASS)


def test_a_compiler_that_was_killed_is_replaced() -> None:
    compiled(GOOD).close()
    (before,) = compilers()
    os.kill(before, signal.SIGKILL)
    assert eventually(lambda: "State:\tZ" in Path(f"/proc/{before}/status").read_text())
    compiled(GOOD).close()
    (after,) = compilers()
    assert after != before


def test_warnings_are_shown(capfd: pytest.CaptureFixture[str]) -> None:
    compiled("return 7;", "#warning look here").close()
    assert "look here" in capfd.readouterr().err


def test_several_threads_get_their_own_answers() -> None:
    def constant(number: int) -> bytes:
        module = compiled(f"return {number};")
        try:
            return module.functions["run"][4:8]
        finally:
            module.close()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(constant, range(1000, 1024)))
    assert answers == [number.to_bytes(4, "little") for number in range(1000, 1024)]


def test_every_table_arrives_however_many_there_are() -> None:
    sizes = {f"t{number}": number for number in range(1, 260)}
    module = compiled(GOOD, "\n".join(f"BPF_ARRAY({name}, u64, {size});" for name, size in sizes.items()))
    assert {name: bpf.map_spec(fd).max_entries for name, fd in module.tables.items()} == sizes
    module.close()


def test_nothing_stays_open() -> None:
    compiled(GOOD).close()
    before = open_files()
    for body in (GOOD, "return nothing;", TOO_MUCH_STACK):
        try:
            compiled(body, "BPF_HASH(table, u32, u64);").close()
        except CompileError:
            continue
    assert open_files() == before
