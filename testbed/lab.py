"""Network namespaces, veth pairs, processes and what they pin that vanish together, whatever happens.

Everything has a unique name, so that labs can run beside each other. Needs root and iproute2.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

_numbers = itertools.count()


class Lab:
    """A context manager that owns namespaces, interfaces and processes, and removes them at exit.

    So it does with `state_dir`, where its host may pin maps.
    """

    def __init__(self) -> None:
        self.prefix = f"k{os.getpid()}x{next(_numbers)}"
        self.state_dir = Path(f"/sys/fs/bpf/{self.prefix}")
        self._namespaces: list[str] = []
        self._links: list[str] = []
        self._processes: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def namespace(self, label: str) -> str:
        """Create a namespace with loopback up; returns its name."""
        name = f"{self.prefix}-{label}"
        ip("netns", "add", name)
        self._namespaces.append(name)
        ip("-n", name, "link", "set", "lo", "up")
        sysctl(name, "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
        return name

    def remove_namespace(self, name: str) -> None:
        """Remove a namespace before the end, with the interfaces in it."""
        self._namespaces.remove(name)
        ip("netns", "del", name)

    def link(self, label: str, namespace: str, inner: str = "eth0", mtu: int = 1500) -> str:
        """Create a veth pair between this network and `namespace`; returns the name of the outer end.

        The inner end is called `inner`. Both are up and have no address.
        """
        outer = f"{self.prefix}{label}"
        if len(outer) > 15:
            raise ValueError(f"interface name {outer} is longer than 15 characters")
        ip(*f"link add {outer} mtu {mtu} type veth peer name {inner} netns {namespace} mtu {mtu}".split())
        self._links.append(outer)
        sysctl(None, f"net.ipv6.conf.{outer}.disable_ipv6=1")
        ip("link", "set", outer, "up")
        ip("-n", namespace, "link", "set", inner, "up")
        return outer

    def start(
        self,
        argv: Sequence[str],
        namespace: str | None = None,
        *,
        ready: str | None = None,
        **options: Any,
    ) -> subprocess.Popen[str]:
        """Start a process (inside `namespace`); with `ready`, wait until it prints that line."""
        command = [*in_namespace(namespace), *argv]
        process: subprocess.Popen[str] = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            **options,
        )
        self._processes.append(process)
        if ready is not None:
            assert process.stdout is not None
            line = process.stdout.readline().strip()
            if line != ready:
                raise RuntimeError(f"{' '.join(argv)} said {line!r} instead of {ready!r}")
        return process

    def stop(self, process: subprocess.Popen[str]) -> None:
        """End a process started here: SIGTERM, and SIGKILL if it does not mind that for 10 seconds."""
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for stream in (process.stdin, process.stdout):
            if stream and not stream.closed:
                stream.close()
        self._processes.remove(process)

    def close(self) -> None:
        for process in reversed(self._processes.copy()):
            self.stop(process)
        for link in self._links:
            subprocess.run(["ip", "link", "del", link], capture_output=True, check=False)
        removal = "".join(f"netns del {namespace}\n" for namespace in self._namespaces)
        subprocess.run(
            ["ip", "-force", "-batch", "-"], input=removal.encode(), capture_output=True, check=False
        )
        self._links.clear()
        self._namespaces.clear()
        shutil.rmtree(self.state_dir, ignore_errors=True)


def in_namespace(namespace: str | None) -> list[str]:
    return ["ip", "netns", "exec", namespace] if namespace else []


def run(argv: Sequence[str], namespace: str | None = None, timeout: float = 60) -> str:
    """Run a command to its end; returns what it printed. A failure is a RuntimeError with what it said."""
    done = subprocess.run(
        [*in_namespace(namespace), *argv], capture_output=True, text=True, timeout=timeout, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def ip(*arguments: str) -> str:
    return run(["ip", *arguments])


def ip_batch(namespace: str | None, commands: Sequence[str]) -> None:
    """Run many ip commands as one process; the first that fails is a RuntimeError."""
    where = ["-n", namespace] if namespace else []
    argv = ["ip", *where, "-batch", "-"]
    text = "\n".join(commands) + "\n"
    done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip()} in\n{text}")


def sysctl(namespace: str | None, *settings: str) -> None:
    run(["sysctl", "-q", "-w", *settings], namespace)
