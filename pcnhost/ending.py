"""The end of the process: in good order, but within a limit, whatever hangs."""

from __future__ import annotations

import logging
import os
import select
import signal
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

LIMIT_S = 20  # from the first signal on
DETACH_S = 5


class Ending:
    """The first SIGINT or SIGTERM calls `stop`, which asks for the end. A second one, or LIMIT_S, no longer
    waits for it: the datapath is detached as at any end, and the process exits with 1."""

    def __init__(self, stop: Callable[[], None], detach: Callable[[], None]) -> None:
        self._stop = stop
        self._detach = detach
        self._lock = threading.Lock()
        self._detached = False
        self._signals = os.eventfd(0, os.EFD_CLOEXEC)
        threading.Thread(target=self._watch, name="ending", daemon=True).start()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: os.eventfd_write(self._signals, 1))

    def detach(self) -> None:
        """Once; a second caller waits for the first."""
        with self._lock:
            if not self._detached:
                self._detach()
                self._detached = True

    def _watch(self) -> None:
        signals = os.eventfd_read(self._signals)
        self._stop()
        if signals == 1:
            again, _, _ = select.select([self._signals], [], [], LIMIT_S)
            log.error("not waiting any longer: %s", "a second signal" if again else f"{LIMIT_S} s are over")
        last = threading.Thread(target=self.detach, daemon=True)
        last.start()
        last.join(DETACH_S)
        if last.is_alive():
            log.error("the datapath cannot be detached within %s s, it stays as it is", DETACH_S)
        logging.shutdown()
        os._exit(1)
