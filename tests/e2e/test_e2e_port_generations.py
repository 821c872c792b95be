"""Sessions carry the generation of their client's port. It lives as long as the port has its role and its address.

Sessions outlive a change that is refused and a restart, and no longer fit a port that has got another client."""

from __future__ import annotations

import socket
import struct
from pathlib import Path
from typing import Any

import pytest

from k8slbrp import abi
from k8slbrp.maps import entries, pins
from testbed.api import Api, ApiError
from testbed.host import SERVICE_LIBRARY, start_host
from testbed.lab import Lab

from .restartable import restartable

pytestmark = pytest.mark.root

MAX_PORTS = 128
OTHER_IP = "10.10.1.77"


def _role(raw: bytes) -> tuple[int, ...]:
    port = abi.struct("port").from_buffer_copy(raw)
    return port.side, port.multi, port.out, port.generation


def roles(lab: Lab, cube: str = "lb1") -> dict[int, tuple[int, ...]]:
    """Side, mode, way out and generation of each port that has a role, by index."""
    found = entries(pins(lab.state_dir, cube) / "ports")
    return {struct.unpack("=I", index)[0]: _role(role) for index, role in found if role[0]}


def indexes(lab: Lab, cube: str = "lb1") -> dict[str, int]:
    """Of FRONTEND ports, by address."""
    found = entries(pins(lab.state_dir, cube) / "frontends")
    return {socket.inet_ntoa(ip): struct.unpack("=H", index)[0] for ip, index in found}


def test_it_outlives_the_host(tmp_path: Path) -> None:
    with restartable(tmp_path, clients=2, servers=1) as cube:
        before, frontends = roles(cube.lab), indexes(cube.lab)
        assert len({role[-1] for role in before.values()}) == 3
        cube.stop()
        cube.start()
        assert (roles(cube.lab), indexes(cube.lab)) == (before, frontends)
        cube.api.delete("k8slbrp/lb1/ports/client1")
        cube.api.post("k8slbrp/lb1/ports/client1", {"type": "FRONTEND", "ip": "10.10.1.1"})
        again = roles(cube.lab)[indexes(cube.lab)["10.10.1.1"]]
        assert again[-1] not in {role[-1] for role in before.values()}


def test_a_port_that_comes_back_with_another_address_has_another_one(tmp_path: Path) -> None:
    with restartable(tmp_path, clients=2, servers=1) as cube:
        before, frontends = roles(cube.lab), indexes(cube.lab)
        cube.stop()
        kept = (tmp_path / "cubes").read_text()
        (tmp_path / "cubes").write_text(kept.replace('"10.10.1.1"', f'"{OTHER_IP}"'))
        cube.start()
        after = roles(cube.lab)
        moved = frontends["10.10.1.1"]
        assert indexes(cube.lab)[OTHER_IP] == moved
        assert [index for index in before if before[index] != after[index]] == [moved]


@pytest.mark.parametrize("how", ["patch", "put"])
def test_an_address_that_changes_makes_another_one(tmp_path: Path, how: str) -> None:
    with restartable(tmp_path, clients=2, servers=1) as cube:
        before, frontends = roles(cube.lab), indexes(cube.lab)
        path = "k8slbrp/lb1/ports/client1"
        port = cube.api.get(path)
        same = {"type": "FRONTEND", "ip": port["ip"], "peer": port["peer"]}
        if how == "patch":
            cube.api.patch(path, {"ip": port["ip"]})
            assert roles(cube.lab) == before
            cube.api.patch(f"{path}/ip", OTHER_IP)
        else:
            cube.api.put(path, same)
            assert roles(cube.lab) == before
            cube.api.put(path, {**same, "ip": OTHER_IP})
        after = roles(cube.lab)
        moved = frontends[port["ip"]]
        assert indexes(cube.lab)[OTHER_IP] == moved
        assert [index for index in before if before[index] != after[index]] == [moved]
        with pytest.raises(ApiError):
            cube.api.put(path, {**same, "peer": "nosuchdev"})
        assert roles(cube.lab) == after


def full() -> list[dict[str, Any]]:
    """As many ports as a cube can have. The order of their names is not that of their indexes."""
    names = [f"p{7 * number % 127:03}" for number in range(127)]
    frontends = [
        {"name": name, "type": "FRONTEND", "ip": f"10.1.0.{number + 1}"} for number, name in enumerate(names)
    ]
    return [{"name": "b", "type": "BACKEND"}, *frontends]


def without_uuids(api: Api) -> list[dict[str, Any]]:
    """The ports of the cube. The host makes an identifier for each that it adds."""
    return [port | {"uuid": ""} for port in api.get("k8slbrp/lb1/ports") if isinstance(port, dict)]


@pytest.mark.parametrize("kept", [MAX_PORTS - 1, 60, 0])
def test_a_refusal_leaves_all_ports_of_a_full_cube(tmp_path: Path, kept: int) -> None:
    """Some have to leave before others come. They are back, the same ones, when one that came is refused."""
    with Lab() as lab:
        netdev = lab.link("one", lab.namespace("one"))
        api, _ = start_host(lab, None, "--service", f"k8slbrp={SERVICE_LIBRARY}", log=tmp_path / "log")
        api.post("k8slbrp/lb1")
        ports = full()
        for port in ports:
            api.post("k8slbrp/lb1/ports", [port])
        api.patch("k8slbrp/lb1/ports/p000", {"peer": netdev})
        before = without_uuids(api)
        ready = (roles(lab), indexes(lab))
        assert len(ready[0]) == MAX_PORTS
        renamed = [{**port, "name": f"n{port['name']}"} for port in reversed(ports)]
        wanted = [*ports[:kept], *renamed[: MAX_PORTS - kept]]
        wanted[-1]["peer"] = "nosuchdev"
        with pytest.raises(ApiError) as refusal:
            api.put("k8slbrp/lb1/ports", wanted)
        assert refusal.value.status == 400
        assert without_uuids(api) == before
        assert (roles(lab), indexes(lab)) == ready
