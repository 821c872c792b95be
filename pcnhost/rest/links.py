"""`_links`: where a client can go from an answer."""

from __future__ import annotations

from collections.abc import Iterable

from pcnhost.rest import jsontext
from pcnhost.rest.context import link_segment
from pcnhost.rest.jsontext import Json


def links(url: str, children: Iterable[str]) -> Json:
    """`self`, then each child; `url` ends with a slash."""
    return [
        {"rel": "self", "href": url},
        *({"rel": child, "href": f"{url}{link_segment(child)}/"} for child in children),
    ]


def object_with_links(text: str, url: str, children: Iterable[str]) -> str:
    """The JSON object `text` with a member `_links`; a text that is no object stays as it is."""
    value = _parse(text)
    if not isinstance(value, dict):
        return text
    return jsontext.compact({**value, "_links": links(url, children)})


def list_with_links(text: str, url: str, first_key: str) -> str:
    """The JSON array `text` with an element `["_links",[…]]` that points to each element by its first key.

    A text that is no array, or an empty one, stays as it is."""
    value = _parse(text)
    if not isinstance(value, list) or not value:
        return text
    return jsontext.compact([*value, links_element(url, (str(item.get(first_key, "")) for item in value))])


def links_element(url: str, children: Iterable[str]) -> Json:
    return ["_links", links(url, children)]


def _parse(text: str) -> Json:
    try:
        return jsontext.parse(text)
    except jsontext.MalformedJson:
        return None
