"""What README and documentation show is what happens: their transcripts run as they stand.

Each file gets a shell in a network namespace and with a /run of its own, so that port 9000, the lock file and
the maps belong to it alone."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.lab import Lab, in_namespace
from tests.rest.transcript import Step, steps

PROJECT = Path(__file__).resolve().parents[2]
FILES = sorted(path for path in (PROJECT / "README.md", *(PROJECT / "docs").glob("*.md")) if steps(path))
END = "-- end of output --"


class Shell:
    """An interactive-like bash: jobs have numbers, errors are shown, curl shows no progress."""

    def __init__(self, namespace: str, home: Path) -> None:
        (home / ".curlrc").write_text("silent\nshow-error\n")
        script = "mount -t tmpfs none /run && mount -t bpf none /sys/fs/bpf && exec bash"
        environ = {
            name: text for name, text in os.environ.items() if not name.startswith(("PCN", "POLYCUBE"))
        }
        self._bash = subprocess.Popen(
            [*in_namespace(namespace), "unshare", "--mount", "bash", "-c", script],
            cwd=PROJECT,
            env=environ | {"HOME": str(home), "COLUMNS": "80"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, command: str) -> str:
        """What a command prints. One that stays in the background is waited for until it serves or ends."""
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        serves = "curl -f localhost:9000/polycube/v1/version || ! kill -0 $!"
        wait = f"until {serves}; do sleep 0.1; done >/dev/null 2>&1\n" if command.endswith("&") else ""
        # The shell's own input holds the next commands: no command may read it.
        self._bash.stdin.write(f"{{ {command}\n}} </dev/null\n{wait}printf '\\n%s\\n' '{END}'\n")
        self._bash.stdin.flush()
        lines = []
        for line in self._bash.stdout:
            if line == f"{END}\n":
                return "".join(lines)
            lines.append(line)
        raise AssertionError(f"the shell has ended in {command}: {''.join(lines)}")

    def close(self) -> None:
        """End the shell and what it has started, the host first, which wants to clean up."""
        try:
            self.run("kill $(jobs -p) 2>/dev/null; wait 2>/dev/null")
        finally:
            os.killpg(self._bash.pid, signal.SIGKILL)
            self._bash.communicate()


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with Lab() as lab:
        shell = Shell(lab.namespace("t"), tmp_path)
        yield shell
        shell.close()


def test_there_are_transcripts() -> None:
    assert {path.name for path in FILES} >= {"README.md", "operating.md"}


@pytest.mark.root
@pytest.mark.timeout(300)
@pytest.mark.parametrize("file", FILES, ids=lambda path: str(path.name))
def test_transcript(shell: Shell, file: Path) -> None:
    for step in steps(file):
        print(f"$ {step.command}", flush=True)  # the last one is the one that hangs, if the time is over
        output = shell.run(step.command)
        shown = f"{step.command}\nprints\n{output}\nand not\n{step.printed}"
        assert step.matches(output), shown


@pytest.mark.parametrize(
    ("printed", "output", "same"),
    [
        ("", "", True),
        ("", "5\n", False),
        ("5", "5\n", True),
        ("a...c", "a b\nb c\n", True),
        ("a...c", "a b", False),
        ("a.c", "abc", False),
        ("a", "a\nb", False),
    ],
)
def test_comparison(printed: str, output: str, same: bool) -> None:
    assert Step("x", printed).matches(output) == same


def test_commands_and_what_they_print(tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    file.write_text("```console\n$ one \\\n  more\n1\n2\n$ two\n```\n\n```sh\n$ not this\n```\n")
    assert steps(file) == [Step("one \\\n  more", "1\n2"), Step("two", "")]
