"""How evenly new sessions are shared out and how few choose anew, from the maps that the service has filled."""

from __future__ import annotations

import random
import statistics
from collections import Counter
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import host as bench_host
from bench import packets, services
from bench.host import Host
from k8slbrp.maps import served
from testbed.lab import Lab

CUBE = "lb"
_SERVICE_PATH = f"k8slbrp/{CUBE}/service/{packets.vip(0)}/{packets.VPORT}/TCP"
FLOWS = 1 << 21  # hashes, evenly spread
_HASHES = np.arange(FLOWS, dtype=np.uint64) * np.uint64((1 << 32) // FLOWS)

Weights = dict[str, int]  # by address


@dataclass(frozen=True)
class Scale:
    """Numbers of backends, and how many of them are removed, each from the full set, to see what moves; and the
    number to which backends come one by one."""

    backends: tuple[int, ...]
    removals: int
    one_by_one: int


FULL = Scale(
    (2, 3, 5, 8, 10, 14, 15, 16, 20, 32, 50, 64, 100, 101, 200, 500, 1_000), removals=8, one_by_one=1_000
)
QUICK = Scale((2, 10, 20), removals=2, one_by_one=20)


def measure(quick: bool) -> dict[str, Any]:
    """Deviations and changes as parts of 1, by number of backends."""
    scale = QUICK if quick else FULL
    with Lab() as lab, bench_host.running(lab) as running:
        running.api.post(f"k8slbrp/{CUBE}", {})
        rows = [_measure(running, number, scale.removals) for number in scale.backends]
        one_by_one = _one_by_one(running, scale.one_by_one)
    return {"removals": scale.removals, "rows": rows, "one by one": one_by_one, "worst": _worst(rows)}


def _worst(rows: list[dict[str, Any]]) -> dict[str, float]:
    errors = [
        row[f"share error, {weights}"]["of the share"]
        for row in rows
        if row["backends"] <= 100
        for weights in ("equal weights", "weights 1 to 10")
    ]
    excesses = [row["changed for others"]["max"] - 1 / row["backends"] for row in rows]
    return {
        "share error up to 100 backends": max(errors),
        "changed for others beyond 1 of n": round(max(excesses), 6),
    }


def _measure(running: Host, number: int, removals: int) -> dict[str, Any]:
    """Shares of `number` backends, equal and of random weights, and what changes when one of them goes."""
    chooser = random.Random(number)
    addresses = [services.backend(index, 0)["ip"] for index in range(number)]
    weighted = {address: chooser.randint(1, 10) for address in addresses}
    _create(running, weighted)
    weighted_choices = _choices(running)
    equal = dict.fromkeys(addresses, 1)
    changed = []
    for gone in chooser.sample(addresses, min(removals, number)):
        _create(running, equal)
        choices = _choices(running)
        running.api.delete(f"{_SERVICE_PATH}/backend/{gone}")
        changed.append(_changed_for_others(choices, _choices(running), gone))
    return {
        "backends": number,
        "slots": choices.slots,
        "share error, equal weights": _share_error(choices, equal),
        "share error, weights 1 to 10": _share_error(weighted_choices, weighted),
        "changed for others": {"median": statistics.median(changed), "max": max(changed)},
    }


def _one_by_one(running: Host, most: int) -> dict[str, float]:
    """The step from n - 1 to n backends, for every n, at which most choices change beyond those of the new one.

    It is the step from n to n - 1 as well: the choice depends on nothing but the backends."""
    addresses = [services.backend(index, 0)["ip"] for index in range(most)]
    _create(running, {addresses[0]: 1})
    before, excesses = _choices(running), {}
    for number, new in enumerate(addresses[1:], 2):
        running.api.post(f"{_SERVICE_PATH}/backend", [{"ip": new, "port": services.BACKEND_PORT}])
        after = _choices(running)
        excesses[number] = _changed_for_others(after, before, new) - 1 / number
        before = after
    worst = max(excesses, key=excesses.__getitem__)
    return {"to": most, "changed for others beyond 1 of n": round(excesses[worst], 6), "at": worst}


def _create(running: Host, weights: Weights) -> None:
    """The service with these backends, in the place of the one there was."""
    if running.api.get(f"k8slbrp/{CUBE}/service"):
        running.api.delete(_SERVICE_PATH)
    entries = [
        {"ip": address, "port": services.BACKEND_PORT, "weight": weight}
        for address, weight in weights.items()
    ]
    running.api.post(_SERVICE_PATH, {"backend": entries})


@dataclass(frozen=True)
class Choices:
    """Which of `backends` each flow chooses, by index, of `slots` slots."""

    slots: int
    backends: list[str]
    flows: NDArray[np.intp]

    def shares(self) -> dict[str, float]:
        found: Counter[str] = Counter()
        for index, flows in enumerate(np.bincount(self.flows, minlength=len(self.backends))):
            found[self.backends[index]] += int(flows)
        return {address: flows / FLOWS for address, flows in found.items()}

    def names(self) -> NDArray[np.uint32]:
        """The address that each flow chooses, as a number."""
        addresses = np.array([int(IPv4Address(address)) for address in self.backends], dtype=np.uint32)
        return addresses[self.flows]


def _choices(running: Host) -> Choices:
    """What the datapath would choose for each flow, see src/datapath/select.h."""
    found = served(running.state_dir, CUBE)[packets.vip(0), packets.VPORT, "tcp"]
    if found.faults:
        raise LookupError("; ".join(found.faults))
    slots = found.slots
    backends = {backend: index for index, backend in enumerate(dict.fromkeys(slots))}
    owners = np.fromiter((backends[backend] for backend in slots), dtype=np.intp, count=len(slots))
    addresses = [address for address, _ in backends]
    picked = (_HASHES * np.uint64(len(slots)) >> np.uint64(32)).astype(np.intp)
    return Choices(len(slots), addresses, owners[picked])


def _share_error(choices: Choices, weights: Weights) -> dict[str, float]:
    """The worst deviation of a share from the one its weight deserves: as part of that, and of all sessions."""
    shares, total = choices.shares(), sum(weights.values())
    deserved = {address: weight / total for address, weight in weights.items()}
    deviation = {address: abs(shares.get(address, 0) - share) for address, share in deserved.items()}
    return {
        "of the share": round(max(deviation[address] / deserved[address] for address in weights), 6),
        "of all": round(max(deviation.values()), 6),
    }


def _changed_for_others(before: Choices, after: Choices, gone: str) -> float:
    """Of all flows, the part that did not choose `gone` before and chooses somebody else than before now."""
    was, is_now = before.names(), after.names()
    changed = int(np.count_nonzero((was != int(IPv4Address(gone))) & (was != is_now)))
    return round(changed / FLOWS, 6)
