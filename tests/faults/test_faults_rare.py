"""Failures outside of what random requests reach: while a cube is made, and of removals, which need no room."""

from __future__ import annotations

import os
import socket
import time
from contextlib import nullcontext
from pathlib import Path

import pytest

from k8slbrp import abi
from k8slbrp.maps import count, entries, pins, served, service_key, source_ranges
from pcnhost.engine import bpf
from tests.faults.injector import ALLOCATIONS, ERRORS, MAPS, NETDEVS, REMOVALS, Fault
from tests.faults.requests import Request
from tests.faults.test_faults import CUBE, Host, host  # noqa: F401

pytestmark = [pytest.mark.root, pytest.mark.timeout(1200)]

SERVICE = {
    "vip": "10.96.0.1",
    "vport": 80,
    "proto": "TCP",
    "backend": [{"ip": f"10.20.0.{number}", "port": 8080} for number in range(1, 31)],
    "source-range": [{"address": "10.0.0.0", "prefix-length": 8}],
}
QUARANTINE_S = 36  # a little longer than TrafficTable::kQuarantine
AGAIN = Request("PATCH", "service/10.96.0.9/80/TCP/name", "again")


def numbers(most: int) -> list[int]:
    """1, 2, 3, 4, 5, 6, 8, 10, 13, …"""
    found, number = [], 1
    while number <= most:
        found.append(number)
        number = max(number + 1, number * 5 // 4)
    return found


@pytest.mark.parametrize("kind", [MAPS, NETDEVS, ALLOCATIONS], ids=["maps", "netdevs", "allocations"])
def test_a_cube_is_made_whole_or_not_at_all(host: Host, kind: int) -> None:  # noqa: F811
    made = Request("POST", "", {"service": [SERVICE], "ports": [{"name": "p", "type": "BACKEND"}]})
    failed = 0
    for number in numbers(2000):
        with host.injector.armed(Fault(kind, number, ERRORS[kind][0])):
            status, text = host.send(made, cube="other")
        if status < 400:
            assert host.send(Request("DELETE", ""), cube="other")[0] < 300
        else:
            failed += 1
            assert host.send(Request("GET", ""), cube="other")[0] == 409, text  # as in polycubed
        assert sorted(path.name for path in (host.state_dir / "cubes").iterdir()) == [CUBE], text
        if not host.injector.fired:
            break
    assert failed
    assert host.send(made, cube="other") == (201, "")


def test_a_refused_service_takes_no_counters(host: Host) -> None:  # noqa: F811
    """But when its entry itself is refused: there it may have been in force for a moment, and sessions count by it."""
    owners = pins(host.state_dir, CUBE) / "counter_owners"
    left = []
    for number in range(1, 400):
        with host.injector.armed(Fault(MAPS, number, ERRORS[MAPS][0])):
            status, _ = host.send(Request("POST", "service", [SERVICE]))
        if status < 400:
            break
        left.append(count(owners))
    assert len(left) > len(SERVICE["backend"])
    assert set(left[:-1]) == {0}


@pytest.mark.parametrize("method", ["DELETE", "PUT"])
def test_what_could_not_be_removed_is_removed_with_the_next_change(
    host: Host,  # noqa: F811
    method: str,
    tmp_path: Path,
) -> None:
    """An entry of `endpoints` that stays would keep UDP sessions on a backend that has gone."""
    path = "service/10.96.0.1/80/TCP"
    fewer = {**SERVICE, "backend": SERVICE["backend"][:2], "source-range": []}
    other = {"vip": "10.96.0.9", "vport": 80, "proto": "TCP"}
    assert host.send(Request("POST", "service", [other]))[0] == 201
    fired = 0
    for number in range(1, 60):
        assert host.send(Request("POST", "service", [SERVICE])) == (201, "")
        before = host.tree()
        with host.injector.armed(Fault(REMOVALS, number, ERRORS[REMOVALS][number % 2])):
            status, text = host.send(Request(method, path, fewer if method == "PUT" else None))
        if status >= 400:
            assert host.tree() == before, text
        fired += host.injector.fired
        assert host.send(AGAIN)[0] < 300
        assert host.differences(host.tree()) == []
        if method == "PUT" or status >= 400:
            assert host.send(Request("DELETE", path))[0] < 300
        if not host.injector.fired:
            break
    assert fired > 2
    assert "cannot remove" in (tmp_path / "log").read_text()


def test_what_could_not_be_removed_takes_nobody_the_room(host: Host) -> None:  # noqa: F811
    """Of a full cube: a service with as many chunks as the one that has gone may come at once."""
    chunks = 64  # that these shares need
    backends = [{"ip": "10.20.0.1", "port": 80}, {"ip": "10.20.0.2", "port": 80, "weight": 65535}]
    most = (abi.CONSTANTS["MAX_CHUNKS"] - 2304) // chunks  # the rest is for changes of one service
    vips = [f"10.97.{number // 250}.{number % 250}" for number in range(most + 1)]
    *services, one_more = [{"vip": vip, "vport": 80, "proto": "TCP", "backend": backends} for vip in vips]
    for first in range(0, most, 1000):
        assert host.send(Request("POST", "service", services[first : first + 1000]))[0] == 201
    assert host.send(Request("POST", "service", [one_more]))[0] == 400
    with host.injector.armed(Fault(REMOVALS, 1, ERRORS[REMOVALS][0], map="chunks")):
        assert host.send(Request("DELETE", f"service/{vips[0]}/80/TCP"))[0] < 300
    assert host.injector.fired
    assert host.send(Request("POST", "service", [one_more])) == (201, "")
    assert host.differences(host.tree()) == []


def missing(state_dir: Path) -> list[str]:
    """What entries of services lead to that is not there."""
    directory = pins(state_dir, CUBE)
    endpoints = {service_key(key) for key, _ in entries(directory / "endpoints")}
    vips = {socket.inet_ntoa(key) for key, _ in entries(directory / "vips")}
    sets = source_ranges(state_dir, CUBE)
    found = []
    for key, service in served(state_dir, CUBE).items():
        found += [f"{key}: {fault}" for fault in service.faults]
        for ip, port in service.usable | service.drained:
            if (ip, port, key[2]) not in endpoints:
                found.append(f"{key}: its backend {ip} is no endpoint")
        if service.sources and (key, service.sources) not in sets:
            found.append(f"{key}: it has no source ranges")
        if key[0] not in vips:
            found.append(f"{key}: its VIP is not there")
    return found


def test_what_could_not_be_put_back_is_put_back_with_the_next_change(
    host: Host,  # noqa: F811
    tmp_path: Path,
) -> None:
    """A list is refused in its second half, and so is the way back. What is in force meanwhile lacks nothing."""
    again = {"vip": "10.96.0.9", "vport": 80, "proto": "TCP"}
    old = [{**SERVICE, "vip": f"10.96.0.{number}"} for number in (1, 2, 3)]
    other = {
        "backend": [{"ip": "10.20.9.9", "port": 8080}],
        "source-range": [{"address": "11.0.0.0", "prefix-length": 8}],
    }
    new = [{**one, **other} for one in [*old, {**SERVICE, "vip": "10.96.0.4"}]]
    assert host.send(Request("POST", "service", [again, *old]))[0] == 201
    before = host.tree()
    refused = 0
    for number in [*range(1, 15), *range(1, 20)]:  # once the counters are there, the entries come sooner
        with host.injector.armed(Fault(MAPS, number, ERRORS[MAPS][0], lasting=20)):
            status, text = host.send(Request("PUT", "service", [again, *new]))
        refused += "services: " in text
        if status < 400:
            break
        assert host.tree() == before, text
        assert missing(host.state_dir) == [], text
        assert host.send(AGAIN)[0] < 300
        assert host.differences(host.tree()) == []
        assert host.send(Request("PATCH", "service/10.96.0.9/80/TCP/name", ""))[0] < 300
    assert refused > 2
    assert "cannot undo a change that was refused" in (tmp_path / "log").read_text()


def counters(host: Host, cube: str, vip: str) -> dict[bytes, bytes]:  # noqa: F811
    """The numbers of counters that services with this VIP have, and of which backends they are."""
    owners = entries(pins(host.state_dir, cube) / "counter_owners")
    return {number: owner for number, owner in owners if owner.startswith(socket.inet_aton(vip))}


def test_what_a_removed_service_has_counted_is_its_no_more_after_the_next_change(host: Host) -> None:  # noqa: F811
    """The kernel refuses to note that of one of its counters, which nobody would ever get again otherwise."""
    again = {"vip": "10.96.0.9", "vport": 80, "proto": "TCP"}
    assert host.send(Request("POST", "service", [again, SERVICE]))[0] == 201
    with host.injector.armed(Fault(MAPS, 11, ERRORS[MAPS][0], map="counter_owners")):
        assert host.send(Request("DELETE", "service/10.96.0.1/80/TCP"))[0] < 300
    assert host.injector.fired
    assert len(counters(host, CUBE, "10.96.0.1")) == len(SERVICE["backend"]) - 10
    assert host.send(AGAIN)[0] < 300
    assert counters(host, CUBE, "10.96.0.1") == {}


@pytest.mark.long
def test_counters_in_force_are_given_to_nobody_when_others_cannot_be_taken_back(host: Host) -> None:  # noqa: F811
    """A list replaces one service by another; of the one that has gone, the kernel does not take a counter's owner."""
    again = {"vip": "10.96.0.9", "vport": 80, "proto": "TCP"}
    many = [{"ip": f"10.21.{number // 250}.{number % 250}", "port": 80, "weight": 0} for number in range(900)]
    services = [again, {**again, "vip": "10.96.0.8", "backend": many}]
    new = {**SERVICE, "vip": "10.96.0.2", "backend": [{"ip": "10.20.9.9", "port": 8080}]}
    assert host.send(Request("POST", "", {"max-sessions": 1024}), "few")[0] == 201
    assert host.send(Request("POST", "service", [*services, SERVICE]), "few")[0] == 201
    with host.injector.armed(Fault(MAPS, 2, ERRORS[MAPS][0], map="counter_owners")):
        assert host.send(Request("PUT", "service", [*services, new]), "few")[0] < 300
    assert host.injector.fired
    in_force = ("10.96.0.2", "10.96.0.8")
    before = [counters(host, "few", vip) for vip in in_force]
    assert [len(found) for found in before] == [1, len(many)]
    for affinity in ("CLIENT_IP", "NONE"):  # first it sees that no session has them, then it takes them
        time.sleep(QUARANTINE_S)
        change = Request("PATCH", "service/10.96.0.9/80/TCP/session-affinity", affinity)
        assert host.send(change, "few")[0] < 300
    assert [counters(host, "few", vip) for vip in in_force] == before
    assert host.send(Request("DELETE", ""), "few")[0] < 300


@pytest.mark.long
def test_a_backend_that_is_back_counts_on_though_the_move_of_its_figures_is_unfinished(host: Host) -> None:  # noqa: F811
    """It had gone, its number was to be used again, and the kernel refused the note that its figures are moved."""
    again = {"vip": "10.96.0.9", "vport": 80, "proto": "TCP"}
    many = [{"ip": f"10.21.{number // 250}.{number % 250}", "port": 80, "weight": 0} for number in range(990)]
    mine = {**again, "vip": "10.96.0.3", "backend": [{"ip": "10.20.0.1", "port": 8080}]}
    assert host.send(Request("POST", "", {"max-sessions": 1024}), "few")[0] == 201
    services = [again, mine, {**again, "vip": "10.96.0.8", "backend": many}]
    assert host.send(Request("POST", "service", services), "few")[0] == 201
    (number,) = counters(host, "few", "10.96.0.3")
    packets = Request("GET", "service/10.96.0.3/80/TCP/stats/packets-in")
    backend = "service/10.96.0.3/80/TCP/backend/10.20.0.1"

    def count(packets_in: int) -> None:
        fd = bpf.open_pin(pins(host.state_dir, "few") / "traffic") or 0
        figures = bytes(abi.struct("traffic")(packets_in=packets_in))
        bpf.update(fd, number, figures + bytes(len(figures)) * (bpf.possible_cpus() - 1))
        os.close(fd)

    count(1000)
    assert host.send(Request("DELETE", backend), "few")[0] < 300
    for affinity, refused in (("CLIENT_IP", False), ("NONE", True)):  # it sees that it is free, then takes it
        time.sleep(QUARANTINE_S)
        fault = Fault(MAPS, 2, ERRORS[MAPS][0], map="removed_traffic")
        with host.injector.armed(fault) if refused else nullcontext():
            change = Request("PATCH", "service/10.96.0.9/80/TCP/session-affinity", affinity)
            assert host.send(change, "few")[0] < 300
    assert host.injector.fired
    assert host.send(packets, "few") == (200, "1000")
    assert host.send(Request("POST", backend, {"port": 8080}), "few")[0] < 300
    count(500)
    assert host.send(packets, "few") == (200, "1500")
    assert host.send(Request("DELETE", ""), "few")[0] < 300
