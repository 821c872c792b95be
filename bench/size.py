"""`python -m bench.size`: how large the programs made of the datapath are, how much stack they have left, and how many
instructions the verifier visits of those that forward."""

from __future__ import annotations

import os
import struct
from contextlib import closing

from bench import datapath
from pcnhost.engine import bpf
from pcnhost.engine.compile import CompileError, Module, compile_text
from pcnhost.engine.program import FUNCTIONS, PROGRAM_TYPES
from pcnhost.engine.source import Hook

STACK_BYTES = 512  # of a program, says the kernel
POLYCUBED = "in polycubed"
VARIANTS = {
    "forwards": (),
    POLYCUBED: (),
    "explains": ("PCN_DECISIONS", "PCN_DRY_RUN"),
    "traces": ("PCN_DECISIONS", "PCN_TRACE"),
}
_INSN = struct.Struct("<BBhi")
_CLASS, _LOAD, _STORE, _STORE_REGISTER = 7, 1, 2, 3
_FRAME, _MOVE, _ADD = 10, 0xBF, 0x07  # the register that holds the stack's end; dst = src, dst += constant


def stack_bytes(insns: bytes) -> int:
    """How far down the instructions reach, by what they read and write there and the addresses they make."""
    deepest, addresses = 0, set()
    for opcode, registers, offset, immediate in _INSN.iter_unpack(insns):
        to, by = registers & 15, registers >> 4
        kind = opcode & _CLASS
        if (kind == _LOAD and by == _FRAME) or (kind in (_STORE, _STORE_REGISTER) and to == _FRAME):
            deepest = min(deepest, offset)
        elif opcode == _MOVE and by == _FRAME:
            addresses.add(to)
        elif opcode == _ADD and to in addresses:
            deepest = min(deepest, immediate)
            addresses.discard(to)
        elif kind not in (_STORE, _STORE_REGISTER):
            addresses.discard(to)
    return -deepest


def visited_instructions(module: Module, hook: Hook) -> int:
    """Loads the program that forwards; raises bpf.ProgramRejected."""
    program = bpf.load_program(PROGRAM_TYPES[hook], "size", module.linked(FUNCTIONS[hook], {}))
    try:
        return bpf.verified_instructions(program)
    finally:
        os.close(program)


def line(hook: Hook, variant: str) -> str:
    """The row of one program in what is printed."""
    text, flags = datapath.request(datapath.text(), hook)
    if variant == POLYCUBED:
        flags = datapath.as_in_polycubed(flags)
    flags += [f"-D{name}" for name in VARIANTS[variant]]
    head = f"{hook.name:4} {variant:12}"
    visited = "-"
    try:
        with closing(compile_text(text, flags)) as module:
            insns = max(module.functions.values(), key=len)
            if not VARIANTS[variant]:
                visited = f"{visited_instructions(module, hook):,}"
    except (CompileError, bpf.ProgramRejected) as e:
        return f"{head} {str(e).strip().splitlines()[-1]}"
    used = stack_bytes(insns)
    return f"{head} {len(insns) // bpf.INSN_BYTES:12,} {used:6} {STACK_BYTES - used:5} {visited:>9}"


def main() -> None:
    print("hook program      instructions  stack  left   visited")
    for hook in Hook:
        for variant in VARIANTS:
            print(line(hook, variant), flush=True)


if __name__ == "__main__":
    main()
