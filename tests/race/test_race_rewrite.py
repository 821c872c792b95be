"""One CPU chooses backends while another changes src-ip-rewrite: no packet gets the half of one setting and the half of
another.

Both settings show the clients of a network under their own addresses, so whichever is in force, no client's address
changes. Each client is in the network of one setting only.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench import kernel
from bench.host import Host
from pcnhost.engine import bpf
from tests.datapath.headers import RST
from tests.race.racers import PACKETS, UPDATES, Changes, Step, Track, serve

pytestmark = [pytest.mark.root, pytest.mark.serial]

CLIENT_IF = 1
VIP, SERVER = "10.96.0.1", ("10.20.0.1", 8080)
NETWORKS = ("10.64.0.0", "10.65.0.0")


def settings(host: Host, rewrite: int) -> list[bytes]:
    """What the control plane writes for each of the two."""
    values = []
    for network in NETWORKS:
        ranges = {"ip-range": f"{network}/16", "new_ip_range": f"{network}/16"}
        host.api.put("k8slbrp/race/src-ip-rewrite", ranges)
        value = bpf.lookup(rewrite, bpf.u32(0), bpf.map_spec(rewrite).value_size)
        assert value and any(value)
        values.append(value)
    return values


def test_no_client_gets_half_of_a_setting(host: Host, on_track: Callable[[int], Track]) -> None:
    track = on_track(1 << 16)
    serve(host, VIP, SERVER)
    rewrite = kernel.open_map(host.map_path("race", "src_ip_rewrite"))
    changes = Changes(rewrite, 0, settings(host, rewrite))
    # The reset of an unknown session chooses a backend, and leaves no session behind.
    resets = [
        Step(network, VIP, 5000, 80, CLIENT_IF, to=SERVER, flags=RST, clients=1 << 12) for network in NETWORKS
    ]
    (tally,) = track.race([resets], lambda sent: sent >= PACKETS // 4 and changes.made >= UPDATES, changes)
    assert tally.wrong == 0, f"{tally.wrong} of {tally.sent} packets, the last one in {tally.example}"
    assert tally.right > tally.sent // 4
