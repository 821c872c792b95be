"""64 clients that mean harm do not keep others from being answered. `make hostile` takes a minute for it."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
import requests

from testbed.host import SERVICE_LIBRARY, resident_kb, start_host
from testbed.lab import Lab

pytestmark = pytest.mark.root

SECONDS = float(os.environ.get("HOSTILE_SECONDS", "6"))
CLIENTS = 64
PAUSE_S = 0.01
MOST_KB = 300_000  # above an idle host: see "What a client can take" in docs/security.md


def test_honest_client_among_hostile_ones(tmp_path: Path) -> None:
    """Reads, and changes that are really made, each over a connection of its own or over a kept one."""
    with Lab() as lab:
        log = tmp_path / "log"
        api, process = start_host(lab, None, "--service", f"k8slbrp={SERVICE_LIBRARY}", log=log)
        api.post("k8slbrp/lb")
        service = "k8slbrp/lb/service/10.96.0.1/80/TCP"
        api.post(service, {"name": "0"})
        idle, logged = resident_kb(process.pid), log.stat().st_size
        authority = api.url.split("/")[2]
        hostile = lab.start(
            [sys.executable, "-m", "tests.rest.hostile", authority, str(CLIENTS), str(SECONDS)]
        )
        durations, most = [], 0
        number = 0
        time.sleep(1)
        while hostile.poll() is None:
            number += 1
            start = time.monotonic()
            patched = requests.patch(f"{api.url}/{service}/name", data=f'"{number}"', timeout=20)
            assert patched.status_code == 200, patched.text
            assert api.get(f"{service}/name") == str(number)
            durations.append((time.monotonic() - start) / 2)
            most = max(most, resident_kb(process.pid))
            time.sleep(PAUSE_S)
        durations.sort()
        at_99 = durations[min(len(durations) - 1, len(durations) * 99 // 100)]
        print(
            f"\n{len(durations) * 2} requests, p50 {durations[len(durations) // 2] * 1000:.0f} ms,"
            f" p99 {at_99 * 1000:.0f} ms, memory +{(most - idle) // 1024} MiB,"
            f" log +{log.stat().st_size - logged} bytes"
        )
        assert len(durations) > 2
        assert most - idle < MOST_KB
        allowed = (
            20_000 + 500 * len(durations) + 5_000 * SECONDS
        )  # a line of each change, and of some refusals
        assert log.stat().st_size - logged < allowed, log.read_text()[-2000:]
        assert "Traceback" not in log.read_text()
        assert [cube["name"] for cube in api.get("cubes")["k8slbrp"]] == ["lb"]
        assert at_99 < LIMIT_S
        lab.stop(process)
        assert process.returncode == 0


# The promise is 250 ms where the host has a processor to itself. Here the hostile clients and other tests share it.
LIMIT_S = float(os.environ.get("HOSTILE_P99_S", "5"))
