"""`_links`: where a client can go from an answer.

They are appended to the text of a service, which is not parsed: a whole cube may have megabytes.
"""

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
    if not (text.startswith("{") and text.endswith("}")):
        return text
    comma = "" if text == "{}" else ","
    spliced = text[:-1]
    spliced += f'{comma}"_links":{jsontext.compact(links(url, children))}}}'  # grows in place: no second copy
    return spliced


def list_with_links(text: str, url: str, first_keys: Iterable[str]) -> str:
    """The JSON array `text` with an element `["_links",[…]]` that points to each element by its first key.

    A text that is no array, or an empty one, stays as it is."""
    if not (text.startswith("[") and text.endswith("]")) or text == "[]":
        return text
    return f"{text[:-1]},{jsontext.compact(links_element(url, first_keys))}]"


def links_element(url: str, children: Iterable[str]) -> Json:
    return ["_links", links(url, children)]
