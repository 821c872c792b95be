"""A machine to install packages on: this one, with a layer above its files that is thrown away."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

# The layer lies in memory; file systems of the kernel are the real ones, /run is empty.
_MOUNTS = """
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
for kernel in proc sys dev; do mount --rbind "/$kernel" "$1/root/$kernel"; done
mount -t tmpfs tmpfs "$1/root/run"
mount -t tmpfs tmpfs "$1/root/tmp"
echo ready
read -r _
"""


class Machine:
    """A context manager. `directory` is an empty one."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __enter__(self) -> Machine:
        self._keeper = subprocess.Popen(
            [
                "unshare",
                "--mount",
                "--propagation",
                "private",
                "bash",
                "-euc",
                _MOUNTS,
                "machine",
                self._directory,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._keeper.stdout is not None
        assert self._keeper.stdout.readline() == "ready\n"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._keeper.communicate()  # its end takes the mounts along

    def command(self, *argv: str) -> list[str]:
        """What runs a command there."""
        mounts = ["nsenter", f"--mount=/proc/{self._keeper.pid}/ns/mnt"]
        return [
            *mounts,
            "chroot",
            str(self._directory / "root"),
            "env",
            "-i",
            "PATH=/usr/sbin:/usr/bin",
            *argv,
        ]

    def run(self, *argv: str) -> str:
        done = subprocess.run(self.command(*argv), capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, f"{argv} failed: {done.stdout}{done.stderr}"
        return done.stdout

    def copy(self, file: Path) -> str:
        """Put a file there; returns its path."""
        target = f"/tmp/{file.name}"
        subprocess.run(self.command("cp", "/dev/stdin", target), input=file.read_bytes(), check=True)
        return target

    def changed(self, *but: str) -> list[str]:
        """What there is in the layer, without the paths that begin with one of `but`."""
        layer = f"/proc/{self._keeper.pid}/root{self._directory}/upper"
        found = subprocess.run(
            ["find", layer, "-not", "-type", "d", "-printf", "/%P\\n"],
            capture_output=True,
            text=True,
            check=True,
        )
        return sorted(path for path in found.stdout.splitlines() if not path.startswith(tuple(but)))


__all__: Sequence[str] = ("Machine",)
