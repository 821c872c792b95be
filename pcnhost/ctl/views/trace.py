"""`pcnctl trace`: the next packets of a flow, with the decisions they took."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import Console

from pcnhost.ctl.client import Client
from pcnhost.ctl.views import NotAnswered
from pcnhost.ctl.views.arguments import parser
from pcnhost.ctl.views.explain import wrapped
from pcnhost.ctl.words import UsageError


def run(client: Client, words: Sequence[str], console: Console) -> int:
    options = _options().parse_args(words)
    reply = client.send("POST", ("trace", options.cube), json.dumps(_flow(options)))
    if not reply.ok:
        raise NotAnswered(reply.refusal)
    packets = reply.json()["packets"]
    if options.json:
        print(json.dumps(packets, indent=4))
        return 0
    for packet in packets:
        moment = datetime.fromtimestamp(packet["time"]).isoformat(" ", "milliseconds").split()[1]
        print(f"{moment} {packet['packet']} enters by port {packet['port']}")
        for decision in packet["decisions"]:
            print(wrapped(f"    {decision['text']}", console.width, "      "))
        print(wrapped(f"  {packet['text']}", console.width, "    "))
    if len(packets) < options.packets:
        print(f"{len(packets)} packets in {options.seconds} s")
    return 0


def _options() -> argparse.ArgumentParser:
    options = parser("trace", "The next packets of a flow, of both directions, and what becomes of them.")
    options.add_argument("cube")
    flow = options.add_mutually_exclusive_group(required=True)
    for name in ("tcp", "udp", "icmp"):
        text = "the client, and if wanted the service or server it talks to" if name == "tcp" else None
        flow.add_argument(f"--{name}", nargs="+", metavar="ADDRESS[:PORT]", help=text)
    options.add_argument("-n", "--packets", type=int, default=10, help="how many at most (10)")
    options.add_argument("--seconds", type=int, default=10, help="how long to wait for them (10)")
    options.add_argument("--json", action="store_true", help="for programs")
    return options


def _flow(options: argparse.Namespace) -> dict[str, Any]:
    protocol = next(name for name in ("tcp", "udp", "icmp") if getattr(options, name))
    ends = getattr(options, protocol)
    if len(ends) > 2:
        raise UsageError(f"--{protocol}: {ends[2]} is one address too many")
    flow: dict[str, Any] = {"protocol": protocol, "packets": options.packets, "seconds": options.seconds}
    for end, (address, port) in zip(ends, (("source", "sport"), ("destination", "dport")), strict=False):
        flow[address], colon, number = end.partition(":")
        if colon:
            flow[port] = number
    return flow
