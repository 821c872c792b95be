"""`pcnctl`: one command line, one request."""

from __future__ import annotations

import json
import os
import select
import shutil
import stat
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import yaml

from pcnhost import __version__
from pcnhost.ctl import completion, guide, reasons, render, settings, values, views, words
from pcnhost.ctl.client import Client, Unreachable
from pcnhost.ctl.words import Line, UsageError

OK, NOT_CARRIED_OUT, REFUSED, BAD_LINE = range(4)

# Words that take options of their own, and tell them upon --help.
OWN_PROGRAMS = ("doctor", "check", *views.VIEWS)
METHODS = {"": "POST", "add": "POST", "set": "PATCH", "show": "GET", "del": "DELETE"}
STDIN_WAIT_S = 1.0

USAGE = """usage: pcnctl [PATH...] add|set|show|del [PATH...] [NAME=VALUE...]
       pcnctl PATH... [show] [-normal|-brief|-verbose|-json|-yaml]
                             [-hide=NAME,NAME]
       pcnctl PATH... ACTION [NAME=VALUE...]    an action of the service
       pcnctl help [WORD...] | [WORD...] ?      what may follow; also: --help
       pcnctl ... -- NAME...                    names that are words of pcnctl
       pcnctl connect|disconnect PEER1 PEER2    PEER: CUBE:PORT or an interface
       pcnctl graph [--help]                    cubes and services as a picture
       pcnctl top [--help]                      what a cube does, now
       pcnctl sessions [--help]                 who talks to whom
       pcnctl explain [--help]                  where a packet goes, and why
       pcnctl trace [--help]                    the same of the next real ones
       pcnctl --version
       pcnctl doctor                            has the host what it needs?
       pcnctl check CUBE                        does it do what it shall?
       pcnctl --completion-script               for bash, to be given to eval
Nothing changes without add, set, del, connect, disconnect, attach, detach or an
action. After add and set, a YAML or JSON body is read from standard input when
no NAME=VALUE is given.
Environment: POLYCUBECTL_URL (http://..., https://... or unix:/PATH),
POLYCUBECTL_CACERT, POLYCUBECTL_CERT, POLYCUBECTL_KEY.
Exit status: 0 done, 1 no contact with the daemon or bad settings, 2 refused by
the daemon, 3 bad usage."""


def main() -> int:
    """Run the command line of the process; returns its exit status."""
    try:
        status = run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # as `head` does when it has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    return status


def run(arguments: Sequence[str]) -> int:
    if arguments in (["-h"], ["--help"]):
        print(USAGE)
        return OK
    if arguments in (["-v"], ["--version"]):
        print(f"pcnctl {__version__}")
        return OK
    if arguments[:1] == ["help"] and arguments[1:2] and arguments[1] in OWN_PROGRAMS:
        arguments = [*arguments[1:2], "--help"]
    if arguments[:1] == ["doctor"]:
        from pcnhost import doctor

        return doctor.main(list(arguments[1:]))
    if arguments[:1] == ["check"]:
        from pcnhost.ctl import check

        return check.main(arguments[1:])
    if arguments == ["--completion-script"]:
        print(completion.BASH, end="")
        return OK
    try:
        client = Client(settings.load())
        if arguments[:1] == ["--complete"]:
            for candidate in completion.candidates(client, arguments[1:]):
                print(candidate)
            return OK
        if list(arguments) in ([], ["?"], ["help"]):
            return _root(client)
        if arguments[0] in views.VIEWS:
            return views.show(client, arguments)
        line = words.parse(arguments)
        return _help(client, line) if line.help else _request(client, line)
    except UsageError as e:
        print(f"pcnctl: {e}", file=sys.stderr)
        return BAD_LINE
    except views.NotAnswered as e:
        print(f"pcnctl: {e}", file=sys.stderr)
        return REFUSED
    except (settings.SettingsError, Unreachable) as e:
        print(f"pcnctl: {e}", file=sys.stderr)
        return NOT_CARRIED_OUT


def _width() -> int | None:
    """Of the terminal; None when a program reads what is printed."""
    if sys.stdout.isatty() or "COLUMNS" in os.environ:
        return shutil.get_terminal_size().columns
    return None


def _root(client: Client) -> int:
    helped = client.ask((), "help=NONE")
    cubes = client.send("GET", ("cubes",))
    if not helped.ok or not cubes.ok:
        print((cubes if helped.ok else helped).refusal, file=sys.stderr)
        return REFUSED
    print(guide.root_guide((helped.json() or {}).get("params"), cubes.json() or {}, _width()))
    return OK


def _help(client: Client, line: Line) -> int:
    own = guide.own_help(line.path)
    if own is not None:
        print(own)
        return OK
    reply = client.ask(line.path, f"help={line.command.upper() or 'NONE'}")
    shown = reply.json()
    if not reply.ok or not isinstance(shown, dict):
        print("There is no help for this command", file=sys.stderr)
        return REFUSED
    typed = [*line.path, *([line.command] if line.command else [])]
    print(guide.guide(shown, typed, line.command, _width()))
    return OK


def _request(client: Client, line: Line) -> int:
    line = _with_command(client, line)
    path, body = _with_body(client, line)
    reply = client.send(METHODS[line.command], path, body)
    if not reply.ok:
        print(reasons.refusal(client, line, body, reply), file=sys.stderr)
        return REFUSED
    value = reply.json()
    if line.command in ("", "show") and value is not None:
        print(render.shown(value, line.format, line.hide, _width()))
    return OK


def _with_command(client: Client, line: Line) -> Line:
    """A line without a command is an action, or a look: never a change. Raises UsageError."""
    if line.command or line.path[0] in words.VERBS_ALONE:
        return line
    reply = client.ask(line.path, "help=NONE")
    shown = reply.json() if reply.ok else None
    if isinstance(shown, dict) and "params" in shown and "commands" not in shown:
        return line  # only the help about an action has parameters but no commands
    if line.members:
        raise UsageError(f"what to do with {line.members[0][0]}=: add, set or del?")
    return replace(line, command="show")


def _with_body(client: Client, line: Line) -> tuple[tuple[str, ...], str | None]:
    """Path and body of the request. One member to set makes the path of its leaf and a bare value."""
    if line.command in ("show", "del"):
        return line.path, None
    types = _types(client, line)
    if line.command == "set" and len(line.members) == 1 and "." not in line.members[0][0]:
        ((name, text),) = line.members
        value = (
            text[1:-1]
            if len(text) > 1 and text[0] == text[-1] == '"'
            else values.typed(text, types.get(name))
        )
        return (*line.path, name), json.dumps(value)
    body: Any = values.members_object(line.members, types)
    if not line.members:
        given = _standard_input()
        body = body if given is None else given
    return line.path, json.dumps(body)


def _types(client: Client, line: Line) -> Mapping[str, str]:
    """Member -> simpletype, asked for only when a text does not say what it is."""
    if guide.own_help(line.path) is not None:
        return dict.fromkeys((name for name, _ in line.members), "string")
    if not any(values.looks_typed(text) for _, text in line.members):
        return {}
    reply = client.ask(line.path, f"help={line.command.upper() or 'NONE'}")
    shown = reply.json() if reply.ok else None
    if not isinstance(shown, dict):
        return {}
    nodes = {**(shown.get("params") or {}), **(shown.get("optional-params") or {})}
    return {name: node["simpletype"] for name, node in nodes.items() if "simpletype" in node}


def _standard_input() -> Any:
    """The value of the YAML on standard input; None when nothing is there. Raises UsageError."""
    mode = os.fstat(sys.stdin.fileno()).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        # Somebody may have left a pipe open without ever writing to it.
        if not select.select([sys.stdin], [], [], STDIN_WAIT_S)[0]:
            return None
    elif not stat.S_ISREG(mode):
        return None
    try:
        return yaml.safe_load(sys.stdin.read())
    except (yaml.YAMLError, UnicodeDecodeError) as e:
        raise UsageError(f"standard input is no YAML: {e}") from None


if __name__ == "__main__":
    sys.exit(main())
