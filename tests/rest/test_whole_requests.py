"""A request is carried out as it was meant or not at all, however it arrives."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from testbed.api import Api, ApiError
from tests.rest.conftest import OwnHost
from tests.rest.rawhttp import ask, connection, head, statuses

pytestmark = pytest.mark.root

CUBE = "whole"
SERVICE = f"k8slbrp/{CUBE}/service/10.96.0.10/80/TCP"
BACKEND = f"{SERVICE}/backend/10.20.0.1"
CLOSE = "Connection: close"


@pytest.fixture(scope="module")
def cube(own_host: OwnHost) -> Iterator[Api]:
    api = Api(own_host.authority)
    api.post(f"k8slbrp/{CUBE}")
    yield api
    api.delete(f"k8slbrp/{CUBE}")


@pytest.fixture
def service(cube: Api) -> Api:
    api = cube
    api.delete(f"k8slbrp/{CUBE}/service")
    api.post(SERVICE, {"name": "web", "backend": [{"ip": "10.20.0.1", "port": 8080, "weight": 3}]})
    return api


def chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (*parts, b""))


@pytest.mark.parametrize(
    ("sent", "body"),
    [
        (head("PATCH", f"{BACKEND}/weight", "Content-Length: 3"), b"1"),
        (head("PATCH", f"{BACKEND}/weight", "Transfer-Encoding: chunked"), b"2\r\n77\r\n"),
        (head("PATCH", f"{BACKEND}/weight", "Transfer-Encoding: chunked"), b"2\r\n77\r\n0\r\n"),
        (head("PUT", SERVICE, "Content-Length: 4000"), b""),
        (head("PUT", SERVICE, "Content-Length: 4000"), b"{}"),
        (head("PUT", f"{SERVICE}/backend", "Content-Length: 40"), b"[]"),
        (head("POST", "k8slbrp/ghost", "Content-Length: 400"), b""),
        (head("DELETE", SERVICE, "Content-Length: 1"), b""),
        (head("DELETE", SERVICE)[:-2], b""),
    ],
)
@pytest.mark.parametrize("half_close", [True, False], ids=["half-closed", "closed"])
def test_cut_off_requests_change_nothing(
    service: Api, own_host: OwnHost, sent: bytes, body: bytes, half_close: bool
) -> None:
    before = service.get(f"k8slbrp/{CUBE}")
    if half_close:
        assert ask(own_host.authority, sent + body, half_close=True) == b""
    else:
        with connection(own_host.authority) as sock:
            sock.sendall(sent + body)
    time.sleep(0.3)
    assert service.get(f"k8slbrp/{CUBE}") == before
    assert list(service.get("cubes")["k8slbrp"][0]) and len(service.get("cubes")["k8slbrp"]) == 1


def test_chunked_bodies(service: Api, own_host: OwnHost) -> None:
    request = head("PATCH", f"{BACKEND}/weight", "Transfer-Encoding: chunked", CLOSE)
    assert statuses(ask(own_host.authority, request + chunked(b"7", b"7"))) == [200]
    assert service.get(f"{BACKEND}/weight") == 77


def test_pipelined_requests_are_answered_in_order(service: Api, own_host: OwnHost) -> None:
    weights = [5, 6, 7]
    requests = [
        part
        for weight in weights
        for part in (
            head("PATCH", f"{BACKEND}/weight", "Content-Length: 1") + b"%d" % weight,
            head("GET", f"{BACKEND}/weight"),
        )
    ]
    last = head("GET", "version", CLOSE)
    answers = ask(own_host.authority, b"".join([*requests, last]))
    assert statuses(answers) == [200] * 7
    assert [answers.index(b"\r\n\r\n%d" % weight) for weight in weights] == sorted(
        answers.index(b"\r\n\r\n%d" % weight) for weight in weights
    )
    assert service.get(f"{BACKEND}/weight") == 7


def test_pipelined_requests_before_a_half_close_are_answered(service: Api, own_host: OwnHost) -> None:
    requests = b"".join(head("GET", f"{BACKEND}/weight") for _ in range(3))
    assert statuses(ask(own_host.authority, requests, half_close=True)) == [200] * 3


def test_http_1_0(service: Api, own_host: OwnHost) -> None:
    answer = ask(own_host.authority, head("GET", f"{BACKEND}/weight", host="", version="1.0"))
    assert statuses(answer) == [200]
    assert answer.endswith(b"\r\n\r\n3")
    cut = head("PATCH", f"{BACKEND}/weight", "Content-Length: 3", host="", version="1.0") + b"1"
    assert ask(own_host.authority, cut, half_close=True) == b""
    whole = head("PATCH", f"{BACKEND}/weight", "Content-Length: 1", host="", version="1.0") + b"9"
    assert statuses(ask(own_host.authority, whole, half_close=True)) == [200]
    assert service.get(f"{BACKEND}/weight") == 9


@pytest.mark.parametrize(
    "headers",
    [
        ("Content-Length: 1", "Content-Length: 2"),
        ("Content-Length: 1", "Transfer-Encoding: chunked"),
        ("Content-Length: -1",),
        ("Transfer-Encoding: gzip, chunked",),
        ("Host: other",),
        ("Content-Length : 1",),
    ],
)
def test_requests_of_two_readings_are_refused(service: Api, own_host: OwnHost, headers: tuple[str]) -> None:
    """What one server reads as one request and another as two."""
    before = service.get(f"k8slbrp/{CUBE}")
    answer = ask(
        own_host.authority, head("PATCH", f"{BACKEND}/weight", *headers, CLOSE) + b"12", half_close=True
    )
    assert statuses(answer) in ([], [400], [501]), answer
    assert service.get(f"k8slbrp/{CUBE}") == before


def test_whole_request_is_carried_out_whoever_still_listens(service: Api, own_host: OwnHost) -> None:
    """It has begun by the time the client hangs up, so it ends."""
    body = json.dumps({"name": "kept"}).encode()
    with connection(own_host.authority) as sock:
        sock.sendall(
            head("POST", f"k8slbrp/{CUBE}/service/10.96.0.11/80/TCP", f"Content-Length: {len(body)}") + body
        )
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            assert service.get(f"k8slbrp/{CUBE}/service/10.96.0.11/80/TCP")["name"] == "kept"
            return
        except ApiError:
            time.sleep(0.05)
    pytest.fail("the request is lost")
