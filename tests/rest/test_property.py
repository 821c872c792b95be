"""Tens of thousands of random requests: each is answered, refused ones change nothing, the host survives.

Sensible requests answer and do what the model says; after each example the kernel's maps hold exactly what the
tree says."""

from __future__ import annotations

import http.client
import json
import os
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pcnhost.ctl import check
from tests.rest.conftest import OwnHost
from tests.rest.random_requests import HOST_REQUESTS, Request, sensible, sensible_services, wild
from tests.rest.tree import Conflict, Impossible, Tree

pytestmark = pytest.mark.root

CUBE = "fuzz"
CUBE_PATH = f"/polycube/v1/k8slbrp/{CUBE}/"
THREADS = 8
TIMES = int(os.environ.get("PROPERTY_TIMES", "1"))  # `make soak` asks for ten times as many requests
STATUSES = {200, 201, 204, 308, 400, 404, 405, 409}
MANY = settings(
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.function_scoped_fixture,
    ],
)


class Client:
    """One connection; `sent` counts the answers of all clients by status."""

    sent: ClassVar[Counter[int]] = Counter()
    lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, authority: str) -> None:
        self._connection = http.client.HTTPConnection(authority, timeout=60)

    def send(self, method: str, target: str, body: str | None = None) -> tuple[int, str]:
        self._connection.request(method, target, None if body is None else body.encode(errors="replace"))
        answer = self._connection.getresponse()
        text = answer.read().decode()
        with Client.lock:
            Client.sent[answer.status] += 1
        assert answer.status in STATUSES, (method, target, body, answer.status, text)
        return answer.status, text

    def cube(self) -> str:
        status, text = self.send("GET", CUBE_PATH)
        assert status == 200, text
        return text


@pytest.fixture(scope="module")
def client(own_host: OwnHost) -> Iterator[Client]:
    client = Client(own_host.authority)
    assert client.send("POST", CUBE_PATH, '{"port_mode": "MULTI"}')[0] == 201
    yield client
    assert client.send("DELETE", CUBE_PATH)[0] == 200
    log = own_host.log.read_text()
    assert "Traceback" not in log, log[-3000:]


def empty(client: Client) -> Tree:
    for part in ("service", "ports", "src-ip-rewrite"):
        assert client.send("DELETE", f"{CUBE_PATH}{part}/")[0] in (200, 204)
    tree = read(client.cube())
    assert tree == Tree()
    return tree


def read(cube: str) -> Tree:
    return Tree.read(json.loads(cube))


def expected(tree: Tree, request: Request) -> int:
    """The status of a sensible request. The tree is changed accordingly."""
    assert request.effect is not None
    name, *arguments = request.effect
    try:
        getattr(tree, name)(*arguments)
    except Impossible:
        return 400
    except Conflict:
        return 409
    return request.status


def well_formed(tree: Tree) -> None:
    backends = [kind for kind, _ in tree.ports.values() if kind == "backend"]
    frontends = [ip for kind, ip in tree.ports.values() if kind == "frontend"]
    assert len(backends) <= 1
    assert len(frontends) == len(set(frontends))
    assert all(frontends)
    for (_, vport, proto), service in tree.services.items():
        assert 0 <= vport <= 65535
        assert proto != "icmp" or vport == 0
        for backend in service["backends"].values():
            assert 0 <= backend["port"] <= 65535
            assert 0 <= backend["weight"] <= 65535


def kernel_holds(own_host: OwnHost) -> None:
    """Maps and netdevs say what the tree says."""
    client = check.Client(check.settings.Settings(f"http://{own_host.authority}/polycube/v1/"))
    assert check.look(client, CUBE, own_host.state_dir) == []


@st.composite
def sequences(draw: st.DrawFn, requests: st.SearchStrategy[Request]) -> list[Request]:
    """Twenty requests: copies, so that hypothesis shows what they are and not how they came about."""
    return [replace(draw(requests)) for _ in range(20)]


@given(requests=sequences(st.one_of(sensible(), wild())))
@settings(MANY, max_examples=250 * TIMES)
def test_one_request_after_the_other(client: Client, own_host: OwnHost, requests: list[Request]) -> None:
    tree = empty(client)
    before = client.cube()
    for request in requests:
        status, text = client.send(request.method, request.target(CUBE), request.body)
        after = client.cube()
        if request.effect is not None:
            assert (status, request) == (expected(tree, request), request), text
            assert read(after) == tree, request
        if status >= 400 or request.method in ("GET", "OPTIONS"):
            assert after == before, (request, status, text)
        before, tree = after, read(after)
        well_formed(tree)
    kernel_holds(own_host)


@given(requests=st.lists(HOST_REQUESTS, min_size=20, max_size=20))
@settings(MANY, max_examples=40 * TIMES)
def test_requests_to_the_host(client: Client, requests: list[tuple[str, str, str | None]]) -> None:
    empty(client)
    # One port, that is: two might well be connected.
    assert client.send("POST", f"{CUBE_PATH}ports/p/", '{"type": "BACKEND"}')[0] == 201
    before = client.cube()
    for method, path, body in requests:
        client.send(method, f"/polycube/v1/{path}", body)
        assert client.cube() == before, (method, path, body)


def at_once(authority: str, shares: list[Any], work: Any) -> None:
    """work(client, number, share) in a thread for each share; the first failure is raised."""
    failures: list[BaseException] = []
    start = threading.Barrier(len(shares))

    def run(number: int, share: Any) -> None:
        try:
            client = Client(authority)
            start.wait()
            work(client, number, share)
        except BaseException as e:
            failures.append(e)

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(shares)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


OWN_SERVICES = st.tuples(*(sequences(sensible_services([f"10.9.{n}.1"])) for n in range(THREADS)))


@given(shares=OWN_SERVICES)
@settings(MANY, max_examples=30 * TIMES)
def test_threads_with_services_of_their_own(client: Client, own_host: OwnHost, shares: Any) -> None:
    """Whatever the others do, each gets the answers the model says."""
    empty(client)
    trees = [Tree() for _ in shares]

    def work(client: Client, number: int, requests: list[Request]) -> None:
        for request in requests:
            status, text = client.send(request.method, request.target(CUBE), request.body)
            assert (status, request) == (expected(trees[number], request), request), text

    at_once(own_host.authority, list(shares), work)
    together = Tree({key: service for tree in trees for key, service in tree.services.items()})
    assert read(client.cube()) == together
    kernel_holds(own_host)


@given(shares=st.tuples(*[sequences(st.one_of(sensible(), wild()))] * THREADS))
@settings(MANY, max_examples=30 * TIMES)
def test_threads_in_each_others_way(client: Client, own_host: OwnHost, shares: Any) -> None:
    empty(client)

    def work(client: Client, number: int, requests: list[Request]) -> None:
        for request in requests:
            client.send(request.method, request.target(CUBE), request.body)

    at_once(own_host.authority, list(shares), work)
    tree = read(client.cube())
    well_formed(tree)
    kernel_holds(own_host)


def test_they_were_many_and_of_all_kinds(request: pytest.FixtureRequest) -> None:
    if sum(item.fspath == request.node.fspath for item in request.session.items) < 5:
        pytest.skip("not all tests of this file were run")
    print(dict(Client.sent))
    assert sum(Client.sent.values()) > 8_000, Client.sent
    assert all(Client.sent[status] > 8 for status in (200, 201, 204, 400, 405, 409)), Client.sent
