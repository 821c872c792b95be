"""What a change of ports writes into the map `frontends`, where packets look for their client's port meanwhile."""

from __future__ import annotations

import pytest

from tests.faults.injector import ERRORS, MAPS, Fault
from tests.faults.requests import Request
from tests.faults.test_faults import Host, host  # noqa: F401

pytestmark = pytest.mark.root

NEVER = 1000  # updates, far more than there are


def updates(host: Host, request: Request) -> int:  # noqa: F811
    """How many updates the request makes."""
    with host.injector.armed(Fault(MAPS, NEVER, ERRORS[MAPS][0], map="frontends")):
        status, text = host.send(request)
    assert status < 300, text
    assert host.differences(host.tree()) == []
    return NEVER - host.injector.left


def test_what_stays_is_not_written_again(host: Host) -> None:  # noqa: F811
    """The kernel replaces an entry by another one; a lookup in between may miss both."""
    clients = [{"name": name, "type": "FRONTEND", "ip": f"10.0.0.{n}"} for n, name in enumerate("pqr", 1)]
    assert updates(host, Request("POST", "ports", clients)) == 3
    assert updates(host, Request("POST", "ports/s", {"type": "FRONTEND", "ip": "10.0.0.4"})) == 1
    assert updates(host, Request("POST", "ports/t", {"type": "BACKEND", "peer": host.netdevs[0]})) == 0
    assert updates(host, Request("PATCH", "ports/p/peer", host.netdevs[1])) == 0
    assert updates(host, Request("PUT", "ports/q", {"type": "FRONTEND", "ip": "10.0.0.5"})) == 1
    assert updates(host, Request("DELETE", "ports/r")) == 0
