"""A recompilation and a restart of the host under live connections."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed import topology
from testbed.host import SERVICE_LIBRARY, start_host
from testbed.lab import Lab
from testbed.topology import ConnectedCube
from testbed.traffic import Holder, new_sessions

pytestmark = pytest.mark.root

VIP = "10.96.4.1"
CONNECTIONS = 200


def test_a_reload_breaks_no_connection(multi: ConnectedCube) -> None:
    multi.service(VIP, 80, "TCP", [1, 1, 1])
    holder = Holder(multi.lab, multi.network.clients[0], VIP, 80, CONNECTIONS)
    for level in ("DEBUG", "INFO"):
        multi.api.patch(f"k8slbrp/{multi.name}/loglevel", level)
        assert holder.check().broken == 0
    holder.close()


def test_a_restart_of_the_host_breaks_no_connection(tmp_path: Path) -> None:
    """Packets flow while no host runs; the next one finds everything as it was, and can change it."""
    with Lab() as lab:
        network = topology.build(lab, clients=1, servers=3)
        options = ["--cubes-dump-enable", "--cubes-dump-file", str(tmp_path / "cubes"), "--service"]
        options.append(f"k8slbrp={SERVICE_LIBRARY}")
        api, host = start_host(lab, None, *options, log=tmp_path / "log")
        topology.create_multi(api, "lb1", network)
        cube = ConnectedCube("lb1", lab, api, network)
        path = cube.service(VIP, 80, "TCP", [1, 1])
        holder = Holder(lab, network.clients[0], VIP, 80, CONNECTIONS)
        third = {"port": topology.SERVER_PORT}
        api.post(f"{path}/backend/{network.server_ips[2]}", third)  # the held connections are not where
        api.delete(f"{path}/backend/{network.server_ips[0]}")  # the table now says
        before = api.get("k8slbrp/lb1/service")

        lab.stop(host)
        assert holder.check().broken == 0
        assert sum(new_sessions(network.clients[0], "http", VIP, 80, 20).values()) == 20

        api, host = start_host(lab, None, *options, log=tmp_path / "log")
        assert holder.check().broken == 0
        assert api.get("k8slbrp/lb1/service")[0] == before[0]
        answers = new_sessions(network.clients[0], "http", VIP, 80, 50)
        assert set(answers) == {"server2", "server3"}
        api.delete(f"k8slbrp/lb1/service/{VIP}/80/TCP/backend/{network.server_ips[1]}")
        assert new_sessions(network.clients[0], "http", VIP, 80, 20) == {"server3": 20}
        assert holder.check().broken == 0
        api.delete("k8slbrp/lb1")
