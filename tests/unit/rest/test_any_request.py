"""Whatever a client sends, it is answered, and nothing it can do is the host's own failure."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.rest.store_host import Host

NAMES = (
    "box",
    "seal",
    "row",
    "side",
    "content",
    "kilos",
    "alarm",
    "siren",
    "climate",
    "ports",
    "mode",
    "visit",
)
SEGMENTS = st.one_of(
    st.sampled_from(
        ["store", "s1", "LEFT", "1", "p1", "shake", "cubes", "services", "connect", "%00", "%zz", *NAMES]
    ),
    st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="/?#"), max_size=8),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(["name", *NAMES]), st.text(max_size=3)), inner, max_size=4),
    ),
    max_leaves=12,
)
BODIES = st.one_of(JSON.map(json.dumps), st.text(max_size=20), st.just(""))
QUERIES = st.sampled_from(["", "?help=NONE", "?help=ADD&completion", "?help=SHOW", "?=", "?help=%ff&&="])


@given(
    st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"]),
    st.lists(SEGMENTS, max_size=8).map("/".join),
    QUERIES,
    BODIES,
)
@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_request_makes_the_host_fail(host: Host, method: str, path: str, query: str, body: str) -> None:
    if path.startswith("services/store"):
        return  # which would unload the service for all later examples
    answer = host.ask(method, path + query, body)
    assert answer.status in (200, 201, 204, 308, 400, 404, 405, 409), answer


@given(st.lists(SEGMENTS, min_size=1, max_size=6), JSON)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_service_only_gets_json_and_keys_of_the_right_kind(host: Host, path: list[str], body: object) -> None:
    host.library.asked.clear()
    host.ask("PATCH", "/".join(["store", "s1", *path]), json.dumps(body))
    for asked in host.library.asked:
        assert asked.body is not None
        json.loads(asked.body)
        for key in asked.keys:
            assert isinstance(key.value, int) if key.type.startswith("UINT") else isinstance(key.value, str)


@pytest.mark.parametrize("path", ["store/s1/", "store/s1/box/LEFT/1/", "store/s1/box/"])
@given(body=JSON)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_accepted_bodies_are_accepted_again(host: Host, path: str, body: object) -> None:
    """What reaches the service, defaults and keys included, is itself a valid body."""
    host.library.asked.clear()
    host.ask("PUT", path, json.dumps(body))
    if host.library.asked and host.last().body:
        again = host.last().body
        host.ask("PUT", path, again or "")
        assert host.last().body == again
