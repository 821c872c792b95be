"""Web pages are told from programs by what browsers add to their requests."""

from __future__ import annotations

from typing import Any

import pytest

from pcnhost.rest.admission import Admission


def refusal(host: str | None, server: Any = ("127.0.0.1", 9000), scheme: str = "http", **headers: str) -> int:
    """The status of the refusal, 0 for none."""
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    if host is not None:
        pairs.append((b"host", host.encode()))
    version = "1.1" if host else "1.0"
    scope = {"headers": pairs, "server": server, "scheme": scheme, "http_version": version}
    answer = Admission(["lb.example", "10.0.0.5"]).refusal(scope)
    return answer.status if answer else 0


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1:9000", "localhost:9000", "LOCALHOST", "[::1]:9000", "127.3.2.1"),
        *("lb.example:1", "10.0.0.5:9000", None),
    ],
)
def test_names_of_the_host(host: str | None) -> None:
    assert refusal(host) == 0


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example:9000", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.6", "", "[::2]"),
        *("127.1", "2130706433", "0x7f000001", "local host", "[localhost", "[", "evil.example@localhost"),
    ],
)
def test_other_names_are_misdirected(host: str) -> None:
    assert refusal(host) == (421 if host else 0)  # only HTTP/1.0 may say nothing


def test_the_address_that_was_called() -> None:
    assert refusal("192.0.2.1:9000", ("192.0.2.1", 9000)) == 0
    assert refusal("192.0.2.1:9000", ("::ffff:192.0.2.1", 9000)) == 0
    assert refusal("192.0.2.2:9000", ("192.0.2.1", 9000)) == 421


def test_certificates_and_paths_say_more_than_names() -> None:
    assert refusal("any.example", scheme="https") == 0
    assert refusal("any.example", ("/run/pcnhost.sock", None)) == 0
    assert refusal("any.example", None) == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://evil.example:9000"},
        {"origin": "null"},
        {"origin": "http://localhost:9001"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "same-origin", "origin": "http://evil.example"},
    ],
)
@pytest.mark.parametrize("server", [("127.0.0.1", 9000), None])
def test_pages_of_others_are_refused(headers: dict[str, str], server: Any) -> None:
    assert refusal("localhost:9000", server, **headers) == 403


def test_the_user_and_pages_of_the_host_itself() -> None:
    assert refusal("localhost:9000", sec_fetch_site="none") == 0
    assert refusal("localhost:9000", sec_fetch_site="same-origin", origin="http://localhost:9000") == 0
