"""Reads what the datapath hands to the control plane, at once and in the caller's thread."""

from __future__ import annotations

import struct

from pcnhost.engine.perf import PerfBuffer

_PAGES = 256
_METADATA_BYTES = 26
_METADATA = struct.Struct(
    "=HHIIH"
)  # the head of struct pkt_metadata: cube, port, length, traffic class, reason


class PuntReader:
    """The reading end of the perf event array `fd`."""

    def __init__(self, fd: int) -> None:
        self._records: list[tuple[int, int, bytes]] = []
        self._lost = 0
        self._buffer = PerfBuffer(fd, _PAGES, self._sample, self._count_lost)

    def close(self) -> None:
        self._buffer.close()

    def take(self) -> list[tuple[int, int, bytes]]:
        """(reason, input port, frame) of each packet since the last call."""
        self._buffer.consume()
        assert self._lost == 0, "punted packets lost"
        records, self._records = self._records, []
        return records

    def _sample(self, record: bytes) -> None:
        _, port, length, _, reason = _METADATA.unpack_from(record)
        self._records.append((reason, port, record[_METADATA_BYTES : _METADATA_BYTES + length]))

    def _count_lost(self, _: int, count: int) -> None:
        self._lost += count
