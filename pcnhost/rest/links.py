"""`_links`: where a client can go from an answer.

They are appended to the text of a service, which is not parsed and copied once: a whole cube may have megabytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pcnhost.rest import jsontext
from pcnhost.rest.context import link_segment
from pcnhost.rest.jsontext import Json


def links(url: str, children: Iterable[str]) -> Json:
    """`self`, then each child; `url` ends with a slash."""
    return [
        {"rel": "self", "href": url},
        *({"rel": child, "href": f"{url}{link_segment(child)}/"} for child in children),
    ]


def object_with_links(text: memoryview, url: str, children: Iterable[str]) -> bytes:
    """The JSON object `text` with a member `_links`; a text that is no object stays as it is."""
    if not _is_between(text, b"{}"):
        return _utf8(bytes(text))
    comma = "" if len(text) == 2 else ","
    return _spliced(text, f'{comma}"_links":{jsontext.compact(links(url, children))}')


def list_with_links(text: memoryview, url: str, first_keys: Callable[[], Iterable[str]]) -> bytes:
    """The JSON array `text` with an element `["_links",[…]]` that points to each element by its first key.

    A text that is no array, or an empty one, stays as it is."""
    if not _is_between(text, b"[]") or len(text) == 2:
        return _utf8(bytes(text))
    return _spliced(text, f",{jsontext.compact(links_element(url, first_keys()))}")


def _is_between(text: memoryview, brackets: bytes) -> bool:
    return len(text) >= 2 and bytes((text[0], text[-1])) == brackets


def _spliced(text: memoryview, last: str) -> bytes:
    """`last` before the closing bracket."""
    return _utf8(b"".join((text[:-1], last.encode(), text[-1:])))


def _utf8(text: bytes) -> bytes:
    """What a service writes and is no UTF-8 is replaced."""
    return text if text.isascii() else text.decode(errors="replace").encode()


def links_element(url: str, children: Iterable[str]) -> Json:
    return ["_links", links(url, children)]
