"""Events on their way from a cube's datapath to its service."""

import threading
from typing import Protocol


class CubeEvents(Protocol):
    """Implemented by whoever runs the service. Called from the engine's threads, for a cube one at a time."""

    def packet_in(self, metadata: bytes, packet: bytes) -> None:
        """A packet for the controller: the 26 bytes of `struct PacketIn` and the frame."""

    def log_message(self, record: bytes) -> None:
        """A pcn_log message: `struct LogMsg` with its text (`len` bytes, the last one a NUL)."""

    def log_level(self, level: str) -> None:
        """The cube's log level has changed, to one of source.LOG_LEVELS."""


class Receiver:
    """Passes events on until it is silenced."""

    def __init__(self, events: CubeEvents) -> None:
        self._events = events
        self._lock = threading.RLock()
        self._silent = False

    def packet_in(self, metadata: bytes, packet: bytes) -> None:
        with self._lock:
            if not self._silent:
                self._events.packet_in(metadata, packet)

    def log_message(self, record: bytes) -> None:
        with self._lock:
            if not self._silent:
                self._events.log_message(record)

    def log_level(self, level: str) -> None:
        self._events.log_level(level)

    def silence(self) -> None:
        """Once this has returned, packets and messages no longer reach the service; waits for one in work."""
        with self._lock:
            self._silent = True
