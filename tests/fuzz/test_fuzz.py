"""The handlers of the service under libFuzzer with AddressSanitizer and UndefinedBehaviorSanitizer, from a kept corpus.

FUZZ_SECONDS (20; CI: 60) with what compiles fast: not optimized, and without the sanitizers in what comes from system
headers. `make fuzz` leaves nothing out, takes ten minutes and adds what it has found to the corpus."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from testbed.host import PROJECT

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
SECONDS = int(os.environ.get("FUZZ_SECONDS", "20"))
THOROUGH = "FUZZ_THOROUGH" in os.environ
COMPILER = "clang++-14"
FAST = f"-O0 -fsanitize-ignorelist={HERE / 'system-headers.txt'}"

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800 + 2 * SECONDS)]


def fuzzer() -> Path:
    build = PROJECT / "build" / "fuzz" / ("thorough" if THOROUGH else "fast")
    build.mkdir(parents=True, exist_ok=True)
    options = [f"-DCMAKE_CXX_COMPILER={COMPILER}", "-DCMAKE_BUILD_TYPE=None"]
    options.append(f"-DCHECKED={'-O1' if THOROUGH else FAST}")
    with (build / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        configure = ["cmake", "-S", str(HERE), "-B", str(build), *options]
        for command in (configure, ["cmake", "--build", str(build), "-j", "2"]):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
    return build / "fuzz"


def run(program: Path, *arguments: object) -> str:
    environment = {**os.environ, "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
    command = [str(argument) for argument in (program, *arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", env=environment, check=False
    )
    assert done.returncode == 0, done.stderr[-10000:]
    return done.stderr


@pytest.mark.skipif(shutil.which(COMPILER) is None, reason=f"{COMPILER} is not there (make setup)")
def test_handlers_stand_any_bytes(tmp_path: Path) -> None:
    program = fuzzer()
    found = tmp_path / "found"
    found.mkdir()
    options = ["-max_len=2048", "-timeout=20", "-rss_limit_mb=2048", f"-dict={HERE / 'words.dict'}"]
    options += [f"-artifact_prefix={tmp_path}/", "-print_final_stats=1"]
    if not THOROUGH:
        options.append("-entropic=0")  # what to try next is chosen with less care, but twice as often
    said = run(program, *options, f"-max_total_time={SECONDS}", found, CORPUS)
    print("\n".join(line for line in said.splitlines() if line.startswith("stat::")))
    if THOROUGH:
        merged = tmp_path / "merged"
        merged.mkdir()
        run(program, *options, "-merge=1", merged, CORPUS, found)
        for old in CORPUS.iterdir():
            old.unlink()
        for one in merged.iterdir():
            shutil.copy(one, CORPUS)
