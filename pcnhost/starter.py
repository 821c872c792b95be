"""How the one who starts the host learns what has become of it."""

from __future__ import annotations

import logging
import os
import sys

from pcnhost import notify

_READY = b"ready"


class Starter:
    """In the foreground he sees standard error; after detach() he waits until the host is ready or has failed."""

    def __init__(self) -> None:
        self._pipe: int | None = None

    def detach(self) -> None:
        """Go on as a process of no terminal. The one that was started ends when the host is ready."""
        reading, writing = os.pipe2(os.O_CLOEXEC)
        if os.fork():
            os.close(writing)
            _await(reading)
        os.close(reading)
        os.setsid()
        if os.fork():
            os._exit(0)
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        os.close(null)
        self._pipe = writing

    def ready(self) -> None:
        notify.tell("READY=1")
        if self._pipe is not None:
            os.write(self._pipe, _READY)
            os.close(self._pipe)
            self._pipe = None

    def failed(self, text: str) -> None:
        """Why it cannot start, in one line."""
        if self._pipe is not None:
            logging.getLogger("pcnhost").critical("cannot start: %s", text)
            os.write(self._pipe, text.encode(errors="replace"))
        else:
            print(f"pcnhost: {text}", file=sys.stderr)


def _await(pipe: int) -> None:
    """Ends this process when the host has said something, or has ended."""
    with os.fdopen(pipe, "rb") as file:
        said = file.read()
    if said != _READY:
        text = said.decode(errors="replace") or "it has ended without a word, see the log"
        print(f"pcnhost: {text}", file=sys.stderr, flush=True)
    os._exit(0 if said == _READY else 1)
