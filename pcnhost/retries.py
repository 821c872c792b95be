"""What is tried again in the background until it works."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 10.0
LONGEST_PAUSE_S = 600.0
_END_S = 5.0


class Retries:
    """Calls `work` after pauses that grow, as long as it answers that something is left to do."""

    def __init__(self, work: Callable[[], bool], name: str) -> None:
        self._work = work
        self._name = name
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Has no effect while it is at it."""
        with self._lock:
            if self._thread is None and not self._ended.is_set():
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Waits for what is going on, but not for long."""
        self._ended.set()
        with self._lock:
            thread = self._thread
        if thread:
            thread.join(_END_S)

    def _run(self) -> None:
        pause = FIRST_PAUSE_S
        while not self._ended.wait(pause):
            pause = min(2 * pause, LONGEST_PAUSE_S)
            try:
                left = self._work()
            except Exception:
                log.exception("%s failed", self._name)
                left = True
            with self._lock:
                if not left:
                    self._thread = None
                    return
