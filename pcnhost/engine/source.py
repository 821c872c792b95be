"""Turns the text of a service's program into what BCC compiles: wrapper first, service text last."""

import re
import time
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib import resources

from pcnhost.engine.ip_summed import ip_summed

MAX_PORTS = 128
MAX_PROGRAMS = 64
MAX_NODES = 1024

# BCC asks clang for debug information, which nobody here reads, and for optimization, which it does by itself
# afterwards, once more. Without them a large program takes half the time.
FASTER_BUILD = ("-g0", "-Xclang", "-disable-llvm-passes")

LOG_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERR", "CRITICAL", "OFF")

_LITERAL_OR_COMMENT = re.compile(
    r"""(?P<literal>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|//[^\n]*|/\*.*?\*/""", re.DOTALL
)
_TABLE = re.compile(
    r"""\bBPF_(?P<flags>F_)?TABLE(?P<scope>_SHARED|_PUBLIC)?\s*\(\s*"(?P<type>[^"]*)"(?P<rest>[^,]*,[^,]*,[^,]*,\s*(?P<name>\w+))"""
)


class Hook(Enum):
    """Where in the kernel a program runs; the value names its wrapper file."""

    TC = "tc"
    XDP = "xdp"


class Scope(Enum):
    """Who sees a map: one program, the programs of one cube, or all cubes."""

    PROGRAM = ""
    CUBE = "_SHARED"
    HOST = "_PUBLIC"


@dataclass(frozen=True)
class Source:
    """A service program in C: text free of comments and of scope words; maps declared with a wider scope than
    the program; maps declared `extern`, whose type in the text is the placeholder `extern`."""

    text: str
    scopes: dict[str, Scope]
    externs: frozenset[str]

    @property
    def logs(self) -> bool:
        """Whether the compiled program depends on the log level."""
        return "pcn_log" in self.text or "LOG_LEVEL" in self.text

    def with_extern_types(self, types: dict[str, str]) -> str:
        """The text with the placeholder of every extern map replaced by the type in `types` (BCC's name)."""

        def declare(match: re.Match[str]) -> str:
            return _declaration(match, types[match["name"]]) if match["type"] == "extern" else match[0]

        return _TABLE.sub(declare, self.text)


def parse(code: str) -> Source:
    """Reads the map declarations of a service program and drops its comments (line numbers stay)."""
    scopes: dict[str, Scope] = {}
    externs: set[str] = set()

    def blank(match: re.Match[str]) -> str:
        return match["literal"] or " " + "\n" * match[0].count("\n")

    def note(match: re.Match[str]) -> str:
        scope = Scope(match["scope"] or "")
        if match["type"] == "extern":
            externs.add(match["name"])
        elif scope is not Scope.PROGRAM:
            scopes[match["name"]] = scope
        return _declaration(match, match["type"])

    text = _TABLE.sub(note, _LITERAL_OR_COMMENT.sub(blank, code))
    return Source(text, scopes, frozenset(externs))


def _declaration(match: re.Match[str], kind: str) -> str:
    """The declaration that `match` has found, with a map type and without a scope."""
    return f'BPF_{match["flags"] or ""}TABLE("{kind}"{match["rest"]}'


@cache
def _wrapper(hook: Hook) -> str:
    files = resources.files(__package__)
    return "".join((files / f"wrapper_{part}.h").read_text() for part in ("common", hook.value, "log"))


@cache
def epoch_base() -> int:
    """Nanoseconds between the Unix epoch and the zero of the monotonic clock."""
    return time.time_ns() - time.monotonic_ns()


def complete(text: str, hook: Hook) -> str:
    """Wrapper and service text, as one translation unit."""
    # Each process has another one: who does not use it gets the same text each time.
    base = epoch_base() if "pcn_get_time_epoch" in text else 0
    return f'#define _EPOCH_BASE {base}ULL\n{_wrapper(hook)}\n#line 1 "service"\n{text}\n'


def cflags(hook: Hook, cube_name: str, cube_id: int, egress: bool, loglevel: str) -> list[str]:
    """What the programs of a cube can rely on being defined."""
    defines = {
        "_POLYCUBE_MAX_NODES": MAX_NODES,
        "_POLYCUBE_MAX_BPF_PROGRAMS": MAX_PROGRAMS,
        "_POLYCUBE_MAX_PORTS": MAX_PORTS,
        "CUBE_ID": cube_id,
        "LOG_LEVEL": f"LOG_{loglevel}",
        "CTXTYPE": "__sk_buff" if hook is Hook.TC else "xdp_md",
        "POLYCUBE_PROGRAM_TYPE": int(egress),
    }
    found = ip_summed() if hook is Hook.TC else None
    if found:
        defines |= found.defines()
    if hook is Hook.XDP:
        defines |= {"MOD_NAME": cube_name, "RETURNCODE": "XDP_DROP", "POLYCUBE_XDP": 1}
    return [*FASTER_BUILD, *(f"-D{name}={value}" for name, value in defines.items())]
