"""What the datapath knows of addresses while its host starts again: it forwards all the time, so nothing of it may be
missing, not even for a moment. A packet to a VIP that is not known passes as it is."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from k8slbrp.maps import entries, pins
from pcnhost.engine import bpf

from .restartable import restartable

pytestmark = pytest.mark.root

SERVICES = 1000


class Watch(threading.Thread):
    """Looks at words of `known` all the time. `lost` tells bits that were set at first and were not later on."""

    def __init__(self, known: Path) -> None:
        super().__init__()
        self._before = {word: self._number(bits) for word, bits in entries(known) if any(bits)}
        self._map = bpf.open_pin(known) or 0
        self._ended = threading.Event()
        self.rounds = 0
        self.lost: set[tuple[int, int]] = set()

    @staticmethod
    def _number(bits: bytes | None) -> int:
        return int.from_bytes(bits or b"", sys.byteorder)

    def run(self) -> None:
        while not self._ended.is_set():
            for word, before in self._before.items():
                if missing := before & ~self._number(bpf.lookup(self._map, word, 8)):
                    self.lost.add((int.from_bytes(word, sys.byteorder), missing))
            self.rounds += 1

    def end(self) -> None:
        self._ended.set()
        self.join()
        os.close(self._map)


def test_what_is_known_stays_known_while_the_host_starts_again(tmp_path: Path) -> None:
    """Also a backend that has been removed: sessions may still drain there, and fragments of them must be found."""
    with restartable(tmp_path, clients=1, servers=1) as cube:
        services = [
            {
                "vip": f"10.97.{n // 250}.{n % 250 + 1}",
                "vport": 80,
                "proto": "TCP",
                "backend": [{"ip": f"10.30.{n // 250}.{n % 250 + 1}", "port": 8080}],
            }
            for n in range(SERVICES)
        ]
        cube.api.post("k8slbrp/lb1/service", services)
        cube.api.delete("k8slbrp/lb1/service/10.97.0.1/80/TCP/backend/10.30.0.1")
        watch = Watch(pins(cube.lab.state_dir, "lb1") / "known")
        watch.start()
        try:
            cube.stop()
            assert watch.rounds > 0 and watch.lost == set()
            cube.start()
            time.sleep(0.5)
        finally:
            watch.end()
        assert watch.rounds > 10
        assert watch.lost == set()
