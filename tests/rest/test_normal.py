"""The comparison of answers forgives what it should and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.rest.normal import normal
from tests.rest.recording import Recorded

LINK = {"rel": "self", "href": "//a:1/polycube/v1/x/"}
UUID = "692e97fb-1e4f-4531-9ce0-f67fc26819cd"


def same(one: Any, other: Any, method: str = "GET", path: str = "/polycube/v1/x/") -> bool:
    request = Recorded(1, method, path, None, 200, "")
    return normal(request, 200, json.dumps(one)) == normal(request, 200, json.dumps(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"uuid": UUID}, {"uuid": UUID.replace("6", "7")}),
        ({"_links": [LINK]}, {"_links": [LINK | {"href": "//b:2/polycube/v1/x/"}]}),
        (
            [{"vip": "1", "vport": 1}, {"vip": "2", "vport": 1}],
            [{"vip": "2", "vport": 1}, {"vip": "1", "vport": 1}],
        ),
        ([{"ip": "1"}, {"ip": "2"}], [{"ip": "2"}, {"ip": "1"}]),
        ({"service": [], "_links": []}, {"service": [], "max-sessions": 5, "_links": []}),
        (["service", "set", "show"], ["service", "max-sessions", "set", "show"]),
        (["port_mode="], ["port_mode=", "max-sessions="]),
    ],
)
def test_may_differ(one: Any, other: Any) -> None:
    assert same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1}, {"a": "1"}),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1}, {"max-sessions": 5, "a": 1}),
        (["a", "b"], ["b", "a"]),
        ([{"name": "a", "status": "UP"}, {"name": "b"}], [{"name": "b"}, {"name": "a", "status": "UP"}]),
        ([{"vip": "1"}], [{"vip": "1"}, {"vip": "1"}]),
        ({"_links": [LINK]}, {"_links": [LINK | {"href": "//a:1/polycube/v1/y/"}]}),
        ({"_links": [LINK]}, {"_links": [LINK, LINK | {"rel": "new"}]}),
        ({"peer": ""}, {}),
    ],
)
def test_must_not_differ(one: Any, other: Any) -> None:
    assert not same(one, other)


def test_texts_and_statuses_are_compared_as_they_are() -> None:
    request = Recorded(1, "GET", "/polycube/v1/x/", None, 500, "")
    assert normal(request, 500, "No such port") == (500, "No such port")
    assert normal(request, 500, "{broken") == (500, "{broken")
    assert normal(request, 500, "null") != normal(request, 500, "[]")


def test_descriptions_are_forgiven_in_help_only() -> None:
    one, other = {"description": "a"}, {"description": "b"}
    assert same(one, other, "OPTIONS")
    assert not same(one, other)
