"""Any operation of the host may fail in any request: a refused one changes nothing; tree, maps and netdevs agree.

FAULT_REQUESTS is their number: CI sends 20,000, `make faults` 200,000. FAULT_SEED repeats a run."""

from __future__ import annotations

import http.client
import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from k8slbrp import check
from pcnhost import linkcheck
from testbed.host import SERVICE_LIBRARY, start_host
from testbed.lab import Lab
from tests.faults.injector import ALLOCATIONS, ERRORS, MAPS, NETDEVS, Fault, Injector
from tests.faults.requests import Request, Requests

pytestmark = [pytest.mark.root, pytest.mark.timeout(7200)]

EVERY = int(os.environ.get("FAULT_CHECK", "20"))  # requests without a fault between two comparisons
COUNT = int(os.environ.get("FAULT_REQUESTS", "2000"))
SEED = int(os.environ.get("FAULT_SEED", "1"))
CUBE = "cube"
STATUSES = {200, 201, 204, 400, 404, 409, 500, 507}


@dataclass(frozen=True)
class Host:
    connection: http.client.HTTPConnection
    injector: Injector
    state_dir: Path
    netdevs: list[str]

    def send(self, request: Request, cube: str = CUBE) -> tuple[int, str]:
        target = f"/polycube/v1/k8slbrp/{cube}/{request.path}{'/' if request.path else ''}"
        self.connection.request(request.method, target, request.text)
        answer = self.connection.getresponse()
        return answer.status, answer.read().decode()

    def tree(self) -> str:
        status, text = self.send(Request("GET", ""))
        assert status == 200, text
        return text

    def differences(self, text: str) -> list[str]:
        tree = json.loads(text)
        return [
            *linkcheck.differences(tree, {CUBE: tree}, self.state_dir),
            *check.differences(tree, self.state_dir),
        ]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with Lab() as lab:
        injector = Injector(tmp_path / "plan")
        api, process = start_host(
            lab,
            None,
            "--service",
            f"k8slbrp={SERVICE_LIBRARY}",
            log=tmp_path / "log",
            environment=injector.environment,
        )
        injector.pid = process.pid
        namespace = lab.namespace("n")
        netdevs = [lab.link(str(number), namespace, f"e{number}") for number in range(4)]
        api.post(f"k8slbrp/{CUBE}", {})
        yield Host(
            http.client.HTTPConnection(api.url.split("/")[2], timeout=60), injector, lab.state_dir, netdevs
        )
        assert process.poll() is None, (tmp_path / "log").read_text()[-3000:]
        api.delete(f"k8slbrp/{CUBE}")


def test_a_fault_anywhere(host: Host, tmp_path: Path) -> None:
    source = random.Random(SEED)
    requests = Requests(source, host.netdevs)
    before = host.tree()
    statuses: Counter[int] = Counter()
    fired: Counter[int] = Counter()
    for number in range(COUNT):
        request = requests.next()
        fault = _fault(source)
        with host.injector.armed(fault):
            try:
                status, text = host.send(request)
            except http.client.HTTPException as e:
                log = (tmp_path / "log").read_text()[-3000:]
                pytest.fail(f"seed {SEED}, request {number}: {request}, {fault}: {e!r}\n{log}")
        what = f"seed {SEED}, request {number}: {request}, {fault}: {status} {text}"
        assert status in STATUSES, what
        after = host.tree()
        if status >= 400:
            assert after == before, what
        if host.injector.fired:
            fired[fault.kind if fault else 0] += 1
        else:
            assert status < 500, what
        if host.injector.fired or number % EVERY == 0:
            found = host.differences(after)
            assert found == [], f"{what}: {found}"
        statuses[status] += 1
        before = after
    print(f"{COUNT} requests, {dict(statuses)}; faults that happened: {dict(fired)}")
    assert fired[MAPS] > COUNT / 100 and fired[NETDEVS] > 0, fired
    # Depending on where libraries lie, all allocations may look like the JSON library's, which are spared.
    assert fired.total() > COUNT / 20, fired


def _fault(source: random.Random) -> Fault:
    (kind,) = source.choices((MAPS, NETDEVS, ALLOCATIONS), weights=(4, 3, 3))
    most = {MAPS: 60, NETDEVS: 8, ALLOCATIONS: 400}[kind]
    return Fault(kind, int(most ** source.random()), source.choice(ERRORS[kind]))
