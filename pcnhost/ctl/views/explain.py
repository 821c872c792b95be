"""`pcnctl explain`: what a cube would do with a packet now, and why. The host asks the cube's own program."""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from rich.console import Console

from pcnhost.ctl.client import Client
from pcnhost.ctl.views import NotAnswered, fetch
from pcnhost.ctl.views.arguments import parser
from pcnhost.ctl.views.fetch import Backend, Service
from pcnhost.ctl.words import UsageError

ANSWERS = {
    "tcp": "The client gets a TCP reset.",
    "udp": "The client gets an ICMP error: port unreachable.",
    "icmp": "The client gets an ICMP error: host unreachable.",
}


def run(client: Client, words: Sequence[str], console: Console) -> int:
    options = _options().parse_args(words)
    query = urlencode(_query(options))
    reply = client.get_with_query(("explain", options.cube), query)
    if not reply.ok:
        raise NotAnswered(reply.refusal)
    shown = reply.json()
    if options.json:
        print(json.dumps(shown, indent=4))
        return 0
    print(f"{shown['packet']} enters {shown['cube']} by port {shown['port']}")
    for number, decision in enumerate(shown["decisions"], 1):
        print(wrapped(f"{number:2}. {decision['text']}", console.width, "    "))
    print(wrapped(shown["text"], console.width, ""))
    if hint := _hint(client, options, shown):
        print(wrapped(hint, console.width, ""))
    return 0


def _hint(client: Client, options: argparse.Namespace, shown: Mapping[str, Any]) -> str:
    """What the client gets, and where to look next, when no service takes the packet, or one without backends."""
    if options.frame is not None:
        return ""
    taken = {decision["decision"]: decision["values"] for decision in shown["decisions"]}
    refused = taken.get("CONTROL_PLANE", {}).get("reason") == "reject"
    answer = ANSWERS["tcp" if options.tcp else "udp" if options.udp else "icmp"] if refused else ""
    return " ".join(filter(None, (answer, _others(client, options, taken))))


def _others(client: Client, options: argparse.Namespace, taken: Mapping[str, Any]) -> str:
    """The services of the address, or the backends of the service."""
    if not taken.keys() & {"UNMATCHED", "PORT_NOT_SERVED", "NO_BACKEND"}:
        return ""
    address = (options.tcp or options.udp or options.icmp)[-1].partition(":")[0]
    (cube,) = fetch.cubes(client, [options.cube])
    services = [service for service in cube.services if service.vip == address]
    if "NO_BACKEND" not in taken:
        names = ", ".join(service.address for service in services)
        return f"Services of {address}: {names}." if names else ""
    service = next((one for one in services if _is_for(one, options)), None)
    if service is None:
        return ""
    return f"Backends of {service.address}: {', '.join(map(_why_unused, service.backends)) or 'none'}."


def _is_for(service: Service, options: argparse.Namespace) -> bool:
    if options.icmp:
        return service.proto == "ICMP"
    protocol, ends = ("TCP", options.tcp) if options.tcp else ("UDP", options.udp)
    return (service.proto, str(service.vport)) == (protocol, _end(ends[-1])[1])


def _why_unused(backend: Backend) -> str:
    return f"{backend.address} {backend.state if backend.state != 'ACTIVE' else f'weight {backend.weight}'}"


def wrapped(text: str, width: int, indent: str) -> str:
    return textwrap.fill(text, width, subsequent_indent=indent, break_on_hyphens=False, drop_whitespace=True)


def _options() -> argparse.ArgumentParser:
    options = parser("explain", "What a cube would do with a packet now, and why. Nothing changes.")
    options.usage = (
        "pcnctl explain CUBE --from PORT (--tcp SOURCE:PORT DESTINATION:PORT\n"
        "                      | --udp SOURCE:PORT DESTINATION:PORT\n"
        "                      | --icmp ID SOURCE DESTINATION | --frame HEX)\n"
        "                      [--flags LIST] [--reply] [--json]"
    )  # argparse does not break a group of options into lines
    options.add_argument("cube")
    options.add_argument(
        "--from", dest="port", metavar="PORT", required=True, help="the port of the cube it enters by"
    )
    packet = options.add_mutually_exclusive_group(required=True)
    ends = ("SOURCE:PORT", "DESTINATION:PORT")
    packet.add_argument("--tcp", nargs=2, metavar=ends, help="addresses and ports")
    packet.add_argument("--udp", nargs=2, metavar=ends)
    packet.add_argument(
        "--icmp", nargs=3, metavar=("ID", "SOURCE", "DESTINATION"), help="an echo request of this identifier"
    )
    packet.add_argument(
        "--frame", metavar="HEX", help="any frame: ARP, fragments, ICMP errors; the digits of tcpdump -xx"
    )
    options.add_argument("--reply", action="store_true", help="with --icmp: the echo reply")
    options.add_argument("--flags", metavar="LIST", help="of TCP, such as syn (unless given) or fin,ack")
    options.add_argument("--json", action="store_true", help="for programs")
    return options


def _query(options: argparse.Namespace) -> dict[str, str]:
    query = {"port": options.port}
    if options.frame is not None:
        query["frame"] = options.frame
    elif options.icmp:
        identifier, source, destination = options.icmp
        query |= {"protocol": "ICMP", "id": identifier, "source": source, "destination": destination}
    else:
        protocol, ends = ("TCP", options.tcp) if options.tcp else ("UDP", options.udp)
        (source, sport), (destination, dport) = map(_end, ends)
        query |= {"protocol": protocol, "source": source, "sport": sport}
        query |= {"destination": destination, "dport": dport}
    if options.reply:
        query["reply"] = "true"
    if options.flags is not None:
        query["flags"] = options.flags
    return query


def _end(text: str) -> tuple[str, str]:
    address, colon, port = text.rpartition(":")
    if not colon:
        raise UsageError(f"{text}: ADDRESS:PORT is expected")
    return address, port
