"""Bodies: what is refused, and what of the rest reaches the service."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegen.schema import Node, Type
from pcnhost.rest import rules
from pcnhost.rest.answers import Answer
from tests.unit.rest.store_host import Host


def messages(answer: Answer) -> list[str]:
    return [error["error-message"] for error in json.loads(answer.body)["ietf-restconf:errors"]["error"]]


def tags(answer: Answer) -> list[str]:
    return [error["error-tag"] for error in json.loads(answer.body)["ietf-restconf:errors"]["error"]]


def sent(host: Host) -> Any:
    body = host.last().body
    assert body is not None
    return json.loads(body)


def test_new_cube_gets_its_name_and_all_defaults_in_schema_order(host: Host) -> None:
    assert host.ask("POST", "store/s2/", '{"floors":3,"name":"other"}').status == 201
    assert host.last().body == (
        '{"floors":3,"name":"s2","type":"TC","loglevel":"INFO","shadow":false,"span":false,"mode":"OPEN",'
        '"climate":{"celsius":18.5}}'
    )


def test_defaults_reach_into_lists_and_present_containers_but_never_become_keys(host: Host) -> None:
    body = {"alarm": {}, "box": [{"side": "LEFT", "content": "nails", "seal": [{"row": 1}]}]}
    host.ask("POST", "store/s2/", json.dumps({**body, "climate": {"limits": {"high": 3}}}))
    assert sent(host)["box"] == [{"side": "LEFT", "content": "nails", "seal": [{"row": 1}], "kilos": 1}]
    assert sent(host)["climate"] == {"limits": {"high": 3}, "celsius": 18.5}
    assert "alarm" not in sent(host)  # an empty member says nothing, even of a presence container


def test_empty_members_of_a_new_entry_count_as_absent(host: Host) -> None:
    assert (
        host.ask("POST", "store/s1/box/LEFT/1/", '{"content":"nails","kilos":null,"seal":[]}').status == 201
    )
    assert sent(host) == {"content": "nails", "side": "LEFT", "row": 1, "kilos": 1}
    assert tags(host.ask("POST", "store/s1/box/LEFT/1/", '{"content":null}')) == ["content"]


def test_update_adds_no_defaults_and_requires_nothing(host: Host) -> None:
    assert host.ask("PATCH", "store/s1/box/LEFT/1/", "").status == 201
    assert sent(host) == {"side": "LEFT", "row": 1}
    assert tags(host.ask("PATCH", "store/s1/box/LEFT/1/", '{"kilos":null}')) == ["kilos"]


def test_problems_come_in_schema_order_and_unknown_members_last(host: Host) -> None:
    answer = host.ask("POST", "store/s1/box/LEFT/1/", '{"bogus":1,"kilos":-1,"opened":true}')
    assert (answer.status, tags(answer)) == (400, ["content", "kilos", "opened", "bogus"])
    assert not host.library.asked


@pytest.mark.parametrize(
    ("path", "body", "wrong"),
    [
        ("store/s1/", '{"site":"x"}', ["site"]),  # init-only
        ("store/s1/", '{"visitors":5}', ["visitors"]),  # read-only
        ("store/s1/", '{"ports":{}}', ["invalid-value"]),
        ("store/s1/", '{"ports":[5]}', ["ports"]),
        ("store/s1/", '{"climate":[1]}', ["climate"]),
        ("store/s1/", '{"climate":{"limits":{"low":1.0}}}', ["low"]),
        ("store/s1/", '{"alarm":{"volume":"7"}}', ["volume"]),
        ("store/s1/ports/p1/", '{"colour":"Red"}', ["colour"]),
    ],
)
def test_wrong_members_are_named(host: Host, path: str, body: str, wrong: list[str]) -> None:
    answer = host.ask("PATCH", path, body)
    assert (answer.status, tags(answer)) == (400, wrong)


def test_container_with_a_mandatory_leaf_is_mandatory_itself(host: Host) -> None:
    assert tags(host.ask("POST", "store/s1/alarm/", '{"siren":{"pitch":1}}')) == ["tone"]
    assert tags(host.ask("POST", "store/s1/alarm/", "{}")) == ["siren"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ('{"floors":', "body: malformed JSON at line 1, column 11: expecting value"),
        ('{\n "floors" 1}', "body: malformed JSON at line 2, column 11: expecting ':' delimiter"),
        ('{"floors":NaN}', "body: malformed JSON: NaN is not a JSON number"),
        ('{"site":"\\ud800"}', "body: malformed JSON: half of a \\u surrogate pair"),
        ('{"floors":1e999}', "body: malformed JSON: 1e999 is too large a number"),
        ('{"floors":' + "9" * 5000 + "}", "body: malformed JSON: a number has too many digits"),
        ("[" * 100_000, "body: malformed JSON: nested too deeply"),
        ("[]", "body: an array is not possible, a JSON object is expected"),
        ("null", "body: null is not possible, a JSON object is expected"),
        ('"s1"', "body: a string is not possible, a JSON object is expected"),
        ("7", "body: a number is not possible, a JSON object is expected"),
    ],
)
def test_what_is_no_json_object_is_explained(host: Host, body: str, text: str) -> None:
    answer = host.ask("PATCH", "store/s1/", body)
    assert (answer.status, answer.body) == (400, text)
    assert answer.content_type == "application/yang.data+json; charset=utf-8"


@pytest.mark.parametrize(
    ("method", "path"),
    [("PATCH", "store/s1/"), ("PATCH", "store/s1/mode/"), ("POST", "store/s1/box/"), ("POST", "cubes")],
)
@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ('{"a":', "}")])
def test_any_depth_is_explained(host: Host, method: str, path: str, begin: str, end: str) -> None:
    """What can just be read need not be possible to write, which a refusal does."""
    for depth in range(850, 1000):
        for inmost in ('"\\u0041"', "1"):
            answer = host.ask(method, path, begin * depth + inmost + end * depth)
            assert (depth, answer.status) == (depth, 400)


def test_whole_list_takes_arrays_only_and_leaves_keys_to_the_service(host: Host) -> None:
    assert tags(host.ask("POST", "store/s1/box/", "{}")) == ["invalid-value"]
    assert tags(host.ask("POST", "store/s1/box/", '[{"content":"a"},{"row":1}]')) == ["content"]
    assert host.ask("POST", "store/s1/box/", '[{"content":"a"}]').status == 201
    assert host.last().body == '[{"content":"a","kilos":1}]'
    assert host.ask("PUT", "store/s1/box/").status == 201
    assert (host.last().symbol, host.last().body) == ("replace_store_box_list_by_id_handler", "[]")


def test_leaf_takes_a_bare_value_and_without_body_its_default(host: Host) -> None:
    assert host.ask("PATCH", "store/s1/mode/", ' "closed" ').status == 200
    assert host.last().body == '"closed"'
    assert host.ask("PATCH", "store/s1/mode/").status == 200
    assert host.last().body == '"OPEN"'
    assert tags(host.ask("PATCH", "store/s1/climate/heating/")) == ["heating"]
    assert tags(host.ask("PATCH", "store/s1/mode/", '"shut"')) == ["mode"]


def test_action_input_is_checked_and_its_output_answered(host: Host) -> None:
    assert tags(host.ask("POST", "store/s1/box/LEFT/1/shake/", "{}")) == ["gently"]
    host.answering("create_store_box_shake_by_id_handler", '{"noise":"rattle"}')
    answer = host.ask("POST", "store/s1/box/LEFT/1/shake/", '{"gently":true}')
    assert (answer.status, answer.body) == (201, '{"noise":"rattle"}')
    assert host.last().body == '{"gently":true,"times":2}'


def test_service_name_in_the_body_must_be_the_service(host: Host) -> None:
    assert tags(host.ask("POST", "store/s2/", '{"service-name":"shop"}')) == ["invalid-value"]
    assert host.ask("POST", "store/s2/", '{"service-name":"store"}').status == 201


def test_chains_of_transparent_cubes_do_not_reach_the_service(host: Host) -> None:
    host.ask("POST", "store/s2/", '{"ports":[{"name":"p","tcubes":["t1"]}]}')
    assert sent(host)["ports"] == [{"name": "p"}]


ACCEPTED: dict[str, tuple[list[Any], list[Any]]] = {
    "uint8": ([0, 80, 70000], ["80", -1, 80.0, True, None, 1 << 64]),
    "int16": ([-1, 5], ["5", 1.5, False]),
    "uint64": ([5, "5", 1.5], [True, [5]]),
    "decimal64": ([1.5, "1.5", 2], [True, {}]),
    "boolean": ([True, False], ["true", 0, 1]),
    "string": (["", "a"], [1, None, ["a"]]),
    "union": (["a", 1, 1.5, True], [None, ["a"], {}]),
    "empty": ([[None]], [None, [], ""]),
}


@pytest.mark.parametrize("base", ACCEPTED)
def test_json_kinds_of_types(base: str) -> None:
    accepts = rules.value_check(Type(base, base))
    good, bad = ACCEPTED[base]
    assert [value for value in good if not accepts(value)] == []
    assert [value for value in bad if accepts(value)] == []


@given(st.sampled_from(["TCP", "Udp", "icmp"]), st.data())
def test_enumerations_ignore_letter_case(name: str, data: st.DataObject) -> None:
    accepts = rules.value_check(Type("enumeration", "enumeration", enums=("TCP", "Udp", "icmp")))
    spelled = "".join(data.draw(st.sampled_from([letter.lower(), letter.upper()])) for letter in name)
    assert accepts(spelled)
    assert not accepts(spelled + " ")


def test_all_patterns_have_to_match_the_whole_text() -> None:
    accepts = rules.value_check(Type("string", "t", patterns=("[a-z]+", r"a.*\d")))
    assert accepts("a1") is False
    accepts = rules.value_check(Type("string", "t", patterns=("[a-z0-9]+", r"a.*\d")))
    assert accepts("ab1")
    assert not accepts("ab1x")
    assert not accepts("ab\u0661")  # an Arabic digit is no \d


def test_character_categories_stand_for_their_letters() -> None:
    accepts = rules.value_check(Type("string", "t", patterns=(r"[0-9]+(%[\p{N}\p{L}]+)?",)))
    assert accepts("10")
    assert accepts("10%NL")
    assert not accepts("10%eth0")


def test_defaults_have_the_json_kind_of_their_type(node: Callable[[str], Node]) -> None:
    found = [
        rules.default_value(node(path)) for path in ("floors", "climate/celsius", "shadow", "mode", "site")
    ]
    assert found == [-1, 18.5, False, "OPEN", None]


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("PATCH", "", {"mode": "SHUT"}, ['mode: "SHUT" is not possible, allowed: OPEN, Closed']),
        ("PATCH", "mode/", "SHUT", ['mode: "SHUT" is not possible, allowed: OPEN, Closed']),
        ("PATCH", "", {"floors": "2"}, ['floors: "2" is not possible, allowed: whole numbers -128..127']),
        ("PATCH", "", {"site": "a"}, ['site: "a" is not possible, it can be given at creation only']),
        ("PATCH", "", {"visitors": 1}, ["visitors: 1 is not possible, it can only be read"]),
        ("PATCH", "", {"climate": 5}, ["climate: 5 is not possible, allowed: an object"]),
        (
            "PATCH",
            "",
            {"climate": {"heating": 1}},
            ["climate.heating: 1 is not possible, allowed: true, false"],
        ),
        (
            "PATCH",
            "climate/",
            {"cold": 1},
            ["cold: there is no such member, allowed: celsius, heating, limits"],
        ),
        ("PUT", "box/", {}, ["box: {} is not possible, allowed: an array of objects"]),
        ("PUT", "box/", [{}, 5], ["box[0].content: missing, allowed: values of type label"]),
        ("POST", "", {"name": "s1"}, ["Cube s1 already exists"]),
        ("PATCH", "", {"mode": "x" * 200}, [f'mode: "{"x" * 99}… is not possible, allowed: OPEN, Closed']),
    ],
)
def test_messages_name_member_value_and_what_is_allowed(
    host: Host, method: str, path: str, body: Any, expected: list[str]
) -> None:
    found = messages(host.ask(method, f"store/s1/{path}", json.dumps(body)))
    assert found[: len(expected)] == expected
