"""Live connections stay where they are whatever happens to other backends; new ones are shared by weight."""

from __future__ import annotations

import pytest

from testbed.topology import ConnectedCube
from testbed.traffic import Holder, new_sessions

pytestmark = pytest.mark.root

VIP = "10.96.2.1"
CONNECTIONS = 1000


def test_no_connection_breaks_when_other_backends_come_go_and_change(multi: ConnectedCube) -> None:
    path = multi.service(VIP, 80, "TCP", [1, 2])
    holder = Holder(multi.lab, multi.network.clients[0], VIP, 80, CONNECTIONS)
    third, fourth = multi.network.server_ips[2:]
    changes = [
        lambda: multi.api.post(f"{path}/backend/{third}", {"port": 8080, "weight": 5}),
        lambda: multi.api.post(f"{path}/backend/{fourth}", {"port": 8080}),
        lambda: multi.api.patch(f"{path}/backend/{third}/weight", 1),
        lambda: multi.api.delete(f"{path}/backend/{third}"),
        lambda: multi.api.patch(f"{path}/backend/{multi.network.server_ips[0]}/weight", 9),
        lambda: multi.api.delete(f"{path}/backend/{fourth}"),
    ]
    for change in changes:
        change()
        state = holder.check()
        assert (state.alive, state.broken) == (CONNECTIONS, 0)
    holder.close()


def test_a_removed_backend_drains(multi: ConnectedCube) -> None:
    """Its connections go on; it gets no new one from the moment the DELETE has returned."""
    path = multi.service(VIP, 81, "TCP", [1, 1])
    holder = Holder(multi.lab, multi.network.clients[0], VIP, 81, 100)
    multi.api.delete(f"{path}/backend/{multi.network.server_ips[0]}")
    assert new_sessions(multi.network.clients[0], "http", VIP, 81, 100) == {"server2": 100}
    state = holder.check()
    assert (state.alive, state.broken) == (100, 0)
    assert state.servers["server1"] > 0
    holder.close()


def test_connections_outlive_their_service(multi: ConnectedCube) -> None:
    path = multi.service(VIP, 82, "TCP", [1, 1])
    holder = Holder(multi.lab, multi.network.clients[0], VIP, 82, 50)
    multi.api.delete(path)
    assert holder.check().broken == 0
    holder.close()


def test_shares_follow_the_weights(multi: ConnectedCube) -> None:
    """30,000 new sessions lie within 2% of the weights."""
    multi.service(VIP, 83, "UDP", [1, 2, 3, 4])
    counts: dict[str, int] = {}
    for client in multi.network.clients:
        for server, answers in new_sessions(client, "udp", VIP, 83, 15_000).items():
            counts[server] = counts.get(server, 0) + answers
    assert sum(counts.values()) == 30_000
    for weight in (1, 2, 3, 4):
        assert counts[f"server{weight}"] / 30_000 == pytest.approx(weight / 10, abs=0.02)


def test_a_weight_of_zero_takes_no_new_session(multi: ConnectedCube) -> None:
    multi.service(VIP, 84, "TCP", [0, 1])
    assert new_sessions(multi.network.clients[0], "http", VIP, 84, 50) == {"server2": 50}
