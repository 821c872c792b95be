"""Services and backends come and go: the host's memory stays flat and no map entry is left behind.

SOAK_CYCLES is the number of cycles; `make soak` runs 100,000."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator

import pytest

from k8slbrp.maps import service_entries
from testbed.host import resident_kb
from tests.rest.conftest import OwnHost

CYCLES = int(os.environ.get("SOAK_CYCLES", "1000"))
WARM_UP = CYCLES // 10
SAMPLES = 20
GROWTH = 1.05
PATH = "/polycube/v1/k8slbrp/soak/"
PROTOCOLS = ("TCP", "UDP", "ICMP", "ALL")
NONE = {"services": 0, "vips": 0, "chunks": 0}

pytestmark = [pytest.mark.root, pytest.mark.timeout(60 + CYCLES // 50)]


class Client:
    def __init__(self, authority: str) -> None:
        self._connection = http.client.HTTPConnection(authority, timeout=60)

    def send(self, method: str, path: str, body: object = None) -> None:
        text = None if body is None else json.dumps(body)
        self._connection.request(method, PATH + path, text)
        answer = self._connection.getresponse()
        said = answer.read()
        assert answer.status < 300, (method, path, answer.status, said)


@pytest.fixture
def client(own_host: OwnHost) -> Iterator[Client]:
    client = Client(own_host.authority)
    client.send("POST", "")
    yield client
    client.send("DELETE", "")


def cycle(client: Client, number: int) -> None:
    """Make a service with two backends, a third and a fourth, change one; remove all in one of two ways."""
    proto = PROTOCOLS[number % 4]
    vport = 0 if proto == "ICMP" else 1 + number % 65535
    service = f"service/10.9.{number // 256 % 256}.{number % 256}/{vport}/{proto}/"
    backends = [{"ip": f"10.1.{n}.{number % 256}", "port": 1 + number % 65535} for n in range(4)]
    client.send("POST", service, {"name": f"s{number}", "backend": backends[:2]})
    client.send("POST", service + f"backend/{backends[2]['ip']}/", {"port": 1, "weight": number % 5 * 7})
    client.send("POST", service + "backend/", backends[3:])
    client.send("PATCH", service + f"backend/{backends[0]['ip']}/weight/", number % 3)
    if number % 2:
        client.send("DELETE", service + f"backend/{backends[1]['ip']}/")
        client.send("DELETE", service + "backend/")
    client.send("DELETE", service)


def test_memory_and_maps_do_not_grow(client: Client, own_host: OwnHost) -> None:
    for number in range(WARM_UP):
        cycle(client, number)
    first = resident_kb(own_host.pid)
    sizes = []
    for number in range(WARM_UP, CYCLES):
        cycle(client, number)
        if (number - WARM_UP) % ((CYCLES - WARM_UP) // SAMPLES) == 0:
            sizes.append(resident_kb(own_host.pid))
    assert service_entries(own_host.state_dir, "soak") == NONE
    print(f"{CYCLES} cycles, {first} kB resident after {WARM_UP} of them, then {sizes}")
    assert max(sizes) <= first * GROWTH, f"{first} kB after {WARM_UP} cycles, then {sizes}"


def test_services_stay_apart_from_those_that_come_and_go(client: Client, own_host: OwnHost) -> None:
    """Entries of a living service are neither lost nor doubled while its neighbours change."""
    backends = [{"ip": f"10.1.0.{n}", "port": 80} for n in range(1, 17)]
    client.send("POST", "service/10.9.0.1/65000/TCP/", {"backend": backends})
    alive = service_entries(own_host.state_dir, "soak")
    assert alive == {"services": 1, "vips": 1, "chunks": 3}
    for number in range(CYCLES // 20):
        cycle(client, number)
    assert service_entries(own_host.state_dir, "soak") == alive
