"""While all ports of a cube are exchanged for others, no packet finds a port in another one's role.

The BACKEND port moves from one netdev to another, and with it the indexes of all ports. The other netdevs belong to
FRONTEND ports before and after: whatever they send, at any time, must not arrive at one another.
"""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from testbed.api import Api
from testbed.lab import Lab, ip_batch
from testbed.netns import inside

pytestmark = pytest.mark.root

WIRES = 120  # of the 128 ports that a cube may have: some have to leave before others come
FIRST, LAST = 0, WIRES - 1  # each is that of the BACKEND port in turn
STEADY = range(FIRST + 1, LAST)
_ETH_P_ALL, _PACKET_OUTGOING, _SO_RCVBUFFORCE = 3, 4, 33
_MARK = b"port changes"


def address(wire: int) -> str:
    return f"10.10.1.{wire + 1}"


def frame(sender: int, receiver: int) -> bytes:
    """A datagram, which tells who has sent it."""
    payload = _MARK + struct.pack(">H", sender)
    udp = struct.pack(">HHHH", 4000, 4000, 8 + len(payload), 0)
    addresses = socket.inet_aton(address(sender)) + socket.inet_aton(address(receiver))
    header = struct.pack(">BBHHHBBH", 0x45, 0, 28 + len(payload), 1, 0, 64, socket.IPPROTO_UDP, 0)
    return bytes.fromhex("020000000001 020000000002 0800") + header + addresses + udp + payload


@dataclass
class Wires:
    """Veth pairs whose far ends are in one namespace, where all of them send, and all that arrives is noted."""

    lab: Lab
    outer: list[str] = field(default_factory=list)
    arrived: Counter[tuple[int, int]] = field(default_factory=Counter)  # by (sender, receiver)

    def __post_init__(self) -> None:
        self.namespace = self.lab.namespace("pods")
        names = [f"{self.lab.prefix}w{n}" for n in range(WIRES)]
        pairs = [f"link add {name} type veth peer name p{n}" for n, name in enumerate(names)]
        ip_batch(None, pairs)
        ip_batch(None, [f"link set p{n} netns {self.namespace}" for n in range(WIRES)])
        ip_batch(None, [f"link set {name} up" for name in names])
        ip_batch(self.namespace, [f"link set p{n} up" for n in range(WIRES)])
        self.outer = names
        self._stop = threading.Event()
        with inside(self.namespace):
            self._taps = [_tap(f"p{n}") for n in range(WIRES)]
            self._all = _tap("")
        self._all.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 64 << 20)
        self._threads = [threading.Thread(target=work) for work in (self._send, self._receive)]
        for thread in self._threads:
            thread.start()

    def _send(self) -> None:
        chance = random.Random(1)
        while not self._stop.is_set():
            for sender in range(WIRES):
                self._taps[sender].send(frame(sender, chance.choice(STEADY)))
            time.sleep(0.001)

    def _receive(self) -> None:
        self._all.settimeout(0.2)
        while not self._stop.is_set():
            try:
                packet, (netdev, _, kind, *_) = self._all.recvfrom(200)
            except TimeoutError:
                continue
            at = packet.find(_MARK)
            if kind != _PACKET_OUTGOING and at > 0:
                (sender,) = struct.unpack_from(">H", packet, at + len(_MARK))
                self.arrived[sender, int(netdev[1:])] += 1

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        for tap in (*self._taps, self._all):
            tap.close()
        ip_batch(None, [f"link del {name}" for name in self.outer])


def _tap(netdev: str) -> socket.socket:
    """For one netdev, which only sends, or for all."""
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0 if netdev else socket.htons(_ETH_P_ALL))
    if netdev:
        tap.bind((netdev, 0))
    return tap


@pytest.fixture
def wires() -> Iterator[Wires]:
    with Lab() as lab:
        wires = Wires(lab)
        try:
            yield wires
        finally:
            wires.close()


def ports(wires: Wires, generation: int) -> list[dict[str, Any]]:
    """None has the name of one of the generation before. Indexes go by names: the BACKEND port has the first or the
    last one in turn, so that a FRONTEND port gets the index that it has had."""
    order = list(range(WIRES)) if generation % 2 == 0 else list(reversed(range(WIRES)))
    backend, *others = order
    name = f"g{generation}{'a' if generation % 2 == 0 else 'z'}"
    numbered = [(n, wire) for n, wire in enumerate(others, 1)]
    random.Random(generation).shuffle(numbered)
    return [
        {"name": name, "type": "BACKEND", "peer": wires.outer[backend]},
        *(
            {"name": f"g{generation}n{n}", "type": "FRONTEND", "ip": address(wire), "peer": wires.outer[wire]}
            for n, wire in numbered
        ),
    ]


@pytest.mark.parametrize("kind", ["TC", "XDP_SKB"])
def test_no_port_is_found_in_the_role_of_another(api: Api, wires: Wires, kind: str) -> None:
    api.post("k8slbrp/moving", {"port_mode": "MULTI", "type": kind, "ports": ports(wires, 0)})
    try:
        for generation in range(1, 4):
            before = sum(wires.arrived.values())
            while sum(wires.arrived.values()) < before + 5_000:  # it works between the changes
                time.sleep(0.01)
            api.put("k8slbrp/moving/ports", ports(wires, generation))
        time.sleep(0.5)
        arrived = wires.arrived.copy()  # at once: packets go on arriving
        by_backend = Counter(receiver in (FIRST, LAST) for _, receiver in arrived.elements())
        assert by_backend[True] > 10_000 and by_backend[False] > 100
        wrong = {(s, r): count for (s, r), count in arrived.items() if s in STEADY and r in STEADY}
        assert wrong == {}
        wires.arrived.clear()
        time.sleep(0.5)
        heard = {sender for sender, receiver in wires.arrived if receiver == LAST}
        assert heard >= set(STEADY), "ports stay dark"
    finally:
        api.delete("k8slbrp/moving")
