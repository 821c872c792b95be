"""One CPU opens sessions while another changes services: no session is pinned to another service's backend.

The kernel hands the memory of a replaced entry to the next new one at once, so a packet may look at memory that
becomes another service's meanwhile. The updates are those of the control plane, recorded and sent again much faster.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from socket import IPPROTO_UDP

import pytest

from bench import kernel
from bench.host import Host
from k8slbrp import abi
from k8slbrp.maps import head_check, service_hash
from pcnhost.engine import bpf
from tests.datapath import maps
from tests.datapath.headers import RST, SYN
from tests.datapath.tables import service_key
from tests.race.racers import PACKETS, UPDATES, Step, Track

pytestmark = [pytest.mark.root, pytest.mark.serial]

CLIENT_IF, OTHER_IF = 1, 2
VIPS = ("10.96.0.1", "10.96.0.2")
PORTS = (8080, 9090)
VERSIONS = 8
OTHER_CHUNKS = 65536  # chunks of this number and above are not in use


@dataclass(frozen=True)
class Map:
    """A pinned map; `values` reads all of it."""

    fd: int
    value_size: int

    @classmethod
    def open(cls, path: Path) -> Map:
        fd = kernel.open_map(path)
        return cls(fd, bpf.map_spec(fd).value_size)

    def values(self) -> dict[bytes, bytes]:
        found = {key: bpf.lookup(self.fd, key, self.value_size) for key in maps.keys(self.fd)}
        return {key: value for key, value in found.items() if value is not None}


@dataclass(frozen=True)
class Batch:
    """Entries to write into a map at once, or keys to delete (`values` is None)."""

    fd: int
    keys: tuple[bytes, ...]
    values: tuple[bytes, ...] | None
    has_chunks: bool

    def moved(self) -> Batch:
        """The same with other chunks."""
        if self.has_chunks:
            return replace(self, keys=tuple(map(_moved, self.keys)))
        copies = [abi.struct("service").from_buffer_copy(value) for value in self.values or ()]
        for key, copy in zip(self.keys, copies, strict=True):
            copy.head.first_chunk += OTHER_CHUNKS
            copy.head.check = head_check(service_hash(key, copy.head.version), copy.head)
        return replace(self, values=tuple(map(bytes, copies)))

    def apply(self) -> None:
        if self.values is None:
            for key in self.keys:
                with suppress(FileNotFoundError):
                    bpf.delete(self.fd, key)
        elif self.keys:
            kernel.write_all(self.fd, b"".join(self.keys), b"".join(self.values), len(self.keys))


def _moved(number: bytes) -> bytes:
    return bpf.u32(int.from_bytes(number, sys.byteorder) + OTHER_CHUNKS)


def differences(before: dict[bytes, bytes], after: dict[bytes, bytes]) -> tuple[list[bytes], list[bytes]]:
    """The keys that have come or changed, and those that have gone."""
    written = [key for key, value in after.items() if before.get(key) != value]
    return written, [key for key in before if key not in after]


class Recorder:
    """What each change of a service writes: new chunks first, then the service, and what is left over last."""

    def __init__(self, host: Host) -> None:
        self.services = Map.open(host.map_path("race", "services"))
        self.chunks = Map.open(host.map_path("race", "chunks"))
        self._before = self._now()

    def _now(self) -> tuple[dict[bytes, bytes], dict[bytes, bytes]]:
        return self.services.values(), self.chunks.values()

    def record(self) -> tuple[Batch, Batch, Batch]:
        """The writes since the last call: new chunks, the services, old chunks."""
        now = self._now()
        (services, _), (chunks, gone) = (
            differences(before, after) for before, after in zip(self._before, now, strict=True)
        )
        self._before = now
        return (
            Batch(self.chunks.fd, tuple(chunks), tuple(now[1][key] for key in chunks), has_chunks=True),
            Batch(
                self.services.fd, tuple(services), tuple(now[0][key] for key in services), has_chunks=False
            ),
            Batch(self.chunks.fd, tuple(gone), None, has_chunks=True),
        )


def backends(service: int, count: int, round_: int) -> list[dict[str, object]]:
    """The service's own network is 10.20.<service>.0/24; which of its servers are there depends on the round."""
    first = 1 + 3 * round_
    return [{"ip": f"10.20.{service}.{first + n}", "port": PORTS[service]} for n in range(count)]


def recorded_changes(host: Host, count: int) -> list[Batch]:
    """What some changes of both services in turn write, over and over.

    The last change does not lead back to the chunks of the first one. So each round is there twice, the second
    time with other chunks: no chunk comes back while a packet may still look at what it was.
    """
    for service, vip in enumerate(VIPS):
        host.api.post(f"k8slbrp/race/service/{vip}/80/TCP", {"backend": backends(service, count, 0)})
    recorder = Recorder(host)
    one = [list(change) for change in one_round(host, recorder, count)]
    other = [[batch.moved() for batch in change] for change in one]
    if all(batch.values is not None for change in one for batch in change):
        # Nothing but services: many changes can go to the kernel in one call.
        keys = tuple(key for change in one for batch in change for key in batch.keys)
        values = tuple(value for change in one for batch in change for value in batch.values or ())
        return [Batch(recorder.services.fd, keys * 64, values * 64, has_chunks=False)]
    return [
        batch
        for these, those in ((one, other), (other, one))
        for batch in with_cleanup(recorder.chunks.fd, these, those)
    ]


def with_cleanup(chunks_fd: int, these: list[list[Batch]], those: list[list[Batch]]) -> Iterator[Batch]:
    """A round; once both services are in it, what the round before has left is deleted."""
    for number, change in enumerate(these):
        yield from change
        if number == len(VIPS) - 1:
            left = {key for change in those for batch in change if batch.has_chunks for key in batch.keys}
            yield Batch(chunks_fd, tuple(left), None, has_chunks=True)


def one_round(host: Host, recorder: Recorder, count: int) -> Iterator[list[Batch]]:
    """Services change in turn, so that one gets the memory of the other; every other time each changes twice in a row,
    so that it gets its own."""
    for version in [*range(1, VERSIONS), 0]:
        for service, vip in enumerate(VIPS):
            path = f"k8slbrp/race/service/{vip}/80/TCP/backend"
            for step in [2 * version] if version % 2 else [2 * version, 2 * version + 1]:
                host.api.put(path, backends(service, count, step))
                yield [batch for batch in recorder.record() if batch.keys]


@pytest.mark.parametrize(
    "count",
    [1, 10, 14, 40],
    ids=["one backend", "slots in the entry", "slots in chunks", "backends in chunks"],
)
def test_no_session_is_pinned_to_another_services_backend(
    host: Host, on_track: Callable[[int], Track], count: int
) -> None:
    track = on_track(1 << 20)
    changes = recorded_changes(host, count)
    in_a_round = sum(len(batch.keys) for batch in changes)
    made = 0

    def change(over: Callable[[], bool]) -> None:
        nonlocal made
        while not over():
            for batch in changes:
                batch.apply()
            made += in_a_round

    # A SYN opens a session; an RST of an unknown one chooses a backend, too, and leaves nothing behind.
    opening = [
        Step(
            client,
            vip,
            sport,
            80,
            port,
            to=(f"10.20.{service}.0/24", PORTS[service]),
            flags=flags,
            clients=1 << 18,
        )
        for service, (vip, client, port) in enumerate(
            zip(VIPS, ("10.64.0.0", "10.128.0.0"), (CLIENT_IF, OTHER_IF), strict=True)
        )
        for sport, flags in ((5000, SYN), (5001, RST), (5002, RST), (5003, RST))
    ]
    share, updates = PACKETS // 4, UPDATES // 4
    (tally,) = track.race([opening], lambda sent: sent >= share and made >= updates, change)
    assert tally.wrong == 0, f"{tally.wrong} of {tally.sent} packets, the last one in {tally.example}"
    assert tally.right > tally.sent // 4


def test_no_live_session_leaves_a_backend_that_stays(host: Host, on_track: Callable[[int], Track]) -> None:
    """UDP looks whether its backend is still there whenever some other one has gone. This one stays in every version,
    at another place each time, and gets no new session, so a packet that does not find it goes elsewhere."""
    track = on_track(1 << 16)
    stays = {"ip": "10.20.0.250", "port": PORTS[0]}
    paths = [f"k8slbrp/race/service/{vip}/80/UDP" for vip in VIPS]
    for service, path in enumerate(paths):
        host.api.post(path, {"backend": [stays] if service == 0 else backends(service, 1, 0)})
    request = Step("10.64.0.1", VIPS[0], 6000, 80, CLIENT_IF, to=("10.20.0.250", PORTS[0]), proto=IPPROTO_UDP)
    track.race([[request]], lambda sent: True, in_one_run=1)
    services = Map.open(host.map_path("race", "services"))
    removals = kernel.open_map(host.map_path("race", "removals"))
    written = []
    for version in range(2 * VERSIONS):
        service = version // 2 % 2  # each twice in a row
        others = backends(service, 2 + version % 7, version)
        host.api.put(f"{paths[service]}/backend", others if service else [*others, {**stays, "weight": 0}])
        key = service_key(VIPS[service], 80, IPPROTO_UDP)
        entry = bpf.lookup(services.fd, key, services.value_size)
        assert entry
        written.append((key, entry))
    made = 0

    def change(over: Callable[[], bool]) -> None:
        nonlocal made
        while not over():
            for key, entry in written:
                bpf.update(services.fd, key, entry)
                bpf.update(removals, bpf.u32(0), bpf.u32(made))
                made += 1

    share, updates = PACKETS // 4, UPDATES // 4
    (tally,) = track.race([[request]], lambda sent: sent >= share and made >= updates, change)
    assert tally.wrong == 0, f"{tally.wrong} of {tally.sent} packets, the last one in {tally.example}"
    assert tally.right == tally.sent
