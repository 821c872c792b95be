"""What one client can take of the host has bounds, and what is beyond them is told."""

from __future__ import annotations

import json
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from bench import services
from testbed.api import Api
from testbed.host import SERVICE_LIBRARY, resident_kb, start_host
from testbed.lab import Lab
from tests.rest.conftest import OwnHost
from tests.rest.rawhttp import ask, connection, everything, head, statuses

pytestmark = pytest.mark.root

CLOSE = "Connection: close"


@pytest.mark.parametrize("part", ["path", "one header", "headers"])
def test_heads_beyond_64_kib_are_refused(own_host: OwnHost, part: str) -> None:
    filler = "x" * 1000
    sent = {
        "path": f"GET /polycube/v1/{filler * 80}".encode(),
        "one header": head("GET", "version")[:-2] + f"X: {filler * 80}".encode(),
        "headers": head("GET", "version", *(f"X-{n}: {filler}" for n in range(80)))[:-2],
    }[part]
    answer = ask(own_host.authority, sent)
    assert statuses(answer) == [431]
    assert b"The head of the request is too large" in answer


def test_endless_head_takes_no_memory(own_host: OwnHost) -> None:
    before = resident_kb(own_host.pid)
    sent = 0
    with connection(own_host.authority) as sock:
        sock.sendall(head("GET", "version")[:-2])
        try:
            for _ in range(100):
                sent += sock.send(b"X: " + b"y" * (1 << 20))
        except (ConnectionResetError, BrokenPipeError):
            pass
    assert sent < 30 << 20
    assert resident_kb(own_host.pid) - before < 20_000


def test_large_heads_are_read(own_host: OwnHost) -> None:
    filler = [f"X-{n}: {'x' * 1000}" for n in range(50)]
    assert statuses(ask(own_host.authority, head("GET", "version", *filler, CLOSE))) == [200]


def test_heads_and_bodies_have_their_time(own_host: OwnHost) -> None:
    """10 s for a head, 20 for a body. A byte now and then does not prolong it."""
    ends: dict[str, tuple[float, bytes]] = {}
    start = time.monotonic()

    def drip(name: str, sent: bytes) -> None:
        with connection(own_host.authority, 0.5) as sock:
            sock.sendall(sent)
            answer = b""
            while time.monotonic() - start < 35:
                try:
                    if sent:
                        sock.sendall(b"x")
                    part = sock.recv(1000)
                except TimeoutError:
                    continue
                except OSError:
                    break
                answer += part
                if not part:
                    break
            ends[name] = time.monotonic() - start, answer

    cases = {
        "silent": b"",
        "head": head("GET", "version")[:-2] + b"X: ",
        "next head": head("GET", "version") + head("GET", "version")[:-2] + b"X: ",
        "body": head("POST", "k8slbrp/slow", "Content-Length: 1000"),
    }
    threads = [threading.Thread(target=drip, args=case) for case in cases.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 9 < ends["silent"][0] < 20 and ends["silent"][1] == b""
    assert 9 < ends["head"][0] < 20 and statuses(ends["head"][1]) == [408]
    assert 9 < ends["next head"][0] < 20 and statuses(ends["next head"][1]) == [200, 408]
    assert 19 < ends["body"][0] < 32 and statuses(ends["body"][1]) == [408]


@pytest.fixture
def crowd(own_host: OwnHost) -> Iterator[list[socket.socket]]:
    """More half requests than the host keeps open."""
    with ExitStack() as stack:
        sockets = []
        for _ in range(700):
            sock = stack.enter_context(connection(own_host.authority))
            sock.sendall(head("GET", "version")[:-2])
            sockets.append(sock)
        yield sockets


def test_connections_without_a_request_make_room(own_host: OwnHost, crowd: list[socket.socket]) -> None:
    """The oldest go first; who asks is answered."""
    api = Api(own_host.authority)
    for _ in range(20):
        start = time.monotonic()
        assert requests.get(f"{api.url}/version", timeout=10).status_code == 200
        assert time.monotonic() - start < 2
    assert everything(crowd[0]) == b""
    crowd[-1].sendall(f"{CLOSE}\r\n\r\n".encode())
    assert statuses(everything(crowd[-1])) == [200]


def test_idle_connections_survive_half_requests(own_host: OwnHost) -> None:
    api = Api(own_host.authority)
    session = requests.Session()
    session.get(f"{api.url}/version", timeout=10)
    with ExitStack() as stack:
        for _ in range(600):
            stack.enter_context(connection(own_host.authority)).sendall(b"GET")
        with connection(own_host.authority):
            assert session.get(f"{api.url}/version", timeout=10).status_code == 200


def test_a_crowd_leaves_descriptors_for_cubes(tmp_path: Path) -> None:
    """However few there are: it does not keep the host from accepting, which would fill the log with complaints."""
    log, few = (
        tmp_path / "log",
        ("prlimit", "--nofile=300:300"),
    )  # the hard limit, too: a host takes all it may have
    with Lab() as lab, ExitStack() as stack:
        api, _ = start_host(lab, None, "--service", f"k8slbrp={SERVICE_LIBRARY}", log=log, by=few)
        for _ in range(500):
            stack.enter_context(connection(api.url.split("/")[2])).sendall(b"GET")
        api.post("k8slbrp/lb", {})
        assert [cube["name"] for cube in api.get("cubes")["k8slbrp"]] == ["lb"]
        assert log.stat().st_size < 5000, log.read_text()[-2000:]


def test_answers_that_nobody_reads_are_given_up(api: Api, own_host: OwnHost) -> None:
    """Beyond 64 MiB those that wait for longest, and all of which nothing is taken for 20 s."""
    for net in range(4):
        vips = (f"10.{net}.{number // 250 + 1}.{number % 250 + 1}" for number in range(3000))
        api.post(
            "k8slbrp/own/service",
            [{"vip": vip, "vport": 80, "proto": "TCP", "name": "x" * 250} for vip in vips],
        )
    size = len(requests.get(f"{api.url}/k8slbrp/own/service", timeout=60).content)
    with ExitStack() as stack:
        sockets = []
        for _ in range(40):
            sock = stack.enter_context(connection(own_host.authority, timeout=120, receive_buffer=4096))
            sock.sendall(head("GET", "k8slbrp/own/service", CLOSE))
            assert select.select([sock], [], [], 60)[0]  # so the next answer waits for less long
            sockets.append(sock)
        assert len(everything(sockets[-1])) > size
        assert len(everything(sockets[0])) < size
        assert statuses(ask(own_host.authority, head("GET", "version", CLOSE))) == [200]
        time.sleep(22)
        assert len(everything(sockets[-2])) < size


def test_answers_name_twenty_problems_at_most(api: Api, own_host: OwnHost) -> None:
    body = json.dumps([{"name": 1}] * 60_000)
    start = time.monotonic()
    answer = requests.post(f"{api.url}/k8slbrp/own/service", data=body, timeout=60)
    assert answer.status_code == 400
    assert len(answer.json()["ietf-restconf:errors"]["error"]) == 20
    assert len(answer.content) < 10_000
    assert time.monotonic() - start < 5


def test_much_that_is_read_again_and_again_takes_no_memory(api: Api, own_host: OwnHost) -> None:
    services.create(api, "own", first=0, count=3_000, backends=5)
    text = len(requests.get(f"{api.url}/k8slbrp/own", timeout=60).content)
    assert text > 1_000_000
    before = resident_kb(own_host.pid)
    for _ in range(60):
        assert len(requests.get(f"{api.url}/k8slbrp/own", timeout=60).content) == text
    assert resident_kb(own_host.pid) - before < 5_000


def test_nothing_of_that_fills_the_log(own_host: OwnHost) -> None:
    before = own_host.log.stat().st_size
    for _ in range(300):
        assert statuses(ask(own_host.authority, b"\x16\x03\x01 no HTTP\r\n\r\n")) == [400]
    for _ in range(100):
        ask(
            own_host.authority,
            head("GET", "version", "Upgrade: websocket", "Connection: upgrade"),
            half_close=True,
        )
    assert own_host.log.stat().st_size - before < 2000
