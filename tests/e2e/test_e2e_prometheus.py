"""docs/grafana: every query has data, and the alerts fire when they are provoked, in a real Prometheus."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from testbed.api import Api, ApiError
from testbed.host import load_service, start_host
from testbed.lab import Lab, ip
from testbed.prometheus import Prometheus, promtool
from tests.datapath.headers import SYN

from .live import Flow, Live

pytestmark = pytest.mark.root

GRAFANA = Path(__file__).resolve().parents[2] / "docs" / "grafana"
VIPS = ("10.96.0.1", "10.96.0.2")
WAIT_S = 90


def rules() -> list[dict[str, str]]:
    groups = yaml.safe_load((GRAFANA / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def impatient(directory: Path) -> Path:
    """The rules without the time that a problem has to last, and with smaller bounds."""
    text = re.sub(r"^ +for: .*\n", "", (GRAFANA / "alerts.yml").read_text(), flags=re.MULTILINE)
    text = text.replace("[5m]", "[15s]").replace("> 100", "> 0.5")
    file = directory / "alerts.yml"
    file.write_text(text)
    return file


@dataclass
class Loaded:
    """A host with traffic and a Prometheus that watches it."""

    live: Live
    host: subprocess.Popen[str]
    prometheus: Prometheus
    disk: Path

    @property
    def api(self) -> Api:
        return self.live.api

    def fires(self, alert: str, meanwhile: Callable[[], None] = lambda: None) -> None:
        def firing() -> bool:
            meanwhile()
            return alert in self.prometheus.firing()

        self.prometheus.wait_for(firing, WAIT_S)


def keeping(disk: Path) -> tuple[str, ...]:
    return "--cubes-dump-enable", "--cubes-dump-file", str(disk / "cubes.json")


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    directory = tmp_path_factory.mktemp("prometheus")
    disk = directory / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], check=True)
    try:
        with Lab() as lab:
            api, host = start_host(lab, None, *keeping(disk), log=directory / "log")
            load_service(api)
            api.post("k8slbrp/lb1", {"port_mode": "MULTI", "max-sessions": 65536})
            api.post("k8slbrp/lb1/ports/be", {"type": "BACKEND"})
            api.post("k8slbrp/lb1/ports/fe", {"type": "FRONTEND", "ip": "10.10.1.1"})
            for vip in VIPS:
                backend = [{"ip": "10.20.0.1", "port": 8080}]
                api.post(f"k8slbrp/lb1/service/{vip}/80/TCP", {"backend": backend})
            target = api.url.split("/")[2]
            yield Loaded(
                Live(lab, api), host, Prometheus(lab, directory, target, [impatient(directory)]), disk
            )
    finally:
        subprocess.run(["umount", disk], check=True)


def flow(sport: int, vip: str = VIPS[0], client: str = "10.10.1.1") -> Flow:
    return Flow(socket.inet_aton(client), socket.inet_aton(vip), sport, 80)


def test_promtool_likes_the_rules() -> None:
    assert f"{len(rules())} rules found" in promtool("check", "rules", str(GRAFANA / "alerts.yml"))


def test_every_query_of_the_dashboard_has_data(loaded: Loaded) -> None:
    dashboard = json.loads((GRAFANA / "dashboard.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(queries) > 10
    for at, query in enumerate(queries):
        asked = query.replace("$cube", ".*").replace("$__rate_interval", "15s")
        assert "$" not in asked

        def has_data(asked: str = asked, at: int = at) -> bool:
            loaded.live.connect(flow(20000 + at))
            loaded.api.patch(f"k8slbrp/lb1/service/{VIPS[0]}/80/TCP/name", f"n{at}")
            samples = loaded.prometheus.query(asked)
            return bool(samples) and all(sample["value"][1] != "NaN" for sample in samples)

        try:
            loaded.prometheus.wait_for(has_data, 30)
        except TimeoutError:
            pytest.fail(f"{query} has no data")


def test_nothing_fires_while_all_is_well(loaded: Loaded) -> None:
    assert loaded.prometheus.firing() == set()


def test_all_alerts_are_tried() -> None:
    text = Path(__file__).read_text()
    tried = {name for name in (rule["alert"] for rule in rules()) if f'fires("{name}"' in text}
    assert tried == {rule["alert"] for rule in rules()}


def test_a_service_without_backend(loaded: Loaded) -> None:
    loaded.api.post("k8slbrp/lb1/service/10.96.0.9/80/TCP", {})
    loaded.fires("PcnhostNoUsableBackend")
    loaded.api.delete("k8slbrp/lb1/service/10.96.0.9/80/TCP")


def test_a_port_that_loses_its_peer(loaded: Loaded) -> None:
    netdev = loaded.live.lab.link("gone", loaded.live.lab.namespace("far"))
    loaded.api.post("k8slbrp/lb1/ports/lost", {"type": "FRONTEND", "ip": "10.10.1.3", "peer": netdev})
    ip("link", "del", netdev)
    loaded.fires("PcnhostPortDown")
    loaded.api.delete("k8slbrp/lb1/ports/lost")


def test_a_full_table(loaded: Loaded) -> None:
    """Requests that nobody answers fill the table of those: one and a half times as many as it has places for, because
    hashes choose their places."""
    for number in range(49_000):
        loaded.live.send(flow(1024 + number, client="10.10.1.9"), SYN)
    loaded.fires("PcnhostTableNearlyFull")


def test_more_unanswered_requests_than_there_is_room_for(loaded: Loaded) -> None:
    def crowd() -> None:
        for number in range(40_000):
            loaded.live.send(flow(1024 + number, client="10.10.4.9"), SYN)

    loaded.fires("PcnhostUnansweredSessionsEvicted", crowd)


def test_more_sessions_than_there_is_room_for(loaded: Loaded) -> None:
    def crowd() -> None:
        for number in range(70_000):
            loaded.live.connect(flow(1024 + number % 60_000, client=f"10.10.{2 + number // 60_000}.9"))

    loaded.fires("PcnhostLiveSessionsEvicted", crowd)


def test_no_source_port_is_left(loaded: Loaded) -> None:
    """Ports below 1024 are replaced by such only: a client that has them all has no other."""

    def exhaust() -> None:
        for sport in range(1, 1024):
            loaded.live.connect(flow(sport, VIPS[0]))
        for sport in range(1, 1024, 9):
            loaded.live.send(flow(sport, VIPS[1]), SYN)

    loaded.fires("PcnhostSourcePortsExhausted", exhaust)
    loaded.fires("PcnhostDropsMany", exhaust)


def test_a_full_disk(loaded: Loaded) -> None:
    ballast = os.open(loaded.disk / "ballast", os.O_WRONLY | os.O_CREAT)
    with pytest.raises(OSError, match="No space left"):
        while True:
            os.write(ballast, bytes(4096))
    os.close(ballast)

    def write() -> None:
        names = [f"{'x' * 30}{number}" for number in range(20)]
        for name in names:
            try:
                loaded.api.patch(f"k8slbrp/lb1/service/{VIPS[0]}/80/TCP/name", name)
            except ApiError as e:
                assert e.status == 507

    loaded.fires("PcnhostNotSaving", write)


def test_a_host_that_ends(loaded: Loaded) -> None:
    loaded.host.kill()
    loaded.fires("PcnhostDown")


def test_a_host_without_the_service_of_its_cube(loaded: Loaded) -> None:
    """As when its library is missing after an update. With the service the cube is there again."""
    (loaded.disk / "ballast").unlink(missing_ok=True)
    port = int(loaded.api.url.split("/")[2].split(":")[1])
    api, _ = start_host(loaded.live.lab, port, *keeping(loaded.disk))
    loaded.fires("PcnhostCubeNotRestored")
    load_service(api)
    loaded.prometheus.wait_for(lambda: "PcnhostCubeNotRestored" not in loaded.prometheus.firing(), WAIT_S)
    assert api.get("k8slbrp/lb1")["name"] == "lb1"
