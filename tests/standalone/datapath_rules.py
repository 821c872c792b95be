"""What Polycube's daemon asks of the text of a datapath program before a compiler sees it (docs/contract.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator

_NAMES = """
    handle_rx_wrapper handle_rx_xdp_wrapper forward to_controller_span packet_span pkt_metadata
    _POLYCUBE_peer_info controller_table_t log_table_t LogMsg CONTROLLER_MODULE_INDEX GET_CTX GET_LEVEL
    nodes xdp_nodes ingress_programs egress_programs egress_programs_xdp egress_next egress_next_xdp
    _POLYCUBE_peers controller_tc controller_xdp port_md log_buffer span_slowpath vlan_hdr CSUM_MANGLED_0
"""
_RESERVED = re.compile(
    rf"(?:{'|'.join(_NAMES.split())}|pcn_\w+|call_(?:ingress|egress)_program\w*|RX_\w+|LOG_\w+)"
)
# The places where C gives a name to something, and where BCC gives one to a map.
_GIVEN_NAMES = (
    re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", re.MULTILINE),
    re.compile(r"\b(?:struct|union|enum)\s+(\w+)\s*\{"),
    re.compile(r"\btypedef\b[^;{}]*?\b(\w+)\s*;"),
    re.compile(
        r"^[ \t]*(?:static|inline|__always_inline|extern|const)\b[^;{}()=]*?\b(\w+)\s*[(\[=;]", re.MULTILINE
    ),
    re.compile(r"\bBPF_F?_?TABLE\w*\s*\((?:[^,()]|\([^()]*\))*,[^,]*,[^,]*,\s*(\w+)"),
    re.compile(r"\bBPF_(?:HASH|ARRAY|PERCPU_ARRAY|LRU_HASH|PERF_OUTPUT|PROG_ARRAY)\s*\(\s*(\w+)"),
)
# The daemon knows nothing of literals: what looks like a comment inside one is cut out of the program.
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_LITERAL_OR_COMMENT = re.compile(
    r"""("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|/\*.*?\*/|//(?:\\\n|[^\n])*""", re.DOTALL
)
_LOG = re.compile(r"\bpcn_log\s*\(.*?\)\s*;", re.DOTALL)
_LOG_STATEMENT = re.compile(
    r'pcn_log\s*\(\s*\w+\s*,\s*LOG_(?:TRACE|DEBUG|INFO|WARN|ERR|CRITICAL)\s*,\s*"(?:\\.|[^"\\\n])*"'
    r"(?P<arguments>(?:\s*,(?:[^,();]|\([^()]*\))+)*)\)\s*;"
)
_LOG_ARGUMENTS = 4
_FUNCTION = re.compile(r"^(?P<head>[A-Za-z_][\w \t*]*?)\b(?P<name>\w+)\s*\([^;{}]*\)\s*\{", re.MULTILINE)


def problems(text: str) -> list[str]:
    """Everything about the text that the daemon, or one of its hooks, would stumble over."""
    plain = _LITERAL_OR_COMMENT.sub(lambda match: match[1] or " ", text)
    return [
        *_comments(text, plain),
        *_reserved(plain),
        *_logs(plain),
        *_functions(plain),
        *(["_REDIRECT_CODE is replaced by the daemon"] if "_REDIRECT_CODE" in text else []),
    ]


def _comments(text: str, plain: str) -> Iterator[str]:
    if _COMMENT.sub(" ", text).split() != plain.split():
        yield "comments: the daemon cuts out more than the comments"


def _reserved(text: str) -> Iterator[str]:
    for pattern in _GIVEN_NAMES:
        for match in pattern.finditer(text):
            if _RESERVED.fullmatch(match[1]):
                yield f"{match[1]} is the daemon's name"


def _logs(text: str) -> Iterator[str]:
    if text.count("pcn_log") != len(_LOG.findall(text)):
        yield "pcn_log: not a statement of its own"
    for match in _LOG.finditer(text):
        statement = _LOG_STATEMENT.fullmatch(match[0])
        if not statement:
            yield f"pcn_log: not as the daemon's pattern expects it: {match[0]}"
        elif len(re.findall(r",(?:[^,()]|\([^()]*\))+", statement["arguments"])) > _LOG_ARGUMENTS:
            yield f"pcn_log: more than {_LOG_ARGUMENTS} arguments: {match[0]}"


def _functions(text: str) -> Iterator[str]:
    for match in _FUNCTION.finditer(text):
        if "static" not in match["head"].split():
            yield f"{match['name']}: a function that is not static is a program of its own"
