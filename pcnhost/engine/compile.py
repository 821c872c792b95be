"""C text -> BPF instructions, by BCC."""

import atexit
import ctypes
import os
import struct
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

from bcc import BPF
from bcc.libbcc import lib

# Functions of libbcc that its Python module does not declare.
lib.bpf_num_tables.argtypes, lib.bpf_num_tables.restype = [ctypes.c_void_p], ctypes.c_size_t
lib.bpf_table_name.argtypes, lib.bpf_table_name.restype = [ctypes.c_void_p, ctypes.c_size_t], ctypes.c_char_p
lib.bpf_table_fd_id.argtypes, lib.bpf_table_fd_id.restype = [ctypes.c_void_p, ctypes.c_size_t], ctypes.c_int

_CLONE_FS = 0x200
_LOAD_IMM64, _PSEUDO_MAP_FD = 0x18, 1
_INSN = struct.Struct("<BBhi")  # opcode, registers (source in the high half), offset, immediate
_STDERR = 2


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


def _own_working_directory() -> None:
    # BCC changes into the directory of the kernel headers while it compiles; that is nobody else's business.
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_FS):
        raise OSError(ctypes.get_errno(), "unshare")


# BCC is not made for threads: one compiles, for the whole process.
_compiler = ThreadPoolExecutor(1, "compiler", _own_working_directory)


def compile_text(text: str, cflags: Sequence[str]) -> Module:
    """Compiles C text in BCC's dialect; blocks meanwhile (typically 0.2 s and more). Raises CompileError."""
    return _compiler.submit(_compile, text, cflags).result()


def _compile(text: str, cflags: Sequence[str]) -> Module:
    with _StderrCaptured() as output:
        try:
            bpf = BPF(text=text.encode(), cflags=list(cflags))
        except Exception as e:
            raise CompileError(output.take().strip() or str(e)) from None
    try:
        module = bpf.module
        names = [lib.bpf_function_name(module, i) for i in range(lib.bpf_num_functions(module))]
        functions = {name.decode(): bpf.dump_func(name) for name in names}
        count = lib.bpf_num_tables(module)
        tables = {
            lib.bpf_table_name(module, i).decode(): lib.bpf_table_fd_id(module, i) for i in range(count)
        }
        # The instructions name the maps by BCC's fds, which go away with its module.
        copies = {name: os.dup(fd) for name, fd in tables.items()}
        bccs = Module(functions, tables)
        return Module({name: bccs.linked(name, copies) for name in functions}, copies)
    finally:
        bpf.cleanup()
        atexit.unregister(bpf.cleanup)


class _StderrCaptured:
    """Keeps what the process, BCC above all, writes to stderr until the end of the `with` block.

    What nobody has taken by then goes to stderr after all."""

    def __enter__(self) -> Self:
        self._file = tempfile.TemporaryFile()
        self._saved = os.dup(_STDERR)
        os.dup2(self._file.fileno(), _STDERR)
        return self

    def take(self) -> str:
        self._file.seek(0)
        return self._file.read().decode(errors="replace")

    def __exit__(self, *_: object) -> None:
        os.dup2(self._saved, _STDERR)
        with self._file:
            os.write(self._saved, self._file.read())
        os.close(self._saved)
