"""`pcnctl sessions`: who talks to whom, found by the cube's own actions; and the end of such sessions."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console

from pcnhost.ctl.client import Client
from pcnhost.ctl.views import NotAnswered
from pcnhost.ctl.views.arguments import parser
from pcnhost.ctl.views.fetch import service_of
from pcnhost.ctl.words import UsageError

_ALL = {"idle-min": 0}  # the host wants a choice, as well
PAGE = 1000  # the most that the host gives at once
STATES = ("OPENING", "ANSWERED", "ESTABLISHED", "CLIENT_CLOSED", "SERVER_CLOSED", "CLOSED", "RESET")
HEADS = ("PROTO", "CLIENT", "SERVICE", "BACKEND", "STATE", "IDLE", "EXPIRES")

Session = Mapping[str, Any]


def run(client: Client, words: Sequence[str], console: Console) -> int:
    options = _options().parse_args(words)
    service = service_of(client, options.cube)
    chosen = _selection(options)
    if options.end:
        if not chosen and not options.all:
            raise UsageError("--end needs something to choose by, or --all")
        how = {"reset": True} if options.reset else {}
        chosen = chosen or _ALL
        ended = _act(client, service, options.cube, "end", chosen | how)["ended"]
        print(json.dumps({"ended": ended}) if options.json else f"{ended} session{'s' * (ended != 1)} ended")
        return 0
    if options.reset:
        raise UsageError("--reset needs --end")
    found, more = _find(client, service, options.cube, chosen, options.limit)
    if options.json:
        print(json.dumps(found, indent=4))
        return 0
    for line in _table(found, console.width):
        print(line)
    if more:
        print(f"… there are more than {options.limit} (--limit)")
    elif not found:
        print("no such session")
    return 0


def _options() -> argparse.ArgumentParser:
    options = parser("sessions", "Sessions that fit all that is given; or end them.")
    options.add_argument("cube")
    options.add_argument("--client", metavar="ADDRESS[:PORT]")
    options.add_argument("--service", metavar="VIP[:PORT]")
    options.add_argument("--backend", metavar="ADDRESS[:PORT]")
    options.add_argument("--proto", choices=("tcp", "udp", "icmp"))
    options.add_argument("--state", type=_state, metavar="STATE", help=", ".join(STATES).lower())
    options.add_argument(
        "--idle-min", type=int, metavar="S", help="without a packet for so many seconds or more"
    )
    options.add_argument("--idle-max", type=int, metavar="S", help="or less")
    options.add_argument("--limit", type=int, default=100, metavar="N", help="how many at most (100)")
    options.add_argument("--json", action="store_true", help="for programs")
    options.add_argument("--end", action="store_true", help="end these sessions")
    options.add_argument(
        "--reset", action="store_true", help="with --end: both ends of TCP get a reset with the next packet"
    )
    options.add_argument("--all", action="store_true", help="with --end: all sessions of the cube")
    return options


def _state(text: str) -> str:
    """Metrics and `explain` write it with dashes."""
    state = text.upper().replace("-", "_")
    if state not in STATES:
        raise argparse.ArgumentTypeError(f"{text} is no state, allowed: {', '.join(STATES).lower()}")
    return state


def _selection(options: argparse.Namespace) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    for what, address, port in (
        (options.client, "client", "client-port"),
        (options.service, "vip", "vport"),
        (options.backend, "backend", "backend-port"),
    ):
        if what is not None:
            chosen[address], colon, number = what.partition(":")
            if colon:
                if not number.isdigit():
                    raise UsageError(f"{what}: {number or 'nothing'} is no port")
                chosen[port] = int(number)
    given = {"proto": options.proto and options.proto.upper(), "state": options.state}
    given |= {"idle-min": options.idle_min, "idle-max": options.idle_max}
    return chosen | {name: value for name, value in given.items() if value is not None}


def _find(
    client: Client, service: str, cube: str, chosen: Mapping[str, Any], limit: int
) -> tuple[list[Session], bool]:
    """At most `limit` sessions, and whether there may be more."""
    if limit < 1:
        raise UsageError(f"--limit: {limit} is out of range, allowed 1..")
    found: list[Session] = []
    after: dict[str, Any] = {}
    while True:
        page = {"limit": min(PAGE, limit - len(found)), **after, **chosen}
        answer = _act(client, service, cube, "find", page)
        found += [one for one in answer.get("session", ()) if isinstance(one, dict)]
        if "next" not in answer or len(found) >= limit:
            return found, "next" in answer
        after = {"after": answer["next"]}


def _act(client: Client, service: str, cube: str, action: str, body: Mapping[str, Any]) -> dict[str, Any]:
    reply = client.send("POST", (service, cube, "sessions", action), json.dumps(body))
    if not reply.ok:
        raise NotAnswered(reply.refusal)
    return dict(reply.json() or {})


def _table(sessions: Sequence[Session], width: int) -> Iterator[str]:
    """With as many columns as fit."""
    if not sessions:
        return
    rows = [HEADS, *map(_cells, sessions)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    shown = len(HEADS)
    while shown > 4 and sum(widths[:shown]) + shown - 1 > width:
        shown -= 1
    for row in rows:
        yield " ".join(cell.ljust(size) for cell, size in zip(row[:shown], widths, strict=False)).rstrip()


def _cells(session: Session) -> tuple[str, ...]:
    return (
        str(session["proto"]),
        f"{session['client']}:{session['client-port']}",
        f"{session['vip']}:{session['vport']}",
        f"{session['backend']}:{session['backend-port']}",
        str(session["state"]),
        f"{session['idle']}s",
        f"{session['expires']}s",
    )
