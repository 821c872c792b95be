"""Millions of flows through the program's own hash: each backend gets its share, as exactly as promised."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from bench.host import Host
from tests.datapath.headers import RST
from tests.race.racers import Step, Track

pytestmark = [pytest.mark.root, pytest.mark.serial]

CLIENT_IF = 1
SERVICE = "k8slbrp/race/service/10.96.0.1/80/TCP"
FLOWS = 3_000_000
# Of a share, as promised; four standard deviations of chance are allowed besides, less than that.
PRECISION = 0.01


@pytest.mark.parametrize(
    "weights",
    [(13, 1), (1,) * 20],
    ids=lambda weights: str(len(weights)),
)
def test_each_backend_gets_its_share(
    host: Host, on_track: Callable[[int], Track], weights: Sequence[int]
) -> None:
    """An RST of an unknown session chooses a backend as a new session does, and leaves nothing behind."""
    track = on_track(1024)
    addresses = [f"10.20.0.{number}" for number in range(1, len(weights) + 1)]
    backends = [
        {"ip": ip, "port": 8080, "weight": weight} for ip, weight in zip(addresses, weights, strict=True)
    ]
    host.api.post(SERVICE, {"backend": backends})
    asking = [
        Step(
            "10.64.0.0", "10.96.0.1", sport, 80, CLIENT_IF, ("10.20.0.0/24", 8080), flags=RST, clients=1 << 20
        )
        for sport in (40000, 40001, 50000, 50002)
    ]
    (tally,) = track.race([asking], lambda sent: sent >= FLOWS)
    assert (tally.right, tally.wrong) == (tally.sent, 0), tally.example
    for ip, weight in zip(addresses, weights, strict=True):
        packets = int(host.api.get(f"{SERVICE}/backend/{ip}/stats")["packets-in"])
        share = weight / sum(weights)
        chance = 4 * (share * (1 - share) / tally.sent) ** 0.5
        assert abs(packets / tally.sent - share) <= PRECISION * share + chance, ip
