"""A cube that its host keeps: the host can be stopped, and started again."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testbed import topology
from testbed.api import Api
from testbed.host import SERVICE_LIBRARY, start_host
from testbed.lab import Lab
from testbed.topology import ConnectedCube


def _start(lab: Lab, folder: Path) -> tuple[Api, subprocess.Popen[str]]:
    keep = ("--cubes-dump-enable", "--cubes-dump-file", str(folder / "cubes"))
    service = ("--service", f"k8slbrp={SERVICE_LIBRARY}")
    return start_host(lab, None, *keep, *service, log=folder / "log")


@dataclass
class RestartableCube(ConnectedCube):
    """`folder` keeps the cubes and the log. `api` is that of the host that runs, or ran last."""

    folder: Path
    host: subprocess.Popen[str]

    def start(self) -> None:
        self.api, self.host = _start(self.lab, self.folder)

    def stop(self) -> None:
        self.lab.stop(self.host)


@contextmanager
def restartable(folder: Path, *, clients: int, servers: int, **options: object) -> Iterator[RestartableCube]:
    """The cube `lb1` in MULTI mode, with its ports connected."""
    with Lab() as lab:
        network = topology.build(lab, clients=clients, servers=servers)
        api, host = _start(lab, folder)
        topology.create_multi(api, "lb1", network, **options)
        cube = RestartableCube("lb1", lab, api, network, folder, host)
        yield cube
        cube.api.delete("k8slbrp/lb1")
