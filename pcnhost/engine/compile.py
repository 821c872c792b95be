"""C text -> BPF instructions, by the compiler (compiler.py), which is another process, or from its earlier results."""

from __future__ import annotations

import errno
import importlib.util
import logging
import os
import pickle
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pcnhost.engine import bpf, ip_summed
from pcnhost.engine.compiled import Cache, Compiled
from pcnhost.instruments import COMPILING

NO_ANSWER = "the compiler did not answer"
TIME_LIMIT_S = 60  # a large program on a loaded machine takes a few seconds

_log = logging.getLogger(__name__)
_COMPILER = Path(__file__).with_name("compiler.py")
_FDS_IN_A_MESSAGE = 253  # as in compiler.py, which is not for import here: it brings BCC along
_LOAD_IMM64, _PSEUDO_MAP_FD = 0x18, 1
_CALL, _SET = 0x85, 0xB7  # a call of a helper of the kernel; register = immediate
_INSN = struct.Struct("<BBhi")  # opcode, registers (source in the high half), offset, immediate


class CompileError(Exception):
    """BCC refused the text; the message is the compiler's output."""


def check_headers() -> None:
    """Raises CompileError when BCC cannot find the headers of the running kernel."""
    release = os.uname().release
    places = (
        os.environ.get("BCC_KERNEL_SOURCE"),
        f"/lib/modules/{release}/build",
        "/sys/kernel/kheaders.tar.xz",
    )
    if not any(place and Path(place).exists() for place in places):
        raise CompileError(
            f"the headers of kernel {release} are missing: apt install linux-headers-{release}"
        )


@dataclass
class Module:
    """A compiled text: the instructions of its functions, and the maps made for it (it owns the fds)."""

    functions: dict[str, bytes]
    tables: dict[str, int]

    def linked(self, function: str, maps: dict[str, int]) -> bytes:
        """The instructions of `function`, with `maps[name]` in the place of the module's own such map."""
        replace = {fd: maps[name] for name, fd in self.tables.items() if name in maps}
        insns = bytearray(self.functions[function])
        for at in range(0, len(insns), _INSN.size):
            opcode, registers, offset, fd = _INSN.unpack_from(insns, at)
            if opcode == _LOAD_IMM64 and registers >> 4 == _PSEUDO_MAP_FD and fd in replace:
                _INSN.pack_into(insns, at, opcode, registers, offset, replace[fd])
        return bytes(insns)

    def close(self) -> None:
        for fd in self.tables.values():
            os.close(fd)
        self.tables = {}


def with_immediates(insns: bytes, values: dict[int, int]) -> bytes:
    """The instructions with each placeholder constant (a key of `values`) replaced by its value.

    Every placeholder must occur exactly once; ValueError otherwise."""
    patched = bytearray(insns)
    found = []
    for at in range(0, len(insns), _INSN.size):
        opcode, registers, offset, immediate = _INSN.unpack_from(insns, at)
        if immediate in values:
            found.append(immediate)
            _INSN.pack_into(patched, at, opcode, registers, offset, values[immediate])
    if sorted(found) != sorted(values):
        raise ValueError(f"placeholders {sorted(values)}, but found {sorted(found)}")
    return bytes(patched)


def with_calls_replaced(insns: bytes, kept: Collection[int]) -> bytes:
    """The instructions with each call of a helper of the kernel that is not in `kept` replaced by its answer 0."""
    patched = bytearray(insns)
    at = 0
    while at < len(insns):
        opcode, registers, _, helper = _INSN.unpack_from(insns, at)
        if opcode == _CALL and registers == 0 and helper not in kept:
            _INSN.pack_into(patched, at, _SET, 0, 0, 0)
        at += 2 * _INSN.size if opcode == _LOAD_IMM64 else _INSN.size
    return bytes(patched)


def compile_text(text: str, cflags: Sequence[str]) -> Module:
    """Compiles C text in BCC's dialect; blocks meanwhile (typically 0.2 s and more). For any thread.

    Raises CompileError, after TIME_LIMIT_S at the latest. Warnings go to the log."""
    start = time.monotonic()
    result = "failed"
    try:
        module = _kept(text, cflags)
        if module:
            result = "cached"
            return module
        module = _compile(text, cflags)
        result = "done"
        return module
    finally:
        COMPILING.labels(result).observe(time.monotonic() - start)


def keep_results(cache: Cache | None) -> None:
    """Where this process keeps what it compiles from now on, and looks for it first; None: nowhere."""
    global _cache
    _cache = cache


def _kept(text: str, cflags: Sequence[str]) -> Module | None:
    """An earlier result, with new tables. None when there is none, or no room for these: the compiler will say so."""
    compiled = _cache.get(text, cflags) if _cache else None
    if not compiled:
        return None
    module = Module({}, {})
    try:
        for name, (_, spec) in compiled.tables.items():
            module.tables[name] = bpf.create_map(name, spec)
    except OSError:
        module.close()
        return None
    theirs = Module(compiled.functions, {name: fd for name, (fd, _) in compiled.tables.items()})
    module.functions = {name: theirs.linked(name, module.tables) for name in theirs.functions}
    return module


def _keep(text: str, cflags: Sequence[str], module: Module) -> None:
    if not _cache:
        return
    tables = {name: (fd, bpf.map_spec(fd)) for name, fd in module.tables.items()}
    compiled = Compiled(module.functions, tables)
    if compiled.is_complete():
        try:
            _cache.put(text, cflags, compiled)
        except OSError as e:
            _log.warning("a compiled program is not kept: %s", e)


def _compile(text: str, cflags: Sequence[str]) -> Module:
    with _at_a_time:
        try:
            fds, printed = _compiler.ask(text, cflags)
            if not fds and not printed:  # not the text's fault: somebody has ended the process
                fds, printed = _compiler.ask(text, cflags, anew=True)
        except OSError as e:
            raise CompileError(f"cannot compile: {e.strerror or e}") from None
    if not fds:
        missing = importlib.util.find_spec("bcc") is None
        silent = (
            "BCC is missing: apt install python3-bpfcc"
            if missing
            else f"{NO_ANSWER}: it has been ended, twice"
        )
        raise CompileError(printed or silent)
    with os.fdopen(fds[0], "rb") as answer:
        answer.seek(0)
        functions, theirs = pickle.load(answer)
    tables = dict(zip(theirs, fds[1:], strict=True))
    # The instructions name the maps by the descriptors of that process.
    module = Module(functions, theirs)
    linked = {name: ip_summed.linked(module.linked(name, tables)) for name in functions}
    module = Module(linked, tables)
    if printed:
        _log.warning("the compiler says:\n%s", printed)
    else:  # else it would not be said again
        _keep(text, cflags, module)
    return module


class _Compiler:
    """The process: started when it is needed and is not there (any more)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests = socket.socket()  # nobody is at its other end
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, text: str, cflags: Sequence[str], *, anew: bool = False) -> tuple[list[int], str]:
        """The descriptors of the answer, which belong to the caller (none when the text did not compile), and
        what the compiler has printed. Raises OSError, CompileError when there is no answer in time.

        `anew` asks another process than the one there is: that may be about to end as its child has."""
        with tempfile.TemporaryFile() as request, tempfile.TemporaryFile() as printed:
            pickle.dump((text, list(cflags)), request)
            request.seek(0)
            ours, theirs = socket.socketpair()
            with ours:
                with theirs:
                    process = self._send([request.fileno(), printed.fileno(), theirs.fileno()], anew)
                ours.settimeout(TIME_LIMIT_S)
                try:
                    fds = _received(ours)
                except TimeoutError:
                    _kill(process)
                    raise CompileError(f"{NO_ANSWER} within {TIME_LIMIT_S} s") from None
            printed.seek(0)
            return fds, printed.read().decode(errors="replace").strip()

    def _send(self, fds: list[int], anew: bool) -> subprocess.Popen[bytes]:
        """Answers which process has got the request."""
        with self._lock:
            if self._process and self._process.poll() is None and not anew:
                try:
                    socket.send_fds(self._requests, [b"."], fds)
                    return self._process
                except BrokenPipeError:  # it has ended since
                    self._process.wait()
            self._process = self._start()
            socket.send_fds(self._requests, [b"."], fds)
            return self._process

    def _start(self) -> subprocess.Popen[bytes]:
        self._requests.close()
        self._requests, theirs = socket.socketpair()
        with theirs:
            # Not as a module of the package, whose import takes longer than the rest; -P, because the modules
            # beside it are not for it. A process group of its own, so as to be killed with its children.
            command = [sys.executable, "-P", str(_COMPILER), str(theirs.fileno())]
            fds = [theirs.fileno()]
            return subprocess.Popen(command, pass_fds=fds, stdin=subprocess.DEVNULL, process_group=0)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Ends a compiler with all its children: whoever else waits for one of them asks again."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _received(channel: socket.socket) -> list[int]:
    """All descriptors that arrive before the other end is closed. Raises OSError, TimeoutError."""
    fds: list[int] = []
    try:
        while True:
            data, some, flags, _ = socket.recv_fds(channel, 1, _FDS_IN_A_MESSAGE)
            fds += some
            if flags & socket.MSG_CTRUNC:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            if not data:
                return fds
    except BaseException:
        for fd in fds:
            os.close(fd)
        raise


_compiler = _Compiler()
_cache: Cache | None = None
_at_a_time = threading.Semaphore(os.cpu_count() or 1)
