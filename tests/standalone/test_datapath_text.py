"""The datapath as polycubed treats it: its text rules, and every way of compiling it."""

from __future__ import annotations

from pathlib import Path

import pytest

from codegen.datapath import join
from pcnhost.engine.compile import compile_text
from pcnhost.engine.source import LOG_LEVELS, Hook, cflags, complete, parse
from tests.datapath.harness import defines
from tests.standalone.datapath_rules import problems

PROJECT = Path(__file__).resolve().parents[2]
TEXT = defines(1024) + join([PROJECT / "src/K8sLbrp_dp.c"])

GOOD = """
/* a comment */ struct key { u32 ip; };  // another one
BPF_TABLE("hash", struct key, u32, sessions, 10);
static __always_inline int handle_rx(struct CTXTYPE *ctx, struct pkt_metadata *md) {
  pcn_log(ctx, LOG_INFO, "from %I, at %P", ip(md), port);
  return pcn_pkt_redirect(ctx, md, 1);
}
"""


def test_the_datapath_keeps_the_rules() -> None:
    assert problems(TEXT) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("struct key", "struct pkt_metadata", "pkt_metadata is the daemon's name"),
        ("sessions", "nodes", "nodes is the daemon's name"),
        ("/* a comment */", "#define RX_OK 5\n", "RX_OK is the daemon's name"),
        ("handle_rx(", "pcn_help(", "pcn_help is the daemon's name"),
        ("from %I", "http://%I", "comments: the daemon cuts out more"),
        ("// another one", "// ends in \\\nint lost;", "comments: the daemon cuts out more"),
        ("return pcn_pkt", "return _REDIRECT_CODE + pcn_pkt", "_REDIRECT_CODE is replaced"),
        ("LOG_INFO", "level", "pcn_log: not as the daemon's pattern"),
        ('"from %I, at %P"', "FORMAT", "pcn_log: not as the daemon's pattern"),
        ("at %P", "at);", "pcn_log: not as the daemon's pattern"),
        ("ip(md), port", "1, 2, 3, 4, 5", "pcn_log: more than 4 arguments"),
        ("port);", "port)\n", "pcn_log: not as the daemon's pattern"),
        ("/* a comment */", "#define LOG pcn_log\n", "pcn_log: not a statement"),
        ("static __always_inline", "__always_inline", "handle_rx: a function that is not static"),
    ],
)
def test_each_rule_can_be_broken(old: str, new: str, problem: str) -> None:
    assert problems(GOOD) == []
    assert old in GOOD
    found = problems(GOOD.replace(old, new, 1))
    assert any(one.startswith(problem) for one in found), found


def compiled(text: str, hook: Hook, level: str, *more: str) -> None:
    source = complete(parse(text).text, hook)
    flags = cflags(hook, "lb1", 1, False, level)
    compile_text(source, [*flags, *(f"-D{name}=1" for name in more)]).close()


# A text that does not ask for the level is the same at all of them.
LEVELS = LOG_LEVELS if parse(TEXT).logs else LOG_LEVELS[:1]


@pytest.mark.root
@pytest.mark.parametrize("hook", Hook)
@pytest.mark.parametrize("level", LEVELS)
def test_it_compiles_for_every_hook_and_log_level(hook: Hook, level: str) -> None:
    compiled(TEXT, hook, level)


@pytest.mark.root
@pytest.mark.parametrize("cube", [("SHADOW",), ("SHADOW", "SPAN")], ids="-".join)
def test_it_compiles_for_shadow_and_span_cubes(cube: tuple[str, ...]) -> None:
    compiled(TEXT, Hook.TC, "INFO", *cube)


@pytest.mark.root
@pytest.mark.parametrize(
    ("hook", "level", "more", "broken"),
    [
        (Hook.XDP, "OFF", (), "#ifdef POLYCUBE_XDP\nint x = absent;\n#endif\n"),
        (Hook.TC, "TRACE", (), "#if LOG_LEVEL == LOG_TRACE\nint x = absent;\n#endif\n"),
        (Hook.TC, "INFO", ("SPAN",), "#ifdef SPAN\nint x = absent;\n#endif\n"),
    ],
    ids=["hook", "level", "span"],
)
def test_a_text_that_does_not_compile_for_one_of_them_is_noticed(
    hook: Hook, level: str, more: tuple[str, ...], broken: str
) -> None:
    with pytest.raises(Exception, match="absent"):
        compiled(broken + TEXT, hook, level, *more)
