"""The list of a service's backends: in whatever order they come and go, it is read in that of their addresses."""

from __future__ import annotations

import random

import pytest

from testbed.api import Api, ApiError
from tests.rest.conftest import CUBE

pytestmark = pytest.mark.root

WEB = f"k8slbrp/{CUBE}/service/10.9.0.1/80/TCP"


def backend(number: int) -> dict[str, object]:
    return {"ip": f"10.1.{number % 7}.{number + 1}", "port": 1000 + number, "weight": number + 1}


def read(api: Api) -> list[tuple[str, int, int]]:
    return [(entry["ip"], entry["port"], entry["weight"]) for entry in api.get(WEB).get("backend", [])]


def test_any_order(api: Api) -> None:
    chance = random.Random(5)
    numbers = list(range(60))
    chance.shuffle(numbers)
    api.post(WEB, {"backend": [backend(n) for n in numbers[:20]]})
    api.post(f"{WEB}/backend", [backend(n) for n in numbers[20:40]])
    for number in numbers[40:]:
        api.put(f"{WEB}/backend/{backend(number)['ip']}", backend(number))
    present = set(numbers)
    for number in chance.sample(numbers, 25):
        api.delete(f"{WEB}/backend/{backend(number)['ip']}")
        present.remove(number)
    expected = [(str(b["ip"]), b["port"], b["weight"]) for b in map(backend, present)]
    # The order is that of the addresses as numbers of this machine: the last octet counts most.
    assert read(api) == sorted(expected, key=lambda entry: tuple(map(int, reversed(entry[0].split(".")))))


@pytest.mark.parametrize("second", [[4, 1], [0]])
def test_what_is_there_cannot_come_again(api: Api, second: list[int]) -> None:
    api.post(WEB, {"backend": [backend(n) for n in (1, 2, 0)]})
    before = read(api)
    ip = backend(second[-1])["ip"]
    refusal = f"Backend {ip} already exists in the service: each address is one backend, whatever its port"
    with pytest.raises(ApiError, match=refusal):
        api.post(f"{WEB}/backend", [backend(n) for n in second])
    assert read(api) == before
