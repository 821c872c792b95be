"""`pcnctl top`: what a cube does, now: services, backends, sessions, drops, tables."""

from __future__ import annotations

import argparse
import json
import os
import select
import sys
import termios
import time
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from pcnhost.ctl.client import Client
from pcnhost.ctl.views import rates, screen
from pcnhost.ctl.views.arguments import parser
from pcnhost.ctl.views.fetch import get
from pcnhost.ctl.views.rates import Picture, Row
from pcnhost.ctl.views.screen import Screen
from pcnhost.ctl.words import UsageError

_SEQUENCES = {
    b"\x1b[A": "up",
    b"\x1b[B": "down",
    b"\x1bOA": "up",
    b"\x1bOB": "down",
    b"\x1b[5~": "pageup",
    b"\x1b[6~": "pagedown",
    b"\x1b": "esc",
    b"\r": "enter",
    b"\n": "enter",
    b"\x7f": "backspace",
    b"\x08": "backspace",
    b"\x03": "q",
}


def run(client: Client, words: Sequence[str], console: Console) -> int:
    options = _options().parse_args(words)
    service, cube = _cube(client, options.cube)
    view = Screen(f"{cube}  {service}", options.sort, options.filter)
    if options.once or options.json:
        return _once(client, service, cube, view, options, console)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("top needs a terminal; --once shows one picture without")
    _live(client, service, cube, view, options.interval, console)
    return 0


def _options() -> argparse.ArgumentParser:
    options = parser("top", f"What a cube does, now. Keys: {screen.KEYS}, arrows or j and k.")
    options.add_argument("cube", nargs="?", help="may be left out when there is only one")
    options.add_argument(
        "--sort", choices=list(screen.COLUMNS), default="new", help="the column to sort by (new)"
    )
    options.add_argument("--filter", default="", metavar="TEXT", help="services with this in address or name")
    options.add_argument(
        "--interval", type=_seconds, default=2.0, metavar="S", help="seconds between samples (2)"
    )
    options.add_argument("--once", action="store_true", help="one picture, after one interval")
    options.add_argument("--json", action="store_true", help="the same for programs")
    return options


def _seconds(text: str) -> float:
    value = float(text)
    if not 0.1 <= value <= 3600:
        raise ValueError
    return value


def _cube(client: Client, wanted: str | None) -> tuple[str, str]:
    """Service and name of the cube."""
    listed = {
        cube["name"]: service for service, all_ in (get(client, "cubes") or {}).items() for cube in all_
    }
    if wanted is None and len(listed) != 1:
        raise UsageError(f"which cube? there are: {', '.join(listed) or 'none'}")
    name = next(iter(listed)) if wanted is None else wanted
    if name not in listed:
        raise UsageError(f"there is no cube {name}; there are: {', '.join(listed) or 'none'}")
    return listed[name], name


def _once(
    client: Client, service: str, cube: str, view: Screen, options: argparse.Namespace, console: Console
) -> int:
    first = rates.sample(client, service, cube)
    time.sleep(options.interval)
    picture = rates.between(first, rates.sample(client, service, cube))
    if options.json:
        print(json.dumps(_json(cube, picture, view), indent=4))
        return 0
    view.picture = picture
    width = min(console.width, 200)
    lines = view.lines(width, len(picture.services) + 8)
    print("\n".join(line.plain.rstrip() for line in lines[:-1]).rstrip())
    return 0


def _json(cube: str, picture: Picture, view: Screen) -> dict[str, Any]:
    return {
        "cube": cube,
        "seconds": round(picture.seconds, 3),
        "rates": {name: _rounded(rate) for name, rate in picture.totals.items()},
        "active-sessions": picture.active,
        "sessions": picture.sessions,
        "drops": {name: {"rate": _rounded(rate), "total": n} for name, (rate, n) in picture.drops.items()},
        "punts": {name: {"rate": _rounded(rate), "total": n} for name, (rate, n) in picture.punts.items()},
        "tables": [
            {
                "name": table.name,
                "entries": table.entries,
                "limit": table.limit,
                "evicted": _rounded(table.evictions),
            }
            for table in picture.tables
        ],
        "services": [
            _row(row) | {"backends": [_row(backend) for backend in row.backends]}
            for row in view.rows_of(picture)
        ],
    }


def _row(row: Row) -> dict[str, Any]:
    rates_ = {name: _rounded(rate) for name, rate in row.rates.items()}
    return {"address": row.address, "name": row.name, "active-sessions": row.active, "rates": rates_}


def _rounded(rate: float | None) -> float | None:
    return None if rate is None else round(rate, 3)


def _live(client: Client, service: str, cube: str, view: Screen, interval: float, console: Console) -> None:
    last = rates.sample(client, service, cube)
    due = time.monotonic() + min(interval, 1.0)
    with _keys() as descriptor, Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            lines = view.lines(console.width, console.height)
            live.update(Text("\n").join(lines), refresh=True)
            ready, _, _ = select.select([descriptor], [], [], max(0.0, due - time.monotonic()))
            if ready and not all(view.key(key) for key in _pressed(os.read(descriptor, 64))):
                return
            if time.monotonic() >= due:
                now = rates.sample(client, service, cube)
                view.picture, last = rates.between(last, now), now
                due = time.monotonic() + interval


@contextmanager
def _keys() -> Iterator[int]:
    """The terminal's descriptor, which gives keys at once and unseen meanwhile."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor, termios.TCSANOW)
        mode = termios.tcgetattr(descriptor)
        mode[1] = before[1]  # output as it was
        termios.tcsetattr(descriptor, termios.TCSANOW, mode)
        yield descriptor
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _pressed(data: bytes) -> Iterator[str]:
    """The keys in what a terminal sends; what is no key of ours is itself."""
    while data:
        for sequence, name in _SEQUENCES.items():
            if data.startswith(sequence) and (sequence != b"\x1b" or len(data) == 1):
                data = data[len(sequence) :]
                yield name
                break
        else:
            if data.startswith(b"\x1b"):
                return  # of a key that has no meaning here
            yield data[:1].decode(errors="replace")
            data = data[1:]
