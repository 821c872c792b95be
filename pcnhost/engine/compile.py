"""C text -> BPF instructions, by the compiler (compiler.py), which is another process."""

import os
import pickle
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_COMPILER = Path(__file__).with_name("compiler.py")
_FDS_IN_A_MESSAGE = 253  # as in compiler.py, which is not for import here: it brings BCC along
_LOAD_IMM64, _PSEUDO_MAP_FD = 0x18, 1
_INSN = struct.Struct("<BBhi")  # opcode, registers (source in the high half), offset, immediate


class CompileError(Exception):
    """BCC refused the text; the message is the compiler's output."""


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


def compile_text(text: str, cflags: Sequence[str]) -> Module:
    """Compiles C text in BCC's dialect; blocks meanwhile (typically 0.2 s and more). For any thread.

    Raises CompileError. Warnings go to stderr."""
    with tempfile.TemporaryFile() as request, tempfile.TemporaryFile() as printed, _at_a_time:
        pickle.dump((text, list(cflags)), request)
        request.seek(0)
        fds = _compiler.ask(request.fileno(), printed.fileno())
        printed.seek(0)
        words = printed.read().decode(errors="replace")
    if not fds:
        raise CompileError(words.strip() or "the compiler has ended without a word")
    sys.stderr.write(words)
    with os.fdopen(fds[0], "rb") as answer:
        answer.seek(0)
        functions, theirs = pickle.load(answer)
    tables = dict(zip(theirs, fds[1:], strict=True))
    # The instructions name the maps by the descriptors of that process.
    module = Module(functions, theirs)
    return Module({name: module.linked(name, tables) for name in functions}, tables)


class _Compiler:
    """The process: started when it is needed and is not there (any more)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests = socket.socket()  # nobody is at its other end

    def ask(self, request: int, printed: int) -> list[int]:
        """The descriptors of the answer, which belong to the caller; none when the text did not compile."""
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                self._send([request, printed, theirs.fileno()])
            return _received(ours)

    def _send(self, fds: list[int]) -> None:
        with self._lock:
            try:
                socket.send_fds(self._requests, [b"."], fds)
            except OSError:  # it was never there, or was killed
                self._start()
                socket.send_fds(self._requests, [b"."], fds)

    def _start(self) -> None:
        self._requests.close()
        self._requests, theirs = socket.socketpair()
        with theirs:
            # Not as a module of the package, whose import takes longer than the rest; -P, because the modules
            # beside it are not for it.
            command = [sys.executable, "-P", str(_COMPILER), str(theirs.fileno())]
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)


def _received(channel: socket.socket) -> list[int]:
    fds: list[int] = []
    while (message := socket.recv_fds(channel, 1, _FDS_IN_A_MESSAGE))[0]:
        fds += message[1]
    return fds


_compiler = _Compiler()
_at_a_time = threading.Semaphore(os.cpu_count() or 1)
