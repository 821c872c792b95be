"""Sessions by the ten thousand, under every kind of change and under overload."""

from __future__ import annotations

import random
import socket
import sys
import time
from pathlib import Path

import pytest

from testbed import topology
from testbed.host import load_service, start_host
from testbed.lab import Lab
from tests.datapath.headers import ACK, RST, SYN

from .live import Flow, Live, first_program, sender

pytestmark = pytest.mark.root

VIP = "10.96.5.1"
TCP_PATH = f"k8slbrp/lb1/service/{VIP}/80/TCP"
UDP_PATH = f"k8slbrp/lb1/service/{VIP}/80/UDP"
PORT = 8080


def flow(number: int, protocol: int = socket.IPPROTO_TCP, prefix: str = "10.10") -> Flow:
    """The flow of that number, of a client and a source port of its own."""
    client = socket.inet_aton(f"{prefix}.{number // 50000 % 200}.{number // 200 % 250 + 1}")
    return Flow(client, socket.inet_aton(VIP), 1024 + number % 60000, 80, protocol)


def backend(number: int) -> str:
    return f"10.20.{number // 200}.{number % 200 + 1}"


def test_ten_thousand_sessions_under_a_thousand_changes(live: Live) -> None:
    """No session moves that need not, nothing new goes to a removed backend, UDP chooses again at once."""
    rng = random.Random(42)
    present = {backend(n): 1 for n in range(20)}
    entries = [{"ip": ip, "port": PORT} for ip in present]
    for path in (TCP_PATH, UDP_PATH):
        live.api.post(path, {"backend": entries})
    tcp = {}
    for number in range(10_000):
        tcp[number] = live.connect(flow(number))
    udp = {n: live.connect(flow(n, socket.IPPROTO_UDP)) for n in range(2_000)}

    fresh = 20_000
    for step in range(1_000):
        change = rng.choice(["add", "remove", "weigh"])
        if change == "remove" and len(present) > 2:
            gone = rng.choice(sorted(present))
            del present[gone]
            for path in (TCP_PATH, UDP_PATH):
                live.api.delete(f"{path}/backend/{gone}")
        elif change == "weigh":
            chosen = rng.choice(sorted(present))
            present[chosen] = rng.randint(1, 9)
            for path in (TCP_PATH, UDP_PATH):
                live.api.patch(f"{path}/backend/{chosen}/weight", present[chosen])
        else:
            added = backend(rng.randrange(400))
            if added not in present:
                present[added] = 1
                for path in (TCP_PATH, UDP_PATH):
                    live.api.post(f"{path}/backend/{added}", {"port": PORT})
        for number in rng.sample(range(10_000), 50):
            assert live.send(flow(number), ACK) == tcp[number], f"TCP session moved in step {step}"
        for number in rng.sample(range(2_000), 50):
            now = live.send(flow(number, socket.IPPROTO_UDP), 0)
            assert now[0] in present, f"datagram to a removed backend in step {step}"
            assert now == udp[number] or udp[number][0] not in present, f"UDP session moved in step {step}"
            udp[number] = now
        for _ in range(5):
            fresh += 1
            assert live.send(flow(fresh), SYN)[0] in present, (
                f"new session to a removed backend in step {step}"
            )

    moved = [n for n, chosen in tcp.items() if live.send(flow(n), ACK) != chosen]
    assert moved == []


def kept_by_their_sessions(live: Live, count: int) -> dict[int, tuple[str, int]]:
    """The backends of flows 0 to `count` - 1; by now the service would choose otherwise for most of them."""
    live.api.post(TCP_PATH, {"backend": [{"ip": backend(n), "port": PORT} for n in range(10)]})
    sent = {number: live.connect(flow(number)) for number in range(count)}
    for n in range(9):
        live.api.delete(f"{TCP_PATH}/backend/{backend(n)}")
    return sent


@pytest.mark.parametrize("live", [{"max-sessions": 4096}], indirect=True)
def test_busy_sessions_survive_four_times_too_many_flows(live: Live) -> None:
    busy = kept_by_their_sessions(live, 200)
    for number in range(4 * 4096):
        live.send(flow(number, prefix="10.11"), SYN)
        if number % 4 == 0:
            use = number // 4 % len(busy)
            assert live.send(flow(use), ACK) == busy[use], f"session lost after {number} flows"


@pytest.mark.long
@pytest.mark.parametrize("live", [{"max-sessions": 4096}], indirect=True)
def test_idle_sessions_survive_many_short_ones(live: Live) -> None:
    """Four times as many as the cube remembers; those that have ended go first."""
    idle = kept_by_their_sessions(live, 1000)
    for number in range(4 * 4096):
        if number % 2000 == 0:
            time.sleep(2.2)  # stragglers of sessions that have just ended find them for two ticks
        for flags in (SYN, RST):
            live.send(flow(number, prefix="10.11"), flags)
    lost = [n for n, chosen in idle.items() if live.send(flow(n), ACK) != chosen]
    assert lost == []


@pytest.mark.parametrize("live", [{"max-sessions": 8192}], indirect=True)
def test_pages_miss_no_session_that_stays(live: Live) -> None:
    """Those that have been shown move on to another table before the next page is read."""
    live.api.post(TCP_PATH, {"backend": [{"ip": backend(0), "port": PORT}]})
    flows = {1024 + number: flow(number) for number in range(60)}
    for one in flows.values():
        live.send(one, SYN)
    shown, page = set(), {"next": None}
    while "next" in page:
        after = {"after": page["next"]} if page["next"] else {}
        page = live.api.post(
            "k8slbrp/lb1/sessions/find", {"vip": VIP, "state": "OPENING", "limit": 5, **after}
        )
        new = {session["client-port"] for session in page["session"]} - shown
        shown |= new
        for port in new:
            live.connect(flows[port])
    assert shown == flows.keys()


# Uploads over one connection until standard input ends; says when the first one is done, and how many at the end.
UPLOADS = f"""
import http.client, select, sys
connection = http.client.HTTPConnection("{VIP}", 80, timeout=10)
count = 0
while not select.select([sys.stdin], [], [], 0)[0]:
    connection.request("PUT", "/", body=bytes(3_000_000))
    assert len(connection.getresponse().read()) == 64
    count += 1
    if count == 1:
        print("begun", flush=True)
print(count)
"""


def test_a_transfer_survives_a_syn_flood(tmp_path: Path) -> None:
    """A million tuples, eight times what the cube remembers, while one connection goes on all the time."""
    with Lab() as lab:
        api, _ = start_host(lab, log=tmp_path / "log")
        load_service(api)
        network = topology.build(lab, clients=1, servers=2)
        topology.create_multi(api, "lb1", network)
        backends = [{"ip": ip, "port": topology.SERVER_PORT} for ip in network.server_ips]
        api.post(TCP_PATH, {"backend": backends})
        first, second = (f"{TCP_PATH}/backend/{server}/weight" for server in network.server_ips)
        api.patch(second, 0)
        send = sender(first_program(lab.state_dir), in_port=1)
        transfer = lab.start([sys.executable, "-c", UPLOADS], network.clients[0])
        assert transfer.stdout and transfer.stdout.readline() == "begun\n"
        api.patch(second, 1)
        api.patch(first, 0)  # without its session, the transfer would go to the second one
        for number in range(1_000_000):
            send(flow(number, prefix="10.12"), SYN)
        assert transfer.poll() is None, "the transfer broke"
        out, _ = transfer.communicate(timeout=60)
        assert int(out) > 10
