"""C text -> BPF instructions, by BCC."""

import atexit
import contextlib
import ctypes
import os
import struct
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

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
    """A compiled text: instructions of its functions and the maps BCC has made for it (fds owned by the module)."""

    functions: dict[str, bytes]
    tables: dict[str, int]

    def linked(self, function: str, maps: dict[str, int]) -> bytes:
        """The instructions of `function`, using the map `maps[name]` in the place of the module's own of that name."""
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
    with _stderr_captured() as output:
        try:
            bpf = BPF(text=text.encode(), cflags=list(cflags))
        except Exception as e:
            output.seek(0)
            raise CompileError(output.read().decode(errors="replace").strip() or str(e)) from None
    try:
        module = bpf.module
        names = [lib.bpf_function_name(module, i) for i in range(lib.bpf_num_functions(module))]
        functions = {
            name.decode(): ctypes.string_at(lib.bpf_function_start(module, name), lib.bpf_function_size(module, name))
            for name in names
        }
        count = lib.bpf_num_tables(module)
        own = {lib.bpf_table_name(module, i).decode(): lib.bpf_table_fd_id(module, i) for i in range(count)}
        copies = {name: os.dup(fd) for name, fd in own.items()}
        compiled = Module(functions, copies)
        # The instructions name the maps by BCC's fds, which go away with its module.
        compiled.functions = {
            name: Module({name: insns}, own).linked(name, copies) for name, insns in functions.items()
        }
        return compiled
    finally:
        bpf.cleanup()
        atexit.unregister(bpf.cleanup)


@contextlib.contextmanager
def _stderr_captured() -> Iterator["tempfile._TemporaryFileWrapper[bytes]"]:
    """Redirects the process's stderr, where BCC writes its diagnostics, into a file."""
    with tempfile.TemporaryFile() as output:
        saved = os.dup(_STDERR)
        os.dup2(output.fileno(), _STDERR)
        try:
            yield output  # type: ignore[misc]
        finally:
            os.dup2(saved, _STDERR)
            os.close(saved)
