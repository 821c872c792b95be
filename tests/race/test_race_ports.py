"""One CPU sends packets while another takes a port's role away and gives it back: what leaves, leaves by the role."""

from __future__ import annotations

from collections.abc import Callable
from socket import IPPROTO_UDP

import pytest

from bench import kernel
from bench.host import Host
from k8slbrp import abi
from pcnhost.engine import bpf
from tests.datapath.headers import RST
from tests.race.racers import PACKETS, UPDATES, Changes, Step, Track, serve

pytestmark = [pytest.mark.root, pytest.mark.serial]

CLIENT_IF, SERVERS_IF = 1, 3
VIP, SERVER, STRANGER = "10.96.0.1", ("10.20.0.1", 8080), ("10.30.0.1", 80)


def move_servers(host: Host) -> None:
    """Away from the first index, where a packet also leaves whose port has no role any more."""
    host.api.delete("k8slbrp/race/ports/servers")
    host.api.post("k8slbrp/race/ports/client0", {"type": "FRONTEND", "ip": "10.10.1.3"})
    host.api.post("k8slbrp/race/ports/servers", {"type": "BACKEND"})


def test_a_packet_acts_on_one_role_of_its_port(host: Host, on_track: Callable[[int], Track]) -> None:
    track = on_track(1 << 16)
    move_servers(host)
    track.connect_ports()
    serve(host, VIP, SERVER)
    ports = kernel.open_map(host.map_path("race", "ports"))
    role = bpf.lookup(ports, bpf.u32(CLIENT_IF), abi.size("port"))
    assert role and abi.struct("port").from_buffer_copy(role).out == SERVERS_IF
    changes = Changes(ports, CLIENT_IF, (bytes(len(role)), role))
    # The reset of an unknown session chooses a backend, and leaves no session behind; the other one just passes.
    packets = [
        Step("10.64.0.0", VIP, 5000, 80, CLIENT_IF, to=SERVER, flags=RST, clients=4096, out_port=SERVERS_IF),
        Step(
            "10.64.0.0", STRANGER[0], 5000, 80, CLIENT_IF, to=STRANGER, proto=IPPROTO_UDP, out_port=SERVERS_IF
        ),
    ]
    (tally,) = track.race([packets], lambda sent: sent >= PACKETS // 4 and changes.made >= UPDATES, changes)
    assert tally.wrong == 0, f"{tally.wrong} of {tally.sent} packets, the last one in {tally.example}"
    assert tally.astray == 0, f"{tally.astray} of {tally.right} left by another port"
    assert tally.right > tally.sent // 4
