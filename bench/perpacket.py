"""What one packet costs, by BPF_PROG_TEST_RUN on the programs of real cubes, as multiples of a floor.

The floor is a program that parses and redirects under the same wrapper; `kernel` is that program with the session
table's lookup or insertion and nothing else. All run behind the same driver; its own cost, the difference between
the floor with and without it, is taken off everything.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from ipaddress import IPv4Address
from itertools import count, islice
from pathlib import Path
from typing import Any

from bench import counting, kernel, packets, services, stats
from bench import host as bench_host
from bench.driver import REDIRECT, Driver, Flow, answers_of, load_service_program
from bench.host import Host
from pcnhost.engine import bpf, testrun
from pcnhost.engine.source import Hook
from testbed.lab import Lab
from testbed.openings import Openings

_BACKEND, _FRONTEND = 0, 1  # indexes of the ports, in the order in which _cube() creates them
_TCP, _UDP, _ICMP = 6, 17, 1
_DAY_S = 86400  # a session has to last until its turn
_CLIENTS = IPv4Address("10.64.0.0")
_PORTS_PER_ADDRESS = 50_000
_CUBE_TYPE = {Hook.TC: "TC", Hook.XDP: "XDP_SKB"}

BACKENDS = 10
AT_A_TIME = 256  # this part of a cube's sessions is opened at once: hardly any five of them want one set
COUNTED = "multi"  # the setup of which the counters' cost is measured

Measurement = Callable[[], float]


@dataclass(frozen=True)
class Scale:
    """Repeats of one sample, samples of a load, loads; the large setup; new sessions per sample; usual table size.

    Where the kernel places a program moves what it takes by some nanoseconds: so each is loaded several times.
    """

    repeat: int
    rounds: int
    loads: int
    services: int
    sessions: int
    openings: int
    max_sessions: int


FULL = Scale(300_000, 3, loads=4, services=10_000, sessions=500_000, openings=10_000, max_sessions=131_072)
QUICK = Scale(5_000, 3, loads=1, services=20, sessions=1_000, openings=200, max_sessions=2_048)


@dataclass(frozen=True)
class Setup:
    """A cube to measure: what is in it, and whether sessions that are there or new ones are measured."""

    mode: str
    services: int
    sessions: int
    max_sessions: int
    steady: bool
    opening: bool


def setups(scale: Scale) -> dict[str, Setup]:
    usual = scale.max_sessions
    room = scale.sessions + 2 * (scale.rounds + 1) * scale.openings  # never full
    return {
        "multi": Setup("MULTI", 1, 1, usual, steady=True, opening=False),
        "single": Setup("SINGLE", 1, 1, usual, steady=True, opening=False),
        "large": Setup("MULTI", scale.services, scale.sessions, room, steady=True, opening=True),
        "opening": Setup("MULTI", 1, 0, usual, steady=False, opening=True),
        "full": Setup("MULTI", 1, usual, usual, steady=False, opening=True),
    }


@dataclass
class Target:
    """A cube in the kernel: what measuring it needs."""

    hook: Hook
    program_fd: int
    metadata_fd: int
    clients_fd: int
    openings: Openings
    sources: Iterator[int]  # numbers of client endpoints nobody has used yet

    def driver(self, flows: list[Flow]) -> Driver:
        return Driver(self.hook, self.metadata_fd, self.program_fd, flows)


def measure(quick: bool) -> dict[str, Any]:
    """All figures by hook and setup, in nanoseconds and as multiples of the floor."""
    scale = QUICK if quick else FULL
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        hooks = {hook.name: _measure_hook(hook, scale) for hook in Hook}
    finally:
        os.sched_setaffinity(0, allowed)
    return {
        "unit": "ns per packet; ratio: multiples of the floor in the same round",
        "backends per service": BACKENDS,
        "setups": {name: asdict(setup) for name, setup in setups(scale).items()},
        **hooks,
    }


def _measure_hook(hook: Hook, scale: Scale) -> dict[str, Any]:
    taken: dict[str, list[float]] = {}
    for _ in range(scale.loads):
        for name, samples in _measure_load(hook, scale).items():
            taken.setdefault(name, []).extend(samples)
    return _report(taken)


def _measure_load(hook: Hook, scale: Scale) -> dict[str, list[float]]:
    with Lab() as lab, bench_host.running(lab) as running:
        measurements: dict[str, Measurement] = {}
        for name, setup in setups(scale).items():
            target = _cube(lab, running, hook, name, setup)
            if not measurements:
                measurements |= _references(target, running.directory(name), scale)
            for case, measurement in _cases(target, setup, scale).items():
                measurements[f"{name}/{case}"] = measurement
            if name == COUNTED:
                programs = counting.programs(
                    hook, running.directory(name), target.metadata_fd, setup.max_sessions
                )
                measurements |= _counting_cases(target, programs, scale)
        return stats.in_turns(measurements, scale.rounds)


def _cube(lab: Lab, running: Host, hook: Hook, name: str, setup: Setup) -> Target:
    """A cube with its ports connected to netdevs, and services."""
    api = running.api
    options = {
        "type": _CUBE_TYPE[hook],
        "port_mode": setup.mode,
        "max-sessions": setup.max_sessions,
        "timeouts": dict.fromkeys(("udp-answered", "udp-stream", "icmp", "tcp-opening"), _DAY_S),
    }
    api.post(f"k8slbrp/{name}", options)
    far = lab.namespace(name)
    ports = {"backend": {"type": "BACKEND"}, "frontend": {"type": "FRONTEND"}}
    if setup.mode == "MULTI":
        ports["frontend"]["ip"] = packets.CLIENT
    for port, body in ports.items():
        peer = lab.link(f"{name[0]}{port[0]}", far, port)
        api.post(f"k8slbrp/{name}/ports/{port}", {**body, "peer": peer})
    services.create(api, name, 0, setup.services, BACKENDS)
    api.post(f"k8slbrp/{name}/service", [services.service(0, BACKENDS, proto) for proto in ("UDP", "ICMP")])
    return Target(
        hook=hook,
        program_fd=running.program_fd(name, hook),
        metadata_fd=kernel.open_map(running.state_dir / "port_md"),
        clients_fd=kernel.open_map(running.map_path(name, "clients")),
        openings=Openings.at(running.map_path(name, "openings")),
        sources=count(),
    )


def _references(beside: Target, directory: Path, scale: Scale) -> dict[str, Measurement]:
    """The floor by itself, driven, and driven through many flows; and the floor with the kernel's session table."""
    peers = kernel.open_map(directory / "_POLYCUBE_peers")
    maps = {"_POLYCUBE_peers": peers, "port_md": beside.metadata_fd}
    value_bytes = bpf.map_spec(beside.clients_fd).value_size
    packet = packets.tcp("A")

    def load(name: str, *defines: str) -> tuple[Target, int]:
        defines = (f"-DEGRESS_PORT={_BACKEND}", f"-DVALUE_BYTES={value_bytes}", *defines)
        program, tables = load_service_program(name, beside.hook, maps, defines)
        return replace(beside, program_fd=program, sources=count()), tables.get("table", -1)

    floor, _ = load("floor.c")
    per_cpu, common = "-DFLAGS=BPF_F_NO_COMMON_LRU", "-DFLAGS=0"  # of the first, this CPU has only a part
    usual, _ = load("table.c", "-DOPENING", f"-DENTRIES={scale.max_sessions}", per_cpu)
    filling, table = load("table.c", "-DOPENING", f"-DENTRIES={setups(scale)['large'].max_sessions}", common)
    flows = _forward_flows(filling, scale.sessions, 1)
    _redirected(filling, filling.driver(flows).run(packet, len(flows)))
    maps["table"] = table
    looking, _ = load("table.c", "-DENTRIES=1", common)
    return {
        "floor/alone": lambda: _redirected(floor, testrun.run(floor.program_fd, packet, scale.repeat)),
        "floor/one": _steady(floor, _forward_flows(floor, 1, 1), packet, scale),
        "floor/many": _steady(floor, _forward_flows(floor, scale.sessions, 1), packet, scale),
        "kernel/one lookup": _steady(looking, flows[:1], packet, scale),
        "kernel/one lookup, any session": _steady(looking, _shuffled(flows), packet, scale),
        "kernel/one insertion, new session": _opening(usual, 1, scale, emptied=False),
        "kernel/one insertion beside many, new session": _opening(filling, 1, scale, emptied=False),
    }


def _cases(target: Target, setup: Setup, scale: Scale) -> dict[str, Measurement]:
    """Opens the sessions of the setup; returns what to measure on it."""
    flows = _forward_flows(target, setup.sessions, setup.services)
    _establish(target, flows, setup.max_sessions // AT_A_TIME)
    cases: dict[str, Measurement] = {}
    if setup.steady:
        cases |= _steady_cases(target, flows, scale)
    if setup.opening:
        full = setup.sessions == setup.max_sessions
        if full:
            _fill_openings(target)
        cases["new session"] = _opening(target, setup.services, scale, emptied=not full)
        if setup.services > 1:  # what the tables of sessions add, without those of services
            cases["one service, new session"] = _opening(target, 1, scale, emptied=not full)
    return cases


def _establish(target: Target, flows: list[Flow], at_a_time: int) -> None:
    """Opens a TCP session for each of `flows`."""
    opener = server = None
    for start in range(0, len(flows), at_a_time):
        some = flows[start : start + at_a_time]
        opener = opener if opener and len(some) == at_a_time else target.driver(some)
        opener.set_flows(some)
        _redirected(target, opener.run(packets.tcp("S"), len(some)))
        answers = _reverse_flows(target.openings.entries(), _TCP)
        server = server if server and len(answers) == at_a_time else target.driver(answers)
        server.set_flows(answers)
        _redirected(target, server.run(packets.tcp("SA"), len(answers)))
        _redirected(target, opener.run(packets.tcp("A"), len(some)))


def _steady_cases(target: Target, flows: list[Flow], scale: Scale) -> dict[str, Measurement]:
    ack = packets.tcp("A")
    answers = _reverse_flows(_clients(target), _TCP)
    if len(flows) - len(answers) > len(flows) // 10_000:  # a few have not got a place in the tables by client
        raise RuntimeError(f"{len(flows)} sessions were opened and {len(answers)} are there")
    cases = {
        "pass": _steady(target, [_elsewhere()], ack, scale),
        "tcp forward": _steady(target, flows[:1], ack, scale),
        "tcp reverse": _steady(target, answers[:1], ack, scale),
    }
    if len(flows) > 1:
        cases["tcp forward, any session"] = _steady(target, _shuffled(flows), ack, scale)
        cases["tcp reverse, any session"] = _steady(target, _shuffled(answers), ack, scale)
    else:
        cases |= _other_protocols(target, scale)
    return cases


def _counting_cases(target: Target, programs: dict[str, int], scale: Scale) -> dict[str, Measurement]:
    """The same packets through the datapath with and without counters, on the first session that was opened."""
    ack = packets.tcp("A")
    flows = {
        "tcp forward": _forward_flows(replace(target, sources=count()), 1, 1),
        "tcp reverse": _reverse_flows(_clients(target), _TCP),
        "pass": [_elsewhere()],
    }
    return {
        f"{name}/{case}": _steady(replace(target, program_fd=program), flow, ack, scale)
        for name, program in programs.items()
        for case, flow in flows.items()
    }


def _elsewhere() -> Flow:
    return Flow.of(packets.CLIENT, packets.ELSEWHERE, 4000, packets.VPORT, _FRONTEND)


def _other_protocols(target: Target, scale: Scale) -> dict[str, Measurement]:
    cases: dict[str, Measurement] = {}
    for name, proto, request, answer in (
        ("udp", _UDP, packets.udp(), packets.udp()),
        ("icmp echo", _ICMP, packets.echo(), packets.echo(reply=True)),
    ):
        forward = _forward_flows(target, 1, 1)
        _redirected(target, target.driver(forward).run(request, 1))
        reverse = _reverse_flows(target.openings.entries(), proto)
        _redirected(target, target.driver(reverse).run(answer, 1))
        cases[f"{name} forward"] = _steady(target, forward, request, scale)
        cases[f"{name} reverse"] = _steady(target, reverse, answer, scale)
    return cases


def _steady(target: Target, flows: list[Flow], packet: bytes, scale: Scale) -> Measurement:
    driver = target.driver(flows)
    return lambda: _redirected(target, driver.run(packet, scale.repeat))


def _fill_openings(target: Target) -> None:
    """From now on, each new session evicts one that nobody has answered."""
    flows = _forward_flows(target, 2 * target.openings.places, 1)
    _redirected(target, target.driver(flows).run(packets.tcp("S"), len(flows)))


def _opening(target: Target, number_of_services: int, scale: Scale, *, emptied: bool) -> Measurement:
    """Every repeat opens a session that was never there; `emptied`: none has to be evicted for it."""
    syn = packets.tcp("S")
    driver = target.driver(_forward_flows(target, scale.openings, number_of_services))

    def measurement() -> float:
        if emptied:
            target.openings.clear()
        driver.set_flows(_forward_flows(target, scale.openings, number_of_services))
        return _redirected(target, driver.run(syn, scale.openings))

    return measurement


def _redirected(target: Target, run: testrun.Run) -> float:
    """Nanoseconds per packet, of packets that went where they should."""
    if run.verdict != REDIRECT[target.hook]:
        raise RuntimeError(f"the program's verdict was {run.verdict}, the packet did not pass")
    return run.ns


def _forward_flows(target: Target, number: int, number_of_services: int) -> list[Flow]:
    """From as many new client endpoints, to one service after the other."""
    flows = []
    for index, source in enumerate(islice(target.sources, number)):
        address, port = divmod(source, _PORTS_PER_ADDRESS)
        client = str(_CLIENTS + address)
        flows.append(
            Flow.of(client, packets.vip(index % number_of_services), 1024 + port, packets.VPORT, _FRONTEND)
        )
    return flows


def _reverse_flows(sessions: Mapping[bytes, bytes], proto: int) -> list[Flow]:
    """What the backends answer, as a session table has it."""
    entries = (answers_of(key, value, _BACKEND) for key, value in sessions.items())
    return [flow for flow, protocol in entries if protocol == proto]


def _clients(target: Target) -> dict[bytes, bytes]:
    """The entries of the table."""
    keys, values, number = kernel.read_all(target.clients_fd)
    return dict(zip(_parts(keys, number), _parts(values, number), strict=True))


def _parts(joined: bytes, number: int) -> list[bytes]:
    size = len(joined) // number
    return [joined[at : at + size] for at in range(0, len(joined), size)]


def _shuffled(flows: list[Flow]) -> list[Flow]:
    return random.Random(1).sample(flows, len(flows))


def _report(taken: dict[str, list[float]]) -> dict[str, Any]:
    """Takes the driver's cost off, and relates everything to the floor."""
    floor = taken.pop("floor/alone")
    driver_one = stats.difference(taken.pop("floor/one"), floor)
    driver_many = stats.difference(taken.pop("floor/many"), floor)
    report: dict[str, Any] = {"floor": {"ns": stats.summary(floor)}}
    for name in [name for name in taken if name.startswith("counted/")]:
        case = name.split("/")[1]
        cost = stats.difference(taken.pop(name), taken.pop(f"uncounted/{case}"))
        figures = {"ns": stats.summary(cost), "ratio": stats.summary(stats.ratios(cost, floor))}
        report.setdefault("counting", {})[case] = figures
    for name, samples in taken.items():
        setup, case = name.split("/")
        many = case.endswith(("new session", "any session"))
        net = stats.difference(samples, driver_many if many else driver_one)
        figures = {"ns": stats.summary(net), "ratio": stats.summary(stats.ratios(net, floor))}
        report.setdefault(setup, {})[case] = figures
    small = report["multi"] | report["opening"]
    report["large over small"] = {
        case: round(figures["ns"]["median"] / small[case]["ns"]["median"], 3)
        for case, figures in report["large"].items()
        if case in small
    }
    return report
