"""The thread that notices what happens to netdevs."""

import logging
import socket
from collections.abc import Iterator

import pytest
from pyroute2 import IPRoute

from pcnhost.engine.monitor import NetdevMonitor

from .support import eventually

pytestmark = pytest.mark.root


class Listener:
    """Fails at the first report."""

    def __init__(self) -> None:
        self.reports: list[tuple[str, int]] = []

    def netdev_gone(self, ifindex: int) -> None:
        self._note("gone", ifindex)

    def netdev_changed(self, ifindex: int) -> None:
        self._note("changed", ifindex)

    def check_netdevs(self) -> None:
        self._note("check", 0)

    def _note(self, what: str, ifindex: int) -> None:
        self.reports.append((what, ifindex))
        if len(self.reports) == 1:
            raise RuntimeError("the listener is broken")


@pytest.fixture
def listener(netns: None) -> Iterator[Listener]:
    listener = Listener()
    monitor = NetdevMonitor(listener, logging.getLogger("engine"))
    listener.monitor = monitor  # type: ignore[attr-defined]
    yield listener
    monitor.close()


def _netdev(name: str) -> int:
    with IPRoute() as ipr:
        ipr.link("add", ifname=name, kind="veth", peer=f"{name}x")
        index: int = ipr.link_lookup(ifname=name)[0]
        return index


def test_it_survives_a_failure_of_its_listener(listener: Listener, caplog: pytest.LogCaptureFixture) -> None:
    _netdev("d0")
    assert eventually(lambda: listener.reports)
    index = _netdev("d1")
    assert eventually(lambda: ("changed", index) in listener.reports)
    with IPRoute() as ipr:
        ipr.link("del", index=index)
    assert eventually(lambda: ("gone", index) in listener.reports)
    assert "the listener is broken" in caplog.text


def test_it_survives_lost_reports_and_errors_of_its_socket(
    listener: Listener, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """ENOBUFS and any other error: what has been missed has to be looked for."""
    _netdev("d0")
    assert eventually(lambda: listener.reports)
    failing = listener.monitor  # type: ignore[attr-defined]

    class Failing:
        """The socket, with errors first."""

        def __init__(self, real: socket.socket, errors: list[OSError]) -> None:
            self.real = real
            self.errors = errors

        def recv(self, size: int) -> bytes:
            if self.errors:
                raise self.errors.pop()
            return self.real.recv(size)

        def close(self) -> None:
            self.real.close()

    errors = [OSError(5, "Input/output error"), OSError(105, "No buffer space available")]
    monkeypatch.setattr(failing, "_socket", Failing(failing._socket, errors))
    index = _netdev("d1")
    assert eventually(lambda: ("changed", index) in listener.reports)
    assert listener.reports.count(("check", 0)) == 2
    assert "Input/output error" in caplog.text
