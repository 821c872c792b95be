"""A host is killed while it ends sessions: those that it has removed are not taken for evicted ones afterwards."""

from __future__ import annotations

import os
import struct
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from k8slbrp import abi
from k8slbrp.maps import entries, pins
from pcnhost.engine import bpf
from testbed.traffic import Holder

from .restartable import RestartableCube, restartable

pytestmark = pytest.mark.root

VIP = "10.96.4.1"
SESSIONS = 12_000
MOST = 64  # removed, and not noted when the host is killed
SAMPLE = 32  # one of so many is looked at
CLIENT_ADDED = abi.CONSTANTS["CHANGE_CLIENT_ADDED"]


def table(cube: RestartableCube) -> dict[str, int]:
    return next(one for one in cube.api.get("k8slbrp/lb1/stats/table") if one["name"] == "clients")


def multiply(directory: Path) -> int:
    """Puts the like of a session there many times, as if the datapath had; returns a descriptor of the map."""
    key_of, session_of = abi.struct("client_key"), abi.struct("session")
    ((key, value),) = entries(directory / "clients")
    clients, changes = bpf.open_pin(directory / "clients"), bpf.open_pin(directory / "table_changes")
    assert clients is not None and changes is not None
    for port in range(1, SESSIONS):
        other, session = key_of.from_buffer_copy(key), session_of.from_buffer_copy(value)
        other.port = session.front.client_port = session.back.client_port = port
        bpf.update(clients, bytes(other), bytes(session))
    counts = bpf.lookup(changes, bpf.u32(CLIENT_ADDED), 8 * bpf.possible_cpus())
    assert counts is not None
    (first,) = struct.unpack_from("=Q", counts)
    bpf.update(changes, bpf.u32(CLIENT_ADDED), struct.pack("=Q", first + SESSIONS - 1) + counts[8:])
    os.close(changes)
    return clients


def test_sessions_that_a_killed_host_has_ended_are_not_evicted(tmp_path: Path) -> None:
    with restartable(tmp_path, clients=1, servers=1) as cube:
        cube.service(VIP, 80, "TCP", [1])
        holder = Holder(cube.lab, cube.network.clients[0], VIP, 80, 1)
        clients = multiply(pins(cube.lab.state_dir, "lb1"))
        before = table(cube)
        assert (before["entries"], before["evicted"]) == (SESSIONS, 0)
        some, size = list(bpf.keys(clients))[::SAMPLE], abi.size("session")

        def end() -> None:
            with suppress(requests.RequestException):
                cube.api.post("k8slbrp/lb1/sessions/end", {"idle-min": 0})

        ending = threading.Thread(target=end)
        ending.start()
        patience = time.monotonic() + 20
        while sum(bpf.lookup(clients, key, size) is None for key in some) * SAMPLE < 4 * MOST:
            assert time.monotonic() < patience
        cube.host.kill()
        ending.join()
        cube.stop()
        left = sum(1 for _ in bpf.keys(clients))
        os.close(clients)
        assert 0 < left < SESSIONS - MOST, "it was not killed in the middle"
        cube.start()
        after = table(cube)
        assert after["entries"] <= left  # the request is in the journal, so it is carried out after all
        assert after["evicted"] <= MOST, f"{SESSIONS - left} were removed"
        holder.close()
