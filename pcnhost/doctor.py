"""`pcnctl doctor`: does this machine have what the host needs? Each problem with the command that mends it."""

from __future__ import annotations

import argparse
import fcntl
import importlib.util
import os
import platform
import re
import resource
import socket
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pcnhost.rights import missing as lacking

_BPF_FS = Path("/sys/fs/bpf")
_TUN = Path("/dev/net/tun")
_OLDEST_KERNEL = (4, 14)
_FILES = 16384  # about a hundred cubes
_RETURN_0 = bytes.fromhex("b7000000000000009500000000000000")


@dataclass(frozen=True)
class Report:
    """What one check has found; `remedy` is the command that mends a problem."""

    subject: str
    text: str
    remedy: str = ""


@dataclass(frozen=True)
class Setup:
    """What the host would be started with."""

    addr: str
    port: int
    state_dir: Path


def kernel(_: Setup) -> Report:
    """Old kernels lack what the datapath is made of."""
    release = platform.release()
    version = tuple(int(part) for part in re.findall(r"\d+", release)[:2])
    if version < _OLDEST_KERNEL:
        return Report(
            "kernel", f"{release} is too old, 4.14 is needed", "apt install linux-image-amd64 && reboot"
        )
    return Report("kernel", release)


def rights(_: Setup) -> Report:
    """Root has them all; less will do."""
    if missing := lacking():
        return Report("rights", f"without {', '.join(missing)}", "sudo pcnctl doctor")
    return Report("rights", "all there")


def programs(_: Setup) -> Report:
    """The kernel takes BPF programs from us."""
    from pcnhost.engine import bpf

    try:
        os.close(bpf.load_program(bpf.PROG_TYPE_SCHED_CLS, "doctor", _RETURN_0))
    except OSError as e:
        return Report(
            "BPF programs",
            f"refused: {e.strerror}",
            "sysctl kernel.unprivileged_bpf_disabled; sudo pcnctl doctor",
        )
    return Report("BPF programs", "taken by the kernel")


def compiler(_: Setup) -> Report:
    """BCC and the kernel's headers, which it reads at every compilation."""
    from pcnhost.engine.compile import CompileError, compile_text

    if importlib.util.find_spec("bcc") is None:
        return Report("compiler", "BCC's Python module is missing", "apt install python3-bpfcc")
    try:
        compile_text("#include <linux/if_ether.h>\nint run(void *ctx) { return 0; }", ()).close()
    except CompileError as e:
        # All of it: BCC's last line is the same for every problem.
        said = "; ".join(line.strip() for line in str(e).splitlines() if line.strip())
        return Report(
            "compiler", f"cannot compile: {said}", f"apt install linux-headers-{platform.release()}"
        )
    return Report("compiler", "compiles with the kernel's headers")


def files(_: Setup) -> Report:
    """Each map of each cube is an open file."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most < _FILES:
        return Report(
            "open files",
            f"at most {most}, {_FILES} are needed",
            f"prlimit --pid $$ --nofile={_FILES}:{_FILES}",
        )
    return Report("open files", f"at most {most}")


def tap(_: Setup) -> Report:
    """Packets of services enter the datapath by a TAP device."""
    if not _TUN.is_char_device():
        return Report("TAP devices", f"{_TUN} is missing", "modprobe tun")
    return Report("TAP devices", "there")


def bpf_fs(setup: Setup) -> Report:
    """Nobody else may write where the maps are pinned."""
    if not setup.state_dir.is_relative_to(_BPF_FS):
        return Report("BPF file system", f"elsewhere, for {setup.state_dir}")
    if not os.path.ismount(_BPF_FS):
        return Report("BPF file system", "not mounted", f"mount -t bpf bpf {_BPF_FS} -o mode=0700")
    mode = stat.S_IMODE(_BPF_FS.stat().st_mode)
    if mode & 0o022:
        return Report("BPF file system", f"mode {mode:04o}: others can write", f"chmod 0700 {_BPF_FS}")
    return Report("BPF file system", f"mounted, mode {mode:04o}")


def port(setup: Setup) -> Report:
    """Someone may be listening already."""
    family = socket.AF_INET6 if ":" in setup.addr else socket.AF_INET
    with socket.socket(family) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((setup.addr, setup.port))
        except OSError as e:
            return Report(
                "port", f"{setup.addr}:{setup.port}: {e.strerror}", f"ss -ltnp sport = :{setup.port}"
            )
    return Report("port", f"{setup.addr}:{setup.port} is free")


def other_hosts(setup: Setup) -> Report:
    """One host at a time works on a state directory; polycubed would meet the same packets."""
    if setup.state_dir.is_dir() and _is_locked(setup.state_dir):
        return Report("other hosts", f"one is at work on {setup.state_dir}", "systemctl stop pcnhost")
    if any(name == "polycubed" for name in _processes()):
        return Report("other hosts", "polycubed is running", "systemctl stop polycubed")
    return Report("other hosts", "none")


def leftovers(setup: Setup) -> Report:
    """Cubes that nobody can change."""
    cubes = setup.state_dir / "cubes"
    names = sorted(path.name for path in cubes.iterdir()) if cubes.is_dir() else []
    if names and not _is_locked(setup.state_dir):
        text = f"no host is running, but {', '.join(names)} of an earlier one go on forwarding"
        return Report("leftovers", text, "systemctl start pcnhost")
    return Report("leftovers", "none")


CHECKS: tuple[Callable[[Setup], Report], ...] = (
    *(kernel, rights, programs, compiler, files, tap),
    *(bpf_fs, port, other_hosts, leftovers),
)


def examine(setup: Setup) -> Iterator[Report]:
    for check in CHECKS:
        yield check(setup)


def _is_locked(directory: Path) -> bool:
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _processes() -> Iterator[str]:
    for comm in Path("/proc").glob("[0-9]*/comm"):
        try:
            yield comm.read_text().strip()
        except OSError:
            continue


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 when all is well, 1 otherwise."""
    parser = argparse.ArgumentParser("pcnctl doctor", description=__doc__)
    parser.add_argument(
        "-a", "--addr", default="127.0.0.1", help="where the host is to listen (default 127.0.0.1)"
    )
    parser.add_argument("-p", "--port", type=int, default=9000, help="port of the host (default 9000)")
    parser.add_argument(
        "--state-dir", type=Path, default=Path("/sys/fs/bpf/pcnhost"), help="its state directory"
    )
    given = parser.parse_args(arguments)
    problems = 0
    for report in examine(Setup(given.addr, given.port, given.state_dir)):
        print(f"{'PROBLEM' if report.remedy else 'ok':8}{report.subject}: {report.text}")
        if report.remedy:
            problems += 1
            print(f"        to mend it: {report.remedy}")
    return int(problems > 0)


if __name__ == "__main__":
    raise SystemExit(main())
