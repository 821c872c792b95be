"""How evenly slots are shared and how few change owner, read from the map of slots that the service has filled."""

from __future__ import annotations

import os
import random
import socket
import statistics
import struct
from collections import Counter
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from bench import host as bench_host
from bench import kernel, packets, services
from bench.host import Host
from pcnhost.engine import bpf
from testbed.lab import Lab

CUBE = "lb"
_SERVICE_PATH = f"k8slbrp/{CUBE}/service/{packets.vip(0)}/{packets.VPORT}/TCP"
SLOTS_PER_CHUNK = 64
_SERVICE = struct.Struct("=II")  # struct service: first_chunk, slots
_CHUNK_BYTES = 4 + 6 * SLOTS_PER_CHUNK  # struct chunk: segment, then address and port of each slot
_TCP = 6
FLOWS = 1 << 17  # hashes, evenly spread

Weights = dict[str, int]  # by address


@dataclass(frozen=True)
class Scale:
    """Numbers of backends, and how many of them are removed, each from the full set, to see what moves."""

    backends: tuple[int, ...]
    removals: int


FULL = Scale((2, 3, 5, 8, 10, 11, 20, 32, 50, 64, 100, 101, 200, 500, 1_000), removals=8)
QUICK = Scale((2, 10, 20), removals=2)


def measure(quick: bool) -> dict[str, Any]:
    """Deviations and changes as parts of 1, by number of backends."""
    scale = QUICK if quick else FULL
    with Lab() as lab, bench_host.running(lab) as running:
        running.api.post(f"k8slbrp/{CUBE}", {})
        rows = [_measure(running, number, scale.removals) for number in scale.backends]
    return {"removals": scale.removals, "rows": rows, "worst": _worst(rows)}


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
    weighted_owners = _owners(running)
    equal = dict.fromkeys(addresses, 1)
    changed = []
    for gone in chooser.sample(addresses, min(removals, number)):
        _create(running, equal)
        owners = _owners(running)
        running.api.delete(f"{_SERVICE_PATH}/backend/{gone}")
        fewer = _owners(running)
        changed.append(_changed_for_others(owners, fewer, gone))
    return {
        "backends": number,
        "slots": len(owners),
        "share error, equal weights": _share_error(owners, equal),
        "share error, weights 1 to 10": _share_error(weighted_owners, weighted),
        "changed for others": {"median": statistics.median(changed), "max": max(changed)},
    }


def _create(running: Host, weights: Weights) -> None:
    """The service with these backends, in the place of the one there was."""
    if running.api.get(f"k8slbrp/{CUBE}/service"):
        running.api.delete(_SERVICE_PATH)
    entries = [
        {"ip": address, "port": services.BACKEND_PORT, "weight": weight}
        for address, weight in weights.items()
    ]
    running.api.post(_SERVICE_PATH, {"backend": entries})


def _owners(running: Host) -> list[str]:
    """The owner of each slot of the service."""
    table = kernel.open_map(running.map_path(CUBE, "services"))
    chunks = kernel.open_map(running.map_path(CUBE, "slots"))
    try:
        key = IPv4Address(packets.vip(0)).packed + packets.VPORT.to_bytes(2, "big") + bytes([_TCP, 0])
        first, slots = _SERVICE.unpack(_found(bpf.lookup(table, key, _SERVICE.size)))
        owners: list[str] = []
        for index in range(first, first + -(-slots // SLOTS_PER_CHUNK)):
            chunk = _found(bpf.lookup(chunks, bpf.u32(index), _CHUNK_BYTES))
            owners += (socket.inet_ntoa(chunk[at : at + 4]) for at in range(4, _CHUNK_BYTES, 6))
        return owners[:slots]
    finally:
        os.close(table)
        os.close(chunks)


def _found(value: bytes | None) -> bytes:
    if value is None:
        raise LookupError("the service is not in the maps")
    return value


def _share_error(owners: list[str], weights: Weights) -> dict[str, float]:
    """The worst deviation of a share from the one its weight deserves: as part of that, and of all sessions."""
    slots, total = Counter(owners), sum(weights.values())
    deserved = {address: weight / total for address, weight in weights.items()}
    deviation = {address: abs(slots[address] / len(owners) - share) for address, share in deserved.items()}
    return {
        "of the share": round(max(deviation[address] / deserved[address] for address in weights), 6),
        "of all": round(max(deviation.values()), 6),
    }


def _changed_for_others(before: list[str], after: list[str], gone: str) -> float:
    """Of all flows, the part that did not choose `gone` before and chooses somebody else than before now."""
    changed = 0
    for flow in range(FLOWS):
        was = before[flow * len(before) // FLOWS]
        changed += was != gone and was != after[flow * len(after) // FLOWS]
    return round(changed / FLOWS, 6)
