"""Service and bridge under AddressSanitizer with UndefinedBehaviorSanitizer, and under ThreadSanitizer.

Eight clients send requests while packets go through the datapath and up to the control plane.

SANITIZE_SECONDS is how long for each of the two; `make sanitize` takes five minutes."""

from __future__ import annotations

import fcntl
import http.client
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.l2 import ARP, Ether

from testbed.host import PROJECT, start_host
from testbed.lab import Lab
from testbed.netns import inside
from tests.faults.requests import VIPS, Request, Requests

pytestmark = [pytest.mark.root, pytest.mark.long, pytest.mark.timeout(3600)]

HERE = Path(__file__).parent
SECONDS = float(os.environ.get("SANITIZE_SECONDS", "10"))
CLIENTS = 8
CUBE = "cube"
# What the compiler is told, and what a program that was not built so needs to load the result.
SANITIZERS = {"address": ("address,undefined", "libasan.so"), "thread": ("thread", "libtsan.so")}
READS = ("", "service/", "ports/", "src-ip-rewrite/", "timeouts/", "max-sessions/")


def built(kind: str) -> Path:
    """The folder with what is compiled for a sanitizer."""
    build = PROJECT / "build" / "sanitize" / kind
    build.mkdir(parents=True, exist_ok=True)
    with (build / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        options = [f"-DSANITIZE={SANITIZERS[kind][0]}", "-DCMAKE_BUILD_TYPE=None", "-DCMAKE_CXX_FLAGS=-O0"]
        # One translation unit each for service and host: the headers are most of the work.
        options += ["-DCMAKE_UNITY_BUILD=ON", "-DCMAKE_UNITY_BUILD_BATCH_SIZE=0"]
        options.append(f"-DPython3_EXECUTABLE={sys.executable}")
        for command in (
            ["cmake", "-S", PROJECT, "-B", build, *options],
            ["cmake", "--build", build, "-j", "2", "--target", "pcnhost", "pcn-k8slbrp"],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
    return build


def environment(kind: str, build: Path, reports: Path) -> dict[str, str]:
    # The runtime looks for the C++ library when it starts, which Python does not bring.
    preloaded = [_path(SANITIZERS[kind][1]), _path("libstdc++.so.6")]
    log = f"log_path={reports}/report"
    return {
        "LD_PRELOAD": " ".join(preloaded),
        "PCNHOST_BRIDGE": str(build / "libpcnhost.so"),
        # Python frees little of what it allocates, and the host ends without destroying what it has made.
        "ASAN_OPTIONS": f"{log}:detect_leaks=0",
        "UBSAN_OPTIONS": f"{log}:print_stacktrace=1",
        "TSAN_OPTIONS": f"{log}:report_thread_leaks=0:die_after_fork=0:suppressions={HERE}/thread.supp",
    }


def _path(library: str) -> str:
    """Where the compiler has a library."""
    command = ["c++", f"-print-file-name={library}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def frames() -> list[bytes]:
    """What makes new sessions, rejections, floods and held fragments."""
    ether = Ether(src="02:00:00:00:00:01", dst="ff:ff:ff:ff:ff:ff")
    found = [ether / ARP(psrc="10.0.0.1", pdst=pdst) for pdst in (*VIPS, "10.0.0.2", "10.1.0.1")]
    for vip in VIPS:
        for number in range(1, 4):
            ip = IP(src=f"10.0.0.{number}", dst=vip)
            found += [ether / ip / TCP(sport=1000 + number, dport=port, flags="S") for port in (80, 443, 444)]
            found += [ether / ip / UDP(sport=1000 + number, dport=port) / b"x" for port in (80, 443, 444)]
            found.append(ether / ip / ICMP(id=number))
        pieces = fragment(IP(src="10.0.0.1", dst=vip) / UDP(sport=9, dport=80) / bytes(1000), fragsize=400)
        found += [ether / piece for piece in reversed(pieces)]
    return [bytes(frame) for frame in found]


@contextmanager
def traffic(namespace: str, netdevs: list[str]) -> Iterator[Counter[str]]:
    """Frames enter by all netdevs as long as the block lasts."""
    ended = threading.Event()
    sent: Counter[str] = Counter()

    def send(netdev: str) -> None:
        with inside(namespace), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
            sock.bind((netdev, 0))
            while not ended.wait(0.01):
                for frame in frames_once:
                    try:
                        sock.send(frame)
                        sent[netdev] += 1
                    except OSError:
                        pass  # full

    frames_once = frames()
    threads = [threading.Thread(target=send, args=(netdev,)) for netdev in netdevs]
    for thread in threads:
        thread.start()
    try:
        yield sent
    finally:
        ended.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("kind", SANITIZERS)
def test_clients_and_packets_at_once(kind: str, tmp_path: Path) -> None:
    build = built(kind)
    reports = tmp_path / "reports"
    reports.mkdir()
    service = build / "libpcn-k8slbrp.so"
    options = ["--service", f"k8slbrp={service}", "--service-dir", str(build)]
    with Lab() as lab:
        api, process = start_host(
            lab, None, *options, log=tmp_path / "log", environment=environment(kind, build, reports)
        )
        namespace = lab.namespace("n")
        netdevs = [lab.link(str(number), namespace, f"e{number}") for number in range(4)]
        api.post(f"k8slbrp/{CUBE}", {})
        answers: Counter[int] = Counter()
        end = time.monotonic() + SECONDS

        def ask(seed: int) -> None:
            source = random.Random(seed)
            requests = Requests(source, netdevs)
            connection = http.client.HTTPConnection(api.url.split("/")[2], timeout=120)
            while time.monotonic() < end:
                request = requests.next() if source.random() < 0.7 else Request("GET", source.choice(READS))
                path = f"{request.path}/" if request.path and not request.path.endswith("/") else request.path
                connection.request(request.method, f"/polycube/v1/k8slbrp/{CUBE}/{path}", request.text)
                answer = connection.getresponse()
                answer.read()
                answers[answer.status] += 1

        threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(CLIENTS)]
        with traffic(namespace, [f"e{number}" for number in range(4)]) as sent:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert process.poll() is None, (tmp_path / "log").read_text()[-3000:]
        api.delete(f"k8slbrp/{CUBE}")
        lab.stop(process)
    print(f"{kind}: {dict(answers)}, {sum(sent.values())} frames")
    found = "\n".join(report.read_text() for report in reports.iterdir())
    assert found == "", found[:20000]
    assert sum(answers.values()) > 10 * SECONDS
    assert not [status for status in answers if status >= 500], answers
