"""A cube that a start cannot restore, because its configuration is refused, goes on exactly as it was.

An earlier version may have taken what this one refuses, and files are edited by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from k8slbrp.maps import entries, pins
from testbed.traffic import Holder, new_sessions

from .restartable import RestartableCube, restartable

pytestmark = pytest.mark.root

VIP = "10.96.4.1"
MAPS = ("services", "vips", "endpoints", "settings", "ports", "frontends", "src_ip_rewrite", "known")
REFUSED = {
    "service": ('"vport": 81', '"vport": 0', "vport: 0"),
    "backend": ('"10.30.0.9"', '"127.0.0.9"', "127.0.0.9"),
    "rewrite": ('"10.99.0.0/16"', '"10.99.0.0/24"', "prefix length"),
    "port": ('"10.10.1.1"', '"0.0.0.0"', "address of a port"),
}


def content(cube: RestartableCube) -> dict[str, dict[bytes, bytes]]:
    return {name: dict(entries(pins(cube.lab.state_dir, cube.name) / name)) for name in MAPS}


@pytest.mark.parametrize("what", REFUSED)
def test_a_cube_whose_configuration_is_refused_goes_on(tmp_path: Path, what: str) -> None:
    kept, wrong, reason = REFUSED[what]
    with restartable(tmp_path, clients=1, servers=2) as cube:
        client = cube.network.clients[0]
        cube.service(VIP, 80, "TCP", [1, 1])
        cube.api.post(
            f"k8slbrp/lb1/service/{VIP}/81/TCP", {"backend": [{"ip": "10.30.0.9", "port": 80, "weight": 3}]}
        )
        rewrite = {"ip-range": "10.98.0.0/16", "new_ip_range": "10.99.0.0/16"}
        cube.api.put("k8slbrp/lb1/src-ip-rewrite", rewrite)
        cube.api.patch("k8slbrp/lb1/timeouts", {"udp-stream": 200})
        holder = Holder(cube.lab, client, VIP, 80, 20)
        before = content(cube)
        cube.stop()
        text = (tmp_path / "cubes").read_text()
        assert kept in text
        (tmp_path / "cubes").write_text(text.replace(kept, wrong))
        cube.start()
        assert "cannot restore cube lb1, it goes on as it was" in (tmp_path / "log").read_text()
        assert reason in (tmp_path / "log").read_text()
        assert content(cube) == before
        assert holder.check().broken == 0
        assert sum(new_sessions(client, "http", VIP, 80, 10).values()) == 10
        holder.close()
