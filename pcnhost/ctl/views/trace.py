"""`pcnctl trace`: the next packets of a flow, or those that are dropped, with the decisions they took."""

from __future__ import annotations

import argparse
import json
import queue
import sys
import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import Console

from pcnhost.ctl.client import Client, Reply
from pcnhost.ctl.views import NotAnswered
from pcnhost.ctl.views.arguments import parser
from pcnhost.ctl.views.explain import wrapped
from pcnhost.ctl.words import UsageError

_POLL_S = 0.1


def run(client: Client, words: Sequence[str], console: Console) -> int:
    options = _options().parse_args(words)
    reply = _traced(client, options)
    if not reply.ok:
        raise NotAnswered(reply.refusal)
    packets = reply.json()["packets"]
    if options.json:
        print(json.dumps(packets, indent=4))
        return 0
    for packet in packets:
        moment = datetime.fromtimestamp(packet["time"]).isoformat(" ", "milliseconds").split()[1]
        what = packet["packet"] or "A packet of another kind"
        print(wrapped(f"{moment} {what} enters by port {packet['port']}", console.width, "    "))
        for decision in packet["decisions"]:
            print(wrapped(f"    {decision['text']}", console.width, "      "))
        print(wrapped(f"  {packet['text']}", console.width, "    "))
    if len(packets) < options.packets:
        print(f"{len(packets)} packets in {options.seconds} s")
    return 0


def _traced(client: Client, options: argparse.Namespace) -> Reply:
    """The host answers when the trace is over. Until it is on, packets pass untold: say when that is."""
    replies: queue.SimpleQueue[Reply | Exception] = queue.SimpleQueue()
    path, body = ("trace", options.cube), json.dumps(_wanted(options))

    def ask() -> None:
        try:
            replies.put(client.send("POST", path, body))
        except Exception as e:
            replies.put(e)

    worker = threading.Thread(target=ask, daemon=True)
    worker.start()
    while worker.is_alive() and not (client.send("GET", path).json() or {}).get("tracing"):
        worker.join(_POLL_S)
    if worker.is_alive() and not options.json:
        print(f"tracing for up to {options.seconds} s", file=sys.stderr, flush=True)
    reply = replies.get()
    if isinstance(reply, Exception):
        raise reply
    return reply


def _options() -> argparse.ArgumentParser:
    about = "The next packets of a flow, of both directions, and what becomes of them; or the next that are dropped."
    options = parser("trace", about)
    options.usage = (
        "pcnctl trace CUBE (--tcp|--udp|--icmp CLIENT[:PORT] [SERVICE[:PORT]]\n"
        "                    | --dropped) [-n PACKETS] [--seconds SECONDS] [--json]"
    )  # argparse does not break a group of options into lines
    options.add_argument("cube")
    flow = options.add_mutually_exclusive_group(required=True)
    for name in ("tcp", "udp", "icmp"):
        text = "a client, and if wanted the service it talks to" if name == "tcp" else None
        flow.add_argument(f"--{name}", nargs="+", metavar=("CLIENT[:PORT]", "SERVICE[:PORT]"), help=text)
    flow.add_argument("--dropped", action="store_true", help="packets of all flows that the cube drops")
    options.add_argument("-n", "--packets", type=int, default=10, help="how many: 1 to 100 (10)")
    options.add_argument("--seconds", type=int, default=10, help="how long to wait for them: 1 to 60 (10)")
    options.add_argument("--json", action="store_true", help="for programs")
    return options


def _wanted(options: argparse.Namespace) -> dict[str, Any]:
    bounds = {"packets": options.packets, "seconds": options.seconds}
    return {**(_flow(options) if not options.dropped else {"dropped": True}), **bounds}


def _flow(options: argparse.Namespace) -> dict[str, Any]:
    protocol = next(name for name in ("tcp", "udp", "icmp") if getattr(options, name))
    ends = getattr(options, protocol)
    if len(ends) > 2:
        raise UsageError(f"--{protocol}: {ends[2]} is one address too many")
    flow: dict[str, Any] = {"protocol": protocol}
    for end, (address, port) in zip(ends, (("source", "sport"), ("destination", "dport")), strict=False):
        flow[address], colon, number = end.partition(":")
        if colon:
            flow[port] = number
    return flow
