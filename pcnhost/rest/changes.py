"""One line of the log, and one measurement, for each request that changes something."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Sequence

from pcnhost.engine import Cube, Engine
from pcnhost.instruments import PROGRAMMING
from pcnhost.logs import LEVELS
from pcnhost.names import decode_name
from pcnhost.rest.answers import Answer
from pcnhost.rest.request import Request

log = logging.getLogger("pcnhost.changes")

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
MOST = 300  # characters of a body and of an error
REFUSALS_A_SECOND = 3  # lines: clients could fill the disk with what is refused
_PLAIN = re.compile(r"[\w./:,~+%@!$()*;-]+", re.ASCII)


class _Refusals:
    """How many lines of refused requests there were in this second, and how many were left out since the last one."""

    def __init__(self) -> None:
        self._second = 0
        self._logged = 0
        self._left_out = 0

    def may_log(self) -> bool:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._logged = second, 0
        if self._logged == REFUSALS_A_SECOND:
            self._left_out += 1
            return False
        self._logged += 1
        if self._left_out:
            log.warning("%d more requests were refused", self._left_out)
            self._left_out = 0
        return True


_refusals = _Refusals()


def note(engine: Engine, request: Request, answer: Answer) -> None:
    """Of a request that has been answered: who, what, with which result, and how long it took."""
    if 300 <= answer.status < 400:
        return  # the change comes with the next request
    duration = time.monotonic() - request.arrived
    refused = answer.status >= 400
    PROGRAMMING.labels(request.method, "refused" if refused else "done").observe(duration)
    level = logging.ERROR if answer.status >= 500 else logging.WARNING if refused else logging.INFO
    if not log.isEnabledFor(level) or _is_quiet(_cube(engine, request.segments or ()), level):
        return
    if refused and not _refusals.may_log():
        return
    fields = {
        "client": request.client or "host",
        "method": request.method,
        "path": "/".join(request.segments or ()),
        "status": str(answer.status),
        "duration": f"{duration:.6f}s",
    }
    if request.body:
        fields["body"] = request.body[:MOST].decode(errors="replace")
    if refused:
        fields["error"] = answer.text[:MOST]
    log.log(level, "%s", " ".join(f"{name}={_shown(value)}" for name, value in fields.items()))


def _shown(value: str) -> str:
    """In quotes, and in one line, unless it is a plain word."""
    return value if _PLAIN.fullmatch(value) else json.dumps(value)


def _cube(engine: Engine, segments: Sequence[str]) -> Cube | None:
    return engine.cubes.get(decode_name(segments[1])) if len(segments) > 1 else None


def _is_quiet(cube: Cube | None, level: int) -> bool:
    """Whether the log level of the cube says that nobody wants to read this."""
    return cube is not None and level < LEVELS[cube.loglevel.lower()]
