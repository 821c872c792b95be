"""What operators look at: pictures and tables of load balancers.

Unlike the rest of pcnctl they know what a load balancer has: ports with types, services, backends. A cube of
another service shows what it has of that."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

from pcnhost.ctl.client import Client


class NotAnswered(Exception):
    """The daemon refused a request; the message is its text."""


VIEWS = {
    "graph": "Cubes and services as a picture",
    "top": "What a cube does, now",
    "sessions": "Who talks to whom",
    "explain": "What a cube would do with a packet, and why",
    "trace": "What becomes of the next packets of a flow",
}
"""The word of each, which is its module's name, too, and what it shows."""


def show(client: Client, words: Sequence[str]) -> int:
    """Runs a view; returns pcnctl's exit status. Raises UsageError, Unreachable, NotAnswered."""
    from rich.console import Console  # takes a while to import: not for those who do not look

    view = importlib.import_module(f"{__name__}.{words[0]}")
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 1000
    status: int = view.run(client, list(words[1:]), Console(width=width, highlight=False))
    return status
