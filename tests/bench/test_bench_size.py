"""The stack that a program uses is read from its instructions."""

from __future__ import annotations

import struct

from bench.size import stack_bytes

R1, R2, FRAME = 1, 2, 10
STORE_REGISTER, STORE, LOAD, MOVE, ADD = 0x7B, 0x7A, 0x79, 0xBF, 0x07


def code(*insns: tuple[int, int, int, int, int]) -> bytes:
    """Instructions: opcode, destination, source, offset, constant."""
    return b"".join(
        struct.pack("<BBhi", opcode, to | by << 4, offset, constant)
        for opcode, to, by, offset, constant in insns
    )


def test_no_stack() -> None:
    assert (
        stack_bytes(code((LOAD, R1, R2, -8, 0), (STORE_REGISTER, R1, FRAME, -8, 0), (ADD, R1, 0, 0, -64)))
        == 0
    )


def test_what_is_read_and_written() -> None:
    assert stack_bytes(code((STORE_REGISTER, FRAME, R1, -8, 0), (STORE_REGISTER, FRAME, R2, -4, 0))) == 8
    assert stack_bytes(code((STORE, FRAME, 0, -24, 1))) == 24
    assert stack_bytes(code((LOAD, R1, FRAME, -16, 0))) == 16


def test_addresses() -> None:
    address = (MOVE, R2, FRAME, 0, 0)
    assert stack_bytes(code(address, (ADD, R2, 0, 0, -40))) == 40
    assert stack_bytes(code(address, (MOVE, R1, R1, 0, 0), (ADD, R2, 0, 0, -48))) == 48
    assert stack_bytes(code(address, (LOAD, R2, R1, 0, 0), (ADD, R2, 0, 0, -48))) == 0
