"""Sends random packets through datapath and model, in a world that changes meanwhile, and compares."""

from __future__ import annotations

import random
from collections import Counter
from socket import IPPROTO_ICMP, inet_ntoa

from pcnhost.engine.source import Hook
from tests.datapath.generator import CLIENTS, PROTOCOLS, SERVER_PORTS, SERVERS, VIPS, VPORTS, Generator
from tests.datapath.harness import Datapath, Punt, Verdict
from tests.datapath.headers import CHECKSUM_AT, TYPE_ARP, Kind, classify, quoted_flow, word
from tests.datapath.model import Expected, Model, Port
from tests.datapath.model_service import Service
from tests.datapath.tables import BACKEND, FRAGMENT_RELEASE, FRONTEND, INLINE_SLOTS, NO_PORT, Flow, Tables

BACKEND_IF = len(CLIENTS)
CHECK_EVERY = 500
CHANGE_EVERY = 60


class World:
    """The same cube twice: in the datapath's maps and in the model."""

    def __init__(self, datapath: Datapath, multi: bool, rng: random.Random) -> None:
        self._rng = rng
        self.datapath = datapath
        self.tables = Tables(datapath, multi)
        self.model = Model(multi)
        self.tables.reset()
        self._set_clock(1000)
        for index in range(len(CLIENTS) if multi else 1):
            self._add_frontend(index)
        self._add_port(BACKEND_IF, BACKEND, None if multi else 0)
        for vip in VIPS[:2]:
            for proto in PROTOCOLS:
                self._set_service(vip, proto)
                self._set_service(vip, proto)

    def _add_port(self, index: int, side: int, out: int | None, address: bytes = bytes(4)) -> None:
        generation = self.tables.add_port(index, side, NO_PORT if out is None else out, inet_ntoa(address))
        self.model.ports[index] = Port(side, out, generation)

    def _add_frontend(self, index: int) -> None:
        self._add_port(index, FRONTEND, BACKEND_IF, CLIENTS[index])
        if self.model.multi:
            self.model.frontends[CLIENTS[index]] = index

    def _set_service(self, vip: bytes, proto: int) -> None:
        rng = self._rng
        vport = 0 if proto == IPPROTO_ICMP else rng.choice(VPORTS)
        pool = SERVERS + CLIENTS[:1]
        usable = frozenset(
            (address, 0 if proto == IPPROTO_ICMP else rng.choice(SERVER_PORTS))
            for address in rng.sample(pool, rng.choice((0, 1, 1, 2, 3, 4)))
        )
        key = (vip, vport, proto)
        old = self.model.services.get(key)
        drained = (
            frozenset(rng.sample(sorted(old.members), 1))
            if old and old.members and rng.random() < 0.3
            else frozenset()
        )
        members = usable | drained
        affinity, sources = rng.choice((0, 0, 20, 10_800)), self._sources()
        self.tables.set_service(
            inet_ntoa(vip),
            vport,
            proto,
            [(inet_ntoa(address), port) for address, port in sorted(usable)],
            [(inet_ntoa(address), port) for address, port in sorted(members - usable)],
            chunks=rng.random() < 0.5,
            slots=rng.choice((1, 2)) * INLINE_SLOTS,
            affinity=affinity,
            sources=[f"{inet_ntoa(network)}/{length}" for network, length in sources],
        )
        self.model.set_service(key, Service(usable, members, rng.getrandbits(60), affinity, sources))

    def _sources(self) -> tuple[tuple[bytes, int], ...]:
        """Most services serve everybody; of others, some serve some of the clients."""
        networks = ((CLIENTS[0], 32), (bytes((10, 0, 0, 2)), 31), (bytes((172, 16, 0, 0)), 12))
        return tuple(self._rng.sample(networks, self._rng.randint(1, 2))) if self._rng.random() < 0.2 else ()

    def _remove_service(self) -> None:
        if self.model.services:
            vip, vport, proto = self._rng.choice(sorted(self.model.services))
            del self.model.services[vip, vport, proto]
            self.tables.remove_service(inet_ntoa(vip), vport, proto)

    def _set_clock(self, tick: int) -> None:
        self.model.now = tick
        self.datapath.set_clock(tick)

    def _set_rewrite(self) -> None:
        ranges = self._rng.choice(
            (None, ("10.0.0.0", "255.255.255.254", "10.9.8.0"), ("10.0.0.0", "255.255.255.0", "10.7.0.0"))
        )
        self.tables.set_rewrite(ranges)
        numbers = [int.from_bytes(bytes(map(int, text.split(".")))) for text in ranges or ()]
        self.model.rewrite = (numbers[0], numbers[1], numbers[2]) if ranges else None

    def _evict(self) -> None:
        """What is kept for a client or a flow, as the kernel does for want of room."""
        rng, model = self._rng, self.model
        if model.flows and rng.random() < 0.5:
            key = rng.choice(list(model.flows))
            del model.flows[key]
            src, dst, *rest = key
            self.tables.forget(Flow(inet_ntoa(src), inet_ntoa(dst), *rest), "flows")
        elif model.clients:
            address, port, proto = end = rng.choice(list(model.clients))
            model.forget(end)
            flow = Flow(inet_ntoa(address), "0.0.0.0", port, 0, proto, FRONTEND)
            self.tables.forget(flow, "clients", "openings")

    def _set_settings(self) -> None:
        self.model.reject_unserved = self._rng.random() < 0.5
        self.tables.set_settings(reject_unserved=self.model.reject_unserved)

    def change(self) -> None:
        rng = self._rng
        match rng.randrange(11):
            case 0 | 1 | 2:
                self._set_service(rng.choice(VIPS), rng.choice(PROTOCOLS))
            case 3:
                self._remove_service()
            case 4:
                self._set_rewrite()
            case 5 | 6 | 7:
                self._set_clock(
                    self.model.now
                    + rng.choice((1, 1, 2, 29, 31, 59, 61, 119, 121, 181, 239, 241, 3601, 86401))
                )
            case 8:
                self._evict()
            case 9:
                self._set_settings()
            case 10:
                self._add_frontend(rng.randrange(len(CLIENTS) if self.model.multi else 1))


def is_possible(hook: Hook, frame: bytes) -> bool:
    """The kernel runs TC programs on no packet shorter than what its own receive path has checked."""
    if hook is Hook.XDP:
        return True
    shortest = {0x0800: 34, 0x86DD: 54}.get(word(frame, 12), 15)
    return len(frame) >= shortest


def is_arp(frame: bytes) -> bool:
    """Or perhaps so, behind tags."""
    return TYPE_ARP in (word(frame, at) for at in (12, 16, 20) if at + 2 <= len(frame))


def _without_negative_zeros(frame: bytes) -> bytes:
    """In ones' complement a sum of 0xffff is the same as 0, except for UDP, where 0 means none. Damaged packets
    come with either; which of them results is not worth specifying."""
    data = bytearray(frame)
    kind, _, datagram = classify(data)
    if datagram is None:
        return frame
    sums = [datagram.l3 + 10]
    parts = [datagram, quoted_flow(datagram)] if kind is Kind.ICMP_ERROR else [datagram]
    for part in parts:
        if part is not None:
            sums.append(part.l3 + 10)
            if kind in (Kind.FLOW, Kind.ICMP_ERROR) and part.proto in CHECKSUM_AT and part.proto != 17:
                sums.append(part.l4 + CHECKSUM_AT[part.proto])
    for at in sums:
        if data[at : at + 2] == b"\xff\xff":
            data[at : at + 2] = b"\0\0"
    return bytes(data)


def _differ(expected: Expected, out: int | None, frame: bytes) -> bool:
    if expected.out != out:
        return True
    return expected.frame != frame and _without_negative_zeros(expected.frame) != _without_negative_zeros(
        frame
    )


class Fuzzer:
    """One run; everything in it follows from `seed`."""

    def __init__(self, datapath: Datapath, multi: bool, seed: int) -> None:
        rng = random.Random(seed)
        self._title = f"{datapath.hook.name} {'MULTI' if multi else 'SINGLE'} seed {seed}"
        self._world = World(datapath, multi, rng)
        self._generator = Generator(rng, len(CLIENTS) if multi else 1)
        self._punts: list[Punt] = []
        self.kinds: Counter[str] = Counter()

    def run(self, packets: int) -> None:
        for number in range(packets):
            if number % CHANGE_EVERY == CHANGE_EVERY - 1:
                self._world.change()
            self._send(number)
            if number % CHECK_EVERY == CHECK_EVERY - 1:
                self._check_counters(number)
        self._check_counters(packets)

    def _send(self, number: int) -> None:
        world = self._world
        from_backend, frontend, frame = self._generator.next()
        if not is_possible(world.datapath.hook, frame):
            return
        in_port = BACKEND_IF if from_backend else frontend
        complete = not is_arp(frame) and number % 2 == 0  # the other half as from a NIC that sums up nothing
        where = f"{self._title}, packet {number}, port {in_port}: {frame.hex()}"
        try:
            run = world.datapath.run(in_port, frame, complete=complete)
        except OSError as e:
            raise AssertionError(f"{where}\n{e}") from e
        verdict = world.datapath.verdict(run)
        assert verdict is not Verdict.STACK, f"{where}\nleft to the host's stack"
        out = None if isinstance(verdict, Verdict) else verdict
        try:
            expected = world.model.expect(in_port, frame, run.frame)
        except AssertionError as e:
            raise AssertionError(f"{where}\n{e}") from e
        if _differ(expected, out, run.frame):
            raise AssertionError(
                f"{where}\nexpected {expected.out} {expected.frame.hex()}\ngot      {out} {run.frame.hex()}"
            )
        if expected.releases:
            self._punts.append(Punt(FRAGMENT_RELEASE, in_port, run.frame))
        if expected.punt is not None:
            self._punts.append(Punt(expected.punt, in_port, frame))
        elif out is not None:
            self._generator.seen(out == BACKEND_IF, out if out < BACKEND_IF else 0, run.frame)
        self._count(expected, frame, run.frame)

    def _count(self, expected: Expected, frame: bytes, result: bytes) -> None:
        fate = "punted" if expected.punt is not None else "dropped" if expected.out is None else "passed"
        self.kinds["translated" if fate == "passed" and frame != result else fate] += 1

    def _check_counters(self, number: int) -> None:
        where = f"{self._title}, before packet {number}"
        events = {name: value for name, value in self._world.model.events.items() if value}
        assert self._world.tables.events() == events, where
        punts = list(self._world.datapath.punts())
        assert punts == self._punts, where
        self._punts.clear()
