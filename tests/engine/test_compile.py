"""The compiler, which may end at any text without taking the host along."""

import os
import resource
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pcnhost.engine import Engine, bpf, compile
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


@pytest.mark.parametrize("when", ["before the request", "during the request"])
def test_a_request_survives_the_end_of_its_compiler(when: str) -> None:
    """It is made again, once."""
    compiled(GOOD).close()
    (compiler,) = compilers()
    os.kill(compiler, signal.SIGSTOP)  # what comes now waits
    if when == "before the request":
        os.kill(compiler, signal.SIGKILL)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(compiled, GOOD)
        time.sleep(0.2)
        if when == "during the request":
            assert not answer.done()
            os.kill(compiler, signal.SIGKILL)
        answer.result(timeout=30).close()


# It takes some time, in which something can happen.
MANY_TABLES = "\n".join(f"BPF_ARRAY(t{i}, u64, 1);" for i in range(250))


def _idle_compiler() -> int:
    """One without children: the last one may take some time to end, after its answer."""
    compiled(GOOD).close()
    (compiler,) = compilers()
    assert eventually(lambda: not _children(compiler))
    return compiler


def test_a_request_survives_the_end_of_its_child() -> None:
    compiler = _idle_compiler()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(compiled, GOOD, MANY_TABLES)
        assert eventually(lambda: _kill_children(compiler))
        answer.result(timeout=30).close()
    assert eventually(lambda: compiler not in compilers())  # another one has been asked


def test_a_request_survives_the_end_of_its_child_and_then_of_the_compiler() -> None:
    """As when all of them are killed, which takes each its own time."""
    compiler = _idle_compiler()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(compiled, GOOD, MANY_TABLES)
        assert eventually(lambda: _children(compiler))
        time.sleep(0.1)  # for the compiler to leave the request to its child
        os.kill(compiler, signal.SIGSTOP)
        _kill_children(compiler)
        time.sleep(0.3)
        os.kill(compiler, signal.SIGKILL)
        answer.result(timeout=30).close()


def _children(compiler: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{compiler}/task/{compiler}/children").read_text().split()]


def _kill_children(compiler: int) -> bool:
    children = _children(compiler)
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    return bool(children)


def test_a_compiler_that_hangs_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled(GOOD).close()
    (before,) = compilers()
    monkeypatch.setattr(compile, "TIME_LIMIT_S", 0.5)
    os.kill(before, signal.SIGSTOP)
    with pytest.raises(CompileError, match=r"^the compiler did not answer within 0\.5 s$"):
        compiled(GOOD)
    monkeypatch.undo()
    compiled(GOOD).close()
    (after,) = compilers()
    assert after != before


def test_those_who_wait_for_a_compiler_that_hangs_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the first to lose its patience gets none."""
    compiled(GOOD).close()
    (compiler,) = compilers()
    os.kill(compiler, signal.SIGSTOP)
    with ThreadPoolExecutor(2) as pool:
        monkeypatch.setattr(compile, "TIME_LIMIT_S", 1)
        impatient = pool.submit(compiled, GOOD)
        time.sleep(0.2)
        monkeypatch.setattr(compile, "TIME_LIMIT_S", 60)
        patient = pool.submit(compiled, GOOD)
        with pytest.raises(CompileError, match="did not answer"):
            impatient.result(timeout=30)
        patient.result(timeout=30).close()


@pytest.mark.parametrize("free", range(12))
def test_without_descriptors_the_error_says_so(free: int) -> None:
    """Wherever in the work they run out; nothing stays open."""
    compiled(GOOD).close()
    before = open_files()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = os.open("/dev/null", os.O_RDONLY)
    os.close(spare)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (spare + free, hard))
        try:
            tables = "".join(f"BPF_HASH(t{i}, u32, u64);" for i in range(6))
            compiled(GOOD, tables).close()
        except CompileError as e:
            assert "Too many open files" in str(e)
        else:
            assert free > 6
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert open_files() <= before


def test_a_cube_without_descriptors_leaves_none_open(engine: Engine) -> None:
    """Whichever of its maps could not be opened."""
    create(engine, PASS)
    engine.destroy_cube("c1")
    before = open_files()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = os.open("/dev/null", os.O_RDONLY)
    os.close(spare)
    made = []
    for free in range(1, 16):
        resource.setrlimit(resource.RLIMIT_NOFILE, (spare + free, hard))
        try:
            create(engine, PASS)
            made.append(free)
        except (HostError, OSError) as e:
            assert "Too many open files" in str(e)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if made:
            engine.destroy_cube("c1")
        assert open_files() <= before, free
        assert engine.cubes == {}
        made.clear()
    create(engine, PASS)


def test_warnings_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    compiled("return 7;", "#warning look here").close()
    assert "look here" in caplog.text


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
    assert open_files() <= before
