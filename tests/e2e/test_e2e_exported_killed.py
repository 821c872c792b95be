"""A shell test of an exported tree that is ended from outside takes its web server along."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.host import PROJECT
from tests.engine.support import eventually

pytestmark = pytest.mark.root

SCRIPT = """
source "$1/upstream/test/lab.bash"
namespace "$server" "$server_ip" "be$$"
serve 8080
echo "$server_pid"
sleep 60
"""


@pytest.fixture
def script() -> Iterator[subprocess.Popen[str]]:
    """It has said the id of its server."""
    with subprocess.Popen(
        ["bash", "-c", SCRIPT, "test", PROJECT], stdout=subprocess.PIPE, text=True
    ) as script:
        yield script
        script.kill()
    for command in ("ip link del be{}", "ip netns del k8ss{}"):
        subprocess.run(command.format(script.pid).split(), stderr=subprocess.DEVNULL, check=False)


@pytest.mark.parametrize("with_signal", [signal.SIGTERM, signal.SIGKILL])
def test_its_server_ends_with_it(script: subprocess.Popen[str], with_signal: signal.Signals) -> None:
    assert script.stdout
    server = Path("/proc") / script.stdout.readline().strip()
    assert "http.server" in (server / "cmdline").read_text()
    os.kill(script.pid, with_signal)
    assert eventually(lambda: not server.exists())
