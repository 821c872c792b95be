"""Every kind of error says which field is wrong, with which value, and what is allowed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.rest.daemon import Daemon

pytestmark = pytest.mark.root

MULTI = "/polycube/v1/k8slbrp/e1/"
SINGLE = "/polycube/v1/k8slbrp/e2/"
WEB = f"{MULTI}service/10.9.0.1/80/TCP/"
FRONTEND = {"type": "FRONTEND", "ip": "10.0.0.1"}
BACKEND = {"ip": "10.1.0.1", "port": 80}
SERVICE = {"vip": "10.9.0.9", "vport": 80, "proto": "TCP"}


@pytest.fixture(scope="module")
def cubes(daemon: Daemon) -> Iterator[None]:
    """One cube of each port mode with all kinds of things in it."""
    ports = [{"name": "be", "type": "BACKEND"}, {"name": "fe", **FRONTEND}]
    service = {"vip": "10.9.0.1", "vport": 80, "proto": "TCP", "backend": [BACKEND]}
    for path, body in (
        (MULTI, {"port_mode": "MULTI", "ports": ports, "service": [service]}),
        (SINGLE, {"port_mode": "SINGLE", "ports": [{"name": "fe", "type": "FRONTEND"}]}),
    ):
        answer = daemon.request("POST", path, json.dumps(body))
        assert answer.status_code == 201, answer.text
    yield
    daemon.delete_all_cubes()


def said(text: str) -> str:
    """What a person reads of an answer."""
    if not text.startswith("{"):
        return text
    errors = json.loads(text)["ietf-restconf:errors"]["error"]
    return "; ".join(error.get("error-message", error["error-tag"]) for error in errors)


# Method, path, body; then the words that the text must have: field, value, what is allowed.
WRONG_VALUES: list[tuple[str, str, Any, list[str]]] = [
    # kinds and names of members
    ("POST", f"{MULTI}ports/x/", {"type": "MIDDLE"}, ["type", '"MIDDLE"', "FRONTEND, BACKEND"]),
    ("POST", f"{MULTI}ports/x/", {"type": 5}, ["type", "5", "FRONTEND, BACKEND"]),
    ("POST", f"{MULTI}ports/x/", {}, ["type", "missing", "FRONTEND, BACKEND"]),
    (
        "POST",
        f"{MULTI}ports/x/",
        {"type": "BACKEND", "colour": 1},
        ["colour", "allowed: name, peer", "type, ip"],
    ),
    ("POST", f"{MULTI}ports/x/", {"type": "BACKEND", "status": "UP"}, ["status", '"UP"', "only be read"]),
    ("POST", f"{MULTI}ports/x/", {"type": "BACKEND", "peer": 7}, ["peer", "7", "strings"]),
    ("POST", f"{MULTI}ports/", {"name": "x"}, ["ports", '{"name":"x"}', "an array"]),
    ("POST", f"{MULTI}ports/", [{"name": "x", "type": "Y"}], ["ports[0].type", '"Y"', "FRONTEND, BACKEND"]),
    ("POST", f"{MULTI}ports/", [{"type": "BACKEND"}], ["ports[0].name", "missing", "string"]),
    ("POST", f"{MULTI}ports/", [5], ["ports[0]", "5", "object"]),
    ("PATCH", MULTI, {"service": 7}, ["service", "7", "an array"]),
    ("PATCH", MULTI, {"src-ip-rewrite": 7}, ["src-ip-rewrite", "7", "an object"]),
    ("PATCH", MULTI, {"max-sessions": 5000}, ["max-sessions", "5000", "at creation only"]),
    ("PATCH", MULTI, {"uuid": "x"}, ["uuid", '"x"', "only be read"]),
    ("PATCH", f"{MULTI}loglevel/", "LOUD", ["loglevel", '"LOUD"', "TRACE, DEBUG, INFO"]),
    ("PATCH", f"{MULTI}port_mode/", None, ["port_mode", "null", "SINGLE, MULTI"]),
    ("PATCH", f"{MULTI}span/", "yes", ["span", '"yes"', "true, false"]),
    ("POST", f"{WEB}backend/10.1.0.9/", {"port": "http"}, ["port", '"http"', "0..65535"]),
    ("POST", f"{WEB}backend/10.1.0.9/", {}, ["port", "missing", "0..65535"]),
    ("PATCH", f"{MULTI}src-ip-rewrite/ip-range/", "10.2.0.0", ["ip-range", "10.2.0.0", "ipv4-prefix"]),
    # numbers out of range
    ("POST", f"{WEB}backend/10.1.0.9/", {"port": 70000}, ["port", "70000", "0..65535"]),
    ("POST", f"{WEB}backend/10.1.0.9/", {"port": -1}, ["port", "-1", "0..65535"]),
    ("POST", f"{WEB}backend/10.1.0.9/", {"port": 2**70}, ["port", str(2**70), "0..65535"]),
    ("PATCH", f"{WEB}backend/10.1.0.1/weight/", 65536, ["weight", "65536", "0..65535"]),
    ("POST", f"{MULTI}service/", [SERVICE | {"vport": 65536}], ["service[0].vport", "65536", "0..65535"]),
    ("POST", "/polycube/v1/k8slbrp/e3/", {"max-sessions": 5}, ["max-sessions", "5", "1024..16777216"]),
    # keys
    ("GET", f"{MULTI}service/10.9.0.1/70000/TCP/", None, ["vport", "70000", "0..65535"]),
    ("GET", f"{MULTI}service/10.9.0.1/http/TCP/", None, ["vport", "http", "0..65535"]),
    ("POST", f"{MULTI}service/10.9.0.1/80/SCTP/", {}, ["proto", '"SCTP"', "ICMP, TCP, UDP, ALL"]),
    ("GET", f"{MULTI}service/10.9.0.1/80/SCTP/", None, ["proto", '"SCTP"', "ICMP, TCP, UDP, ALL"]),
    ("GET", f"{MULTI}service/10.9.0.1/80/SCTP/name/", None, ["proto", '"SCTP"', "ICMP, TCP, UDP, ALL"]),
    ("GET", f"{MULTI}service/10.9.0.300/80/TCP/", None, ["vip", '"10.9.0.300"', "a.b.c.d"]),
    ("GET", f"{WEB}backend/nobody/", None, ["ip", '"nobody"', "a.b.c.d"]),
    ("POST", f"{MULTI}service/", [{"vport": 80, "proto": "TCP"}], ["service[0].vip", "missing", "a string"]),
    ("GET", f"{MULTI}ports/a%00b/", None, ['"a\\u0000b"', "all characters but NUL"]),
    ("POST", f"{MULTI}service/", [SERVICE, SERVICE], ["service[1]", "10.9.0.9 80 tcp", "service[0]"]),
    # addresses and texts
    ("POST", f"{MULTI}service/224.0.0.1/80/TCP/", {}, ["vip", "224.0.0.1", "unicast"]),
    ("POST", f"{MULTI}service/10.9.0.1/80/ICMP/", {}, ["vport", "80", "allowed 0"]),
    ("PATCH", f"{WEB}name/", "x" * 256, ["name", "256 characters", "0..255"]),
    ("PUT", f"{WEB}backend/10.1.0.1/", {"port": 1, "name": "x" * 300}, ["name", "300 characters", "0..255"]),
    (
        "PUT",
        f"{MULTI}src-ip-rewrite/",
        {"ip-range": "10.1.0.0/24", "new_ip_range": "10.2.0.0/16"},
        ["new_ip_range", "10.2.0.0/16", "10.1.0.0/24", "same prefix length"],
    ),
    (
        "PATCH",
        f"{MULTI}src-ip-rewrite/ip-range/",
        "10.1.0.300/24",
        ["ip-range", "10.1.0.300", "ipv4-prefix"],
    ),
    # what belongs together
    ("POST", f"{MULTI}ports/x/", {"type": "FRONTEND"}, ["ip", "missing", "x", "IPv4 address", "MULTI"]),
    (
        "PUT",
        f"{MULTI}ports/be/",
        {"type": "BACKEND", "ip": "10.0.0.7"},
        ["ip", "10.0.0.7", "be", "no address"],
    ),
    ("PATCH", f"{SINGLE}ports/fe/ip/", "10.0.0.7", ["ip", "10.0.0.7", "fe", "no address", "SINGLE"]),
    ("POST", f"{MULTI}ports/x/", {"type": "FRONTEND", "ip": "0.0.0.0"}, ["ip", "0.0.0.0", "address"]),
    ("PATCH", f"{MULTI}ports/fe/type/", "BACKEND", ["type", "backend", "fe", "allowed: frontend"]),
    ("PATCH", f"{MULTI}port_mode/", "SINGLE", ["port_mode", "single", "allowed: multi"]),
    ("POST", "/polycube/v1/k8slbrp/e3/", {"shadow": True}, ["shadow", "true", "possible"]),
    ("PATCH", f"{MULTI}span/", True, ["span", "true", "false"]),
    (
        "POST",
        f"{MULTI}ports/",
        [{"name": f"n{n}", "type": "FRONTEND", "ip": f"10.0.1.{n}"} for n in range(127)],
        ["ports", "129", "0..128"],
    ),
    # cubes
    ("POST", "/polycube/v1/k8slbrp/a:b/", {}, ["name", "a:b", "none of blank"]),
    ("POST", "/polycube/v1/k8slbrp/", {}, ["name", "missing", "strings"]),
    ("POST", "/polycube/v1/k8slbrp/", {"name": 5}, ["name", "5", "strings"]),
    ("POST", "/polycube/v1/k8slbrp/e3/", {"service-name": "x"}, ["service-name", '"x"', "k8slbrp"]),
    ("POST", "/polycube/v1/k8slbrp/e3/", {"type": "XDP"}, ["type", '"XDP"', "TC, XDP_SKB, XDP_DRV"]),
    ("POST", "/polycube/v1/cubes", [{"name": "e3", "service-name": "x"}], ["service-name", '"x"', "k8slbrp"]),
    ("POST", "/polycube/v1/cubes", {}, ["body", "{}", "an array"]),
    ("POST", "/polycube/v1/cubes", [7], ["body", "7", "an object with a name"]),
    # bodies
    ("POST", f"{MULTI}ports/x/", [], ["body", "an array", "object"]),
    # the host
    ("POST", "/polycube/v1/services", {"type": "lib", "uri": "x"}, ["name", "missing", "strings"]),
    ("POST", "/polycube/v1/services", {"type": "jar", "uri": "x", "name": "y"}, ["type", '"jar"', "lib"]),
    ("POST", "/polycube/v1/services", {"type": "lib", "uri": 5, "name": "y"}, ["uri", "5", "strings"]),
    (
        "POST",
        "/polycube/v1/services",
        {"type": "lib", "uri": "/no/lib.so", "name": "y"},
        ["/no/lib.so", "No such file"],
    ),
    ("POST", "/polycube/v1/connect", {"peer1": 5, "peer2": "y"}, ["peer1", "5", "strings"]),
    ("PATCH", f"{MULTI}ports/fe/peer/", "nosuchdev", ["nosuchdev", "does not exist or is down"]),
    ("PATCH", f"{MULTI}ports/fe/peer/", "e1:fe", ["peer", "e1:fe", "another port, a network interface"]),
    ("PATCH", f"{MULTI}ports/fe/", {"peer": "e1:fe"}, ["peer", "e1:fe", "another port, a network interface"]),
    ("GET", "/polycube/v1/netdevs/nosuchdev", None, ["netdev", "nosuchdev", "does not exist"]),
    ("GET", "/polycube/v1/topology/nosuchdev", None, ["netdev", "nosuchdev", "does not exist"]),
]


@pytest.mark.usefixtures("cubes")
@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    WRONG_VALUES,
    ids=[f"{method} {path[12:]} {json.dumps(body)[:60]}" for method, path, body, _ in WRONG_VALUES],
)
def test_wrong_values(daemon: Daemon, method: str, path: str, body: Any, words: list[str]) -> None:
    answer = daemon.request(method, path, None if method == "GET" else json.dumps(body))
    assert answer.status_code == 400, answer.text
    assert [word for word in words if word not in said(answer.text)] == [], said(answer.text)


# What exists already, or does not: the thing and its name.
CONFLICTS: list[tuple[str, str, Any, list[str]]] = [
    ("POST", MULTI, {}, ["e1", "already exists"]),
    ("POST", f"{MULTI}ports/fe/", FRONTEND, ["Port fe", "already exists"]),
    ("POST", f"{MULTI}ports/x/", FRONTEND, ["10.0.0.1", "already exists", "fe"]),
    ("POST", f"{MULTI}ports/x/", {"type": "BACKEND"}, ["already a BACKEND port", "only one"]),
    ("POST", f"{SINGLE}ports/x/", {"type": "FRONTEND"}, ["already a FRONTEND port", "only one", "SINGLE"]),
    ("POST", WEB, {}, ["Service 10.9.0.1 80 tcp", "already exists"]),
    (
        "POST",
        f"{WEB}backend/10.1.0.1/",
        {"port": 81},
        ["Backend 10.1.0.1", "already exists", "whatever its port"],
    ),
    ("GET", "/polycube/v1/k8slbrp/e9/", None, ["Cube e9", "does not exist"]),
    ("DELETE", "/polycube/v1/k8slbrp/e9/", None, ["Cube e9", "does not exist"]),
    ("PATCH", "/polycube/v1/k8slbrp/e9/", {}, ["Cube e9", "does not exist"]),
    ("GET", f"{MULTI}ports/x/", None, ["Port x", "does not exist"]),
    ("DELETE", f"{MULTI}ports/x/", None, ["Port x", "does not exist"]),
    ("GET", f"{MULTI}ports/x/peer/", None, ["Port x", "does not exist"]),
    ("GET", f"{MULTI}service/10.9.0.9/80/TCP/", None, ["Service 10.9.0.9 80 tcp", "does not exist"]),
    ("DELETE", f"{MULTI}service/10.9.0.9/80/TCP/", None, ["Service 10.9.0.9 80 tcp", "does not exist"]),
    ("GET", f"{WEB}backend/10.1.0.9/", None, ["Backend 10.1.0.9", "does not exist"]),
    ("DELETE", f"{WEB}backend/10.1.0.9/", None, ["Backend 10.1.0.9", "does not exist"]),
    ("PATCH", f"{WEB}backend/10.1.0.9/weight/", 5, ["Backend 10.1.0.9", "does not exist"]),
]


@pytest.mark.usefixtures("cubes")
@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    CONFLICTS,
    ids=[f"{method} {path[12:]} {json.dumps(body)[:60]}" for method, path, body, _ in CONFLICTS],
)
def test_conflicts(daemon: Daemon, method: str, path: str, body: Any, words: list[str]) -> None:
    answer = daemon.request(method, path, None if method == "GET" else json.dumps(body))
    assert answer.status_code == 409, answer.text
    assert [word for word in words if word not in said(answer.text)] == [], said(answer.text)


@pytest.mark.usefixtures("cubes")
@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{", ["body", "line 1, column 2", "expecting"]),
        ('{"ip": 08}', ["body", "line 1, column 9", "expecting"]),
        ("[" * 5000, ["body", "nested too deeply"]),
        ("NaN", ["body", "NaN", "not a JSON number"]),
        ('{"name": "\\ud800"}', ["body", "surrogate"]),
    ],
)
def test_bodies_that_are_no_json(daemon: Daemon, body: str, words: list[str]) -> None:
    answer = daemon.request("POST", f"{MULTI}ports/x/", body)
    assert answer.status_code == 400
    assert [word for word in words if word not in said(answer.text)] == [], said(answer.text)
