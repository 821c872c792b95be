"""What OPTIONS and `_links` tell about a service."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pcnhost.library import ErrorTag
from pcnhost.rest.links import object_with_links
from tests.unit.rest.store_host import Host

BOXES = '[{"side":"LEFT","row":"1"},{"side":"LEFT","row":"2"},{"side":"RIGHT","row":"1"}]'


def told(host: Host, path: str) -> Any:
    answer = host.ask("OPTIONS", path)
    assert (answer.status, answer.content_type) == (200, "application/yang.data+json; charset=utf-8")
    return json.loads(answer.body)


def test_help_objects(host: Host) -> None:
    params = told(host, "store/s1/?help=SHOW")["params"]
    assert list(params["mode"].items()) == [
        ("name", "mode"),
        ("description", "Who may enter"),
        ("example", ""),
        ("type", "leaf"),
        ("simpletype", "string"),
    ]
    assert params["box"] == {"name": "box", "description": "", "example": "a box", "type": "list"}
    assert params["climate"]["type"] == "complex"
    assert {name: params[name].get("simpletype") for name in ("floors", "visitors", "shadow")} == {
        "floors": "integer",
        "visitors": "unsigned",
        "shadow": "boolean",
    }
    assert told(host, "store/s1/climate?help=SHOW")["params"]["celsius"]["simpletype"] == "decimal"


CUBE = [
    "uuid",
    "type",
    "service-name",
    "loglevel",
    "ports",
    "shadow",
    "span",
    "mode",
    "floors",
    "site",
    "visitors",
]


@pytest.mark.parametrize(
    ("path", "params", "optional"),
    [
        ("store/s1/?help=SHOW", [*CUBE, "climate", "alarm", "box", "visit"], None),
        ("store/s1/?help=SET", ["loglevel", "span", "mode", "floors"], None),
        ("store/s1/?help=NONE", ["ports", "climate", "alarm", "box", "visit"], None),
        (
            "store/s1/?help=ADD",
            [],
            ["type", "service-name", "loglevel", "shadow", "span", "mode", "floors", "site"],
        ),
        ("store/s1/box/LEFT/1/?help=SHOW", ["content", "kilos", "opened", "seal"], None),
        ("store/s1/box/LEFT/1/?help=NONE", ["seal", "shake"], None),
        ("store/s1/box/LEFT/1/?help=ADD", [], ["content", "kilos"]),
        ("store/s1/climate/?help=NONE", ["limits"], None),
        ("store/s1/box/?help=ADD", ["side", "row"], ["content", "kilos"]),
        ("store/s1/box/LEFT/1/shake/?help=NONE", ["times", "gently"], None),
    ],
)
def test_members_told(host: Host, path: str, params: list[str], optional: list[str] | None) -> None:
    shown = told(host, path)
    assert list(shown["params"]) == params
    assert list(shown.get("optional-params", {})) == (optional or [])
    words = told(host, path + "&completion")
    if "ADD" in path and "box/?" not in path:
        assert words == [f"{name}=" for name in optional or []]
    elif "SHOW" in path:
        assert words == params


def test_commands_fit_what_can_be_done(host: Host) -> None:
    assert told(host, "store/?help=NONE")["commands"] == ["add", "del", "show"]
    assert told(host, "store/s1/?help=NONE")["commands"] == ["set", "show"]
    assert told(host, "store/s1/visit/?help=NONE")["commands"] == ["show"]
    assert told(host, "store/s1/visit/1/?help=NONE")["commands"] == ["show"]


def test_list_shows_its_elements_as_the_service_tells_them(host: Host) -> None:
    host.answering("store_box_list_by_id_help", BOXES)
    shown = told(host, "store/s1/box/?help=SHOW")
    assert shown["elements"] == json.loads(BOXES)
    assert shown["params"]["row"] == {
        "name": "row",
        "description": "Row",
        "example": "3",
        "type": "key",
        "simpletype": "unsigned",
    }


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("box/?help=NONE", ["LEFT", "LEFT", "RIGHT", "add", "del", "show"]),
        ("box/?help=DEL", ["LEFT", "LEFT", "RIGHT"]),
        ("box/LEFT/?help=SHOW", ["1", "2"]),
        ("box/LEFT/?help=NONE", ["1", "2"]),
        ("box/UP/?help=SHOW", []),
        ("box/?help=ADD", ["<side>"]),
        ("box/LEFT/?help=ADD", ["<row>"]),
        ("ports/?help=ADD", ["<ports_name>"]),
        ("box/LEFT/1/?help=SET", ["content=", "kilos="]),
        ("box/LEFT/1/?help=NONE", ["seal", "shake", "set", "show"]),
        ("box/LEFT/1/shake?help=NONE", ["times=", "gently="]),
        ("mode?help=SET", ["open", "closed"]),
        ("floors?help=SET", []),
    ],
)
def test_completion_words(host: Host, path: str, words: list[str]) -> None:
    host.answering("store_box_list_by_id_help", BOXES)
    assert told(host, f"store/s1/{path}&completion=1") == words


def test_cubes_complete_a_service(host: Host) -> None:
    host.answering("store_list_by_id_help", '[{"name":"s1"}]')
    assert told(host, "store?help=NONE&completion") == ["s1", "add", "del", "show"]
    assert told(host, "store?help=ADD&completion") == ["s1", "<name>"]
    assert told(host, "store?help=SHOW")["elements"] == [{"name": "s1"}]


@pytest.mark.parametrize(
    "path",
    [
        "store/",
        "store/?help=SET",
        "store/s1/?help=DEL",
        "store/s1/?help=help",
        "store/s1/?completion",
        "store/s1/box/?help=SET&completion",
        "store/s1/mode/?help=SHOW",
        "store/s1/box/LEFT/1/shake?help=SHOW",
        "cubes/s1?help=SHOW",
    ],
)
def test_help_that_does_not_exist(host: Host, path: str) -> None:
    answer = host.ask("OPTIONS", path)
    assert (answer.status, answer.body) == (400, "")


def test_failure_of_the_service_is_passed_on(host: Host) -> None:
    host.answering("store_box_list_by_id_help", "Cube s1 does not exist", ErrorTag.GENERIC_ERROR)
    answer = host.ask("OPTIONS", "store/s1/box/?help=SHOW")
    assert (answer.status, answer.body) == (500, "Cube s1 does not exist")


def test_object_gets_links_to_its_members(host: Host) -> None:
    host.answering("read_store_box_by_id_handler", '{"row":1,"content":"a"}')
    shown = json.loads(host.ask("GET", "store/s1/box/LEFT/1").body)
    assert list(shown) == ["row", "content", "_links"]
    assert [link["rel"] for link in shown["_links"]] == [
        "self",
        "content",
        "kilos",
        "opened",
        "seal",
        "shake",
    ]
    assert shown["_links"][1]["href"] == "//host:1/polycube/v1/store/s1/box/LEFT/1/content/"


def test_list_gets_links_by_first_key_as_last_element(host: Host) -> None:
    host.answering("read_store_ports_list_by_id_handler", '[{"name":"a/b"}]')
    host.answering("store_ports_list_by_id_help", '[{"name":"a/b"}]')
    shown = json.loads(host.ask("GET", "store/s1/ports").body)
    url = "//host:1/polycube/v1/store/s1/ports/"
    assert shown == [
        {"name": "a/b"},
        ["_links", [{"rel": "self", "href": url}, {"rel": "a/b", "href": f"{url}a%2Fb/"}]],
    ]


def test_links_are_appended_to_the_text_of_the_service_as_it_is(host: Host) -> None:
    """Neither escapes nor numbers are written anew: the text is not parsed."""
    for text in ('{"row":1e2,"content":"\\u00e9"}', "{}"):
        host.answering("read_store_box_by_id_handler", text)
        shown = host.ask("GET", "store/s1/box/LEFT/1").text
        assert shown.startswith(text[:-1]) and isinstance(json.loads(shown)["_links"], list)


@pytest.mark.parametrize(
    ("text", "shown"), [(b'{"a":"\xc3\xa9"}', "\xe9"), (b'{"a":"\xff"}', "\ufffd"), (b'{"a":"\xc3', "\ufffd")]
)
def test_what_is_no_utf8_is_replaced(text: bytes, shown: str) -> None:
    answer = object_with_links(memoryview(text), "//host:1/", ())
    assert answer.decode().partition('"a":"')[2].startswith(shown)


@pytest.mark.parametrize("text", ["null", "[]", "not JSON", ""])
def test_text_without_elements_stays_as_it_is(host: Host, text: str) -> None:
    host.answering("read_store_ports_list_by_id_handler", text)
    assert host.ask("GET", "store/s1/ports").text == text


def test_root_and_service_link_to_what_exists(host: Host) -> None:
    root = json.loads(host.ask("GET", "").body)
    assert root[0] == {"rel": "self", "href": "//host:1/polycube/v1/"}
    assert {"rel": "s1", "href": "//host:1/polycube/v1/s1/"} in root
    cubes, links = json.loads(host.ask("GET", "store").body)
    assert cubes == {"name": "s1", "service-name": "store"}
    assert [link["rel"] for link in links[1]] == ["self", "s1"]


def test_root_help(host: Host) -> None:
    shown = json.loads(host.ask("OPTIONS", "?help=NONE").body)
    assert shown == {
        "params": {
            "store": {
                "name": "store",
                "simpletype": "service",
                "type": "leaf",
                "description": "Keeps things in boxes",
                "version": "1.2",
                "pyang_repo_id": "Unknown",
                "swagger_codegen_repo_id": "generator",
            }
        }
    }
    assert json.loads(host.ask("OPTIONS", "?help=NONE&completion").body)[-2:] == ["store", "s1"]


def test_elements_of_the_host(host: Host) -> None:
    assert json.loads(host.ask("OPTIONS", "cubes?help=SHOW").body)["elements"] == [{"cube": "s1"}]
    assert json.loads(host.ask("OPTIONS", "netdevs?help=NONE").body)["elements"] == [{"netdev": "eth9"}]
    assert json.loads(host.ask("OPTIONS", "connect?help=NONE&completion").body) == ["s1:p1"]
