"""The grammar of pcnctl, and how values get their JSON kind."""

from __future__ import annotations

from typing import Any

import pytest

from pcnhost.ctl import values, words
from pcnhost.ctl.words import Line, UsageError


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("s1 show", Line("show", ("s1",))),
        ("store add s1 mode=OPEN", Line("add", ("store", "s1"), (("mode", "OPEN"),))),
        ("add store s1", Line("add", ("store", "s1"))),
        ("s1 box LEFT 1 set kilos=", Line("set", ("s1", "box", "LEFT", "1"), (("kilos", ""),))),
        ("s1 box LEFT 1 shake times=2", Line("", ("s1", "box", "LEFT", "1", "shake"), (("times", "2"),))),
        ("s1 show -json -hide=a,b", Line("show", ("s1",), (), "json", ("a", "b"))),
        ("cubes -brief", Line("show", ("cubes",), (), "brief")),
        ("version", Line("show", ("version",))),
        ("connect s1:p v0", Line("", ("connect",), (("peer1", "s1:p"), ("peer2", "v0")))),
        (
            "attach t1 p position=first",
            Line("", ("attach",), (("cube", "t1"), ("port", "p"), ("position", "first"))),
        ),
        ("s1 box add ?", Line("add", ("s1", "box"), help=True)),
        ("s1 box add --help", Line("add", ("s1", "box"), help=True)),
        ("help s1 box", Line("", ("s1", "box"), help=True)),
        ("s1 box -json", Line("", ("s1", "box"), (), "json")),
        ("?", Line(help=True)),
        ("store add mode=OPEN -- show", Line("add", ("store", "show"), (("mode", "OPEN"),))),
        ("show -json -- store a=b -x ? --", Line("show", ("store", "a=b", "-x", "?", "--"), format="json")),
        ("store ? -- del", Line("", ("store", "del"), help=True)),
    ],
)
def test_lines(typed: str, line: Line) -> None:
    assert words.parse(typed.split()) == line


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("s1 add del", "two commands: add and del"),
        ("s1 a=b add", "add comes before a="),
        ("s1 a=b c", "c comes before a="),
        ("s1 a=b=c", "more than one `=` in a=b=c"),
        ("s1 add -json", "-json goes with show only"),
        ("s1 show -loud", "unknown flag -loud"),
        ("s1 show a=1", "show takes no members such as a="),
        ("add a=1", "what do you want to work on"),
        ("connect a", "usage: connect PEER1 PEER2"),
        ("attach a b near=c", "attach knows position=, before= and after="),
        ("s1 set =5", "a member has a name before the `=`"),
    ],
)
def test_lines_that_make_no_sense(typed: str, why: str) -> None:
    with pytest.raises(UsageError) as failure:
        words.parse(typed.split())
    assert str(failure.value).startswith(why)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("80", 80),
        ("-1", -1),
        ("1.5", 1.5),
        ("1e5", 1e5),
        ("true", True),
        ("T", True),
        ("f", False),
        ("1", 1),
        ("1_000", "1_000"),
        ("nan", "nan"),
        ("inf", "inf"),
        ("1e999", "1e999"),
        ("10.0.0.1", "10.0.0.1"),
        ("", ""),
        ("TRUe", "TRUe"),
    ],
)
def test_text_alone_decides_when_nothing_else_is_known(text: str, value: Any) -> None:
    assert values.guessed(text) == value
    assert type(values.guessed(text)) is type(value)


@pytest.mark.parametrize(
    ("text", "simpletype", "value"),
    [
        ("10", "string", "10"),
        ("t", "string", "t"),
        ("10", "unsigned", 10),
        ("1", "boolean", True),
        ("F", "boolean", False),
        ("maybe", "boolean", "maybe"),  # for the daemon to refuse
        ("x", "unsigned", "x"),
    ],
)
def test_type_from_the_help_of_the_daemon_wins(text: str, simpletype: str, value: Any) -> None:
    assert values.typed(text, simpletype) is value or values.typed(text, simpletype) == value
    assert type(values.typed(text, simpletype)) is type(value)


def test_dots_make_objects() -> None:
    members = [("a.b", "1"), ("a.c.d", "x"), ("e", "2")]
    assert values.members_object(members, {"e": "string"}) == {"a": {"b": 1, "c": {"d": "x"}}, "e": "2"}
