"""What pcnctl prints: values, help, and the settings it starts from."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent

import pytest
import yaml

from pcnhost.ctl import guide, render, settings

CUBE = {
    "name": "s1",
    "shadow": False,
    "box": [
        {"side": "LEFT", "row": 1, "seal": [{"row": 1, "stamp": "x"}, {"row": 2}]},
        {"side": "RIGHT", "row": 20},
    ],
    "climate": {"celsius": 18.5, "limits": {"low": 1}},
    "_links": [{"rel": "self", "href": "//h/s1/"}],
}


def test_normal_shows_members_objects_tables_and_counts_of_the_rest() -> None:
    assert render.shown(CUBE, "normal") == dedent(
        """\
        name: s1
        shadow: false

        climate:
            celsius: 18.5

            limits: [1 item]

        box:
            side   row  seal (list)
            LEFT   1    [2 items]
            RIGHT  20"""
    )


def test_brief_counts_and_verbose_goes_one_deeper() -> None:
    assert render.shown(CUBE, "brief").splitlines()[-1] == "box: [2 items]"
    verbose = render.shown(CUBE, "verbose", hide=("climate",))
    assert verbose.splitlines()[3:] == [
        "box:",
        "    side   row  seal (list)",
        "    LEFT   1    [2 items]",
        "    RIGHT  20",
    ]
    assert render.shown(CUBE["box"], "verbose").splitlines() == [
        "side   row  seal (list)",
        "LEFT   1    row=1 stamp=x",
        "            row=2",
        "RIGHT  20",
    ]


def test_list_with_links_is_a_table_of_its_objects() -> None:
    shown = render.shown([{"name": "a"}, ["_links", [{"rel": "self"}]]], "normal")
    assert shown.splitlines() == ["name", "a"]


def test_json_and_yaml_keep_all_but_the_hidden() -> None:
    assert json.loads(render.shown(CUBE, "json")) == CUBE
    assert yaml.safe_load(render.shown(CUBE, "yaml", hide=("_links", "box"))) == {
        name: CUBE[name] for name in ("name", "shadow", "climate")
    }


def test_plain_lists_in_a_table_are_written_out() -> None:
    assert render.shown([{"name": "eth0", "addresses": ["a", "b"]}], "normal").splitlines() == [
        "name  addresses (list)",
        "eth0  a, b",
    ]


def test_scalars_and_nothing() -> None:
    assert render.shown("text", "normal") == "text"
    assert render.shown(None, "normal") == ""
    assert render.shown([], "normal") == ""


HELP = {
    "params": {
        "row": {"name": "row", "type": "key", "simpletype": "unsigned", "description": "Row", "example": "3"}
    },
    "optional-params": {
        "content": {
            "name": "content",
            "type": "leaf",
            "simpletype": "string",
            "description": "",
            "example": "nails",
        },
        "kilos": {
            "name": "kilos",
            "type": "leaf",
            "simpletype": "unsigned",
            "description": "",
            "example": "",
        },
    },
}


def test_guide_of_add_ends_with_an_example() -> None:
    lines = guide.guide(HELP, ["s1", "box", "add"], "add").splitlines()
    assert lines[1].split() == ["<row>", "unsigned", "Row", "3"]
    assert lines[-1] == "  pcnctl s1 box add 3 content=nails"


def test_guide_lists_commands_and_elements() -> None:
    text = guide.guide({"commands": ["show"], "elements": [{"row": "1", "side": "LEFT"}]}, ["s1", "box"], "")
    assert "show" in text
    assert text.splitlines()[-1].split() == ["1", "LEFT"]
    assert guide.guide({}, ["s1"], "add") == "Nothing can follow."


def test_settings_come_from_the_file_and_the_environment_wins(tmp_path: Path) -> None:
    assert settings.load({"HOME": str(tmp_path)}) == settings.Settings()
    file = tmp_path / settings.FILE
    file.parent.mkdir(parents=True)
    file.write_text("url: http://there:1/polycube/v1\ncert: a\nexpert: true\n")
    assert settings.load({"HOME": str(tmp_path)}).url == "http://there:1/polycube/v1/"
    environ = {"HOME": str(tmp_path), "POLYCUBECTL_URL": "https://else/", "POLYCUBECTL_CERT": ""}
    assert settings.load(environ) == settings.Settings("https://else/", cert="a")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("url: ftp://x", "neither http:// nor https://"),
        ("- a", "`name: value` lines"),
        ("a: [", "cannot read"),
    ],
)
def test_settings_that_make_no_sense(tmp_path: Path, content: str, why: str) -> None:
    file = tmp_path / settings.FILE
    file.parent.mkdir(parents=True)
    file.write_text(content)
    with pytest.raises(settings.SettingsError, match=why):
        settings.load({"HOME": str(tmp_path)})


def test_https_needs_an_authority() -> None:
    with pytest.raises(settings.SettingsError, match="cacert"):
        settings.Settings("https://x/").ssl_context()


WIDE = [
    {"name": f"cube{n}", "uuid": "0" * 36, "service": "store", "type": "TC", "level": "INFO", "ports": [1, 2]}
    for n in range(2)
]


@pytest.mark.parametrize("width", [40, 80, 132])
@pytest.mark.parametrize("shape", ["normal", "brief", "verbose"])
def test_tables_fit_the_terminal(width: int, shape: str) -> None:
    text = render.shown({"cubes": WIDE, "one": CUBE}, shape, (), width)
    assert max(map(len, text.splitlines())) <= width, text
    if shape == "normal" and width >= 80:
        assert "0" * 36 in text  # what does not wrap stays whole


def test_narrow_tables_become_records() -> None:
    assert render.shown(WIDE[:1], "normal", (), 60).splitlines()[:3] == [
        "name: cube0",
        f"uuid: {'0' * 36}",
        "service: store",
    ]


def test_help_fits_the_terminal() -> None:
    node = {"type": "leaf", "simpletype": "string", "description": "Many words " * 12, "example": "x" * 20}
    shown = {"params": {"key": node}, "optional-params": {f"member{n}": node for n in range(6)}}
    text = guide.guide(shown, ["store", "add"], "add", 80)
    assert max(map(len, text.splitlines())) <= 80, text
    assert "Many words Many words" in text
