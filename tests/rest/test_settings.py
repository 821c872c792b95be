"""How long sessions live, and what becomes of ports of a VIP that no service has, as the datapath reads them."""

from __future__ import annotations

import os
from typing import Any

import pytest

from bench import kernel
from k8slbrp import abi
from pcnhost.engine import bpf
from testbed.api import Api, ApiError
from tests.rest.conftest import CUBE, OwnHost

pytestmark = pytest.mark.root

TIMEOUTS = f"k8slbrp/{CUBE}/timeouts"
DEFAULTS = {
    "tcp-opening": 240,
    "tcp-established": 86400,
    "tcp-half-closed": 3600,
    "tcp-closed": 240,
    "udp-unanswered": 120,
    "udp-answered": 120,
    "udp-stream": 180,
    "icmp": 60,
}
TCP, UDP, ICMP = 6, 17, 1
# Where each timeout has to arrive: protocol and states of a session.
PLACES = {
    "tcp-opening": (TCP, (0, 1)),
    "tcp-established": (TCP, (2,)),
    "tcp-half-closed": (TCP, (3, 4)),
    "tcp-closed": (TCP, (5, 6, 7, 8, 9)),
    "udp-unanswered": (UDP, (0,)),
    "udp-answered": (UDP, (1,)),
    "udp-stream": (UDP, (2,)),
    "icmp": (ICMP, (0, 1, 2)),
}


def settings(host: OwnHost) -> Any:
    """struct settings of the cube."""
    fd = kernel.open_map(host.state_dir / "cubes" / CUBE / "ingress0" / "settings")
    try:
        raw = bpf.lookup(fd, bytes(4), abi.size("settings"))
    finally:
        os.close(fd)
    assert raw is not None
    return abi.struct("settings").from_buffer_copy(raw)


def in_the_datapath(host: OwnHost) -> dict[str, set[int]]:
    timeouts = settings(host).timeouts
    return {name: {timeouts[proto][state] for state in states} for name, (proto, states) in PLACES.items()}


def shown(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != "_links"}


def test_defaults_are_shown_and_in_force(api: Api, own_host: OwnHost) -> None:
    assert shown(api.get(TIMEOUTS)) == DEFAULTS
    cube = api.get(f"k8slbrp/{CUBE}")
    assert shown(cube["timeouts"]) == DEFAULTS
    assert cube["unserved-ports"] == "pass"
    assert in_the_datapath(own_host) == {name: {value} for name, value in DEFAULTS.items()}


def test_timeouts_are_read_live(api: Api, own_host: OwnHost) -> None:
    """PATCH changes what it names, PUT and DELETE lead back to the defaults; nothing is compiled."""
    api.patch(f"{TIMEOUTS}/tcp-closed", 1)
    api.patch(TIMEOUTS, {"udp-stream": 600, "icmp": 5})
    wanted = DEFAULTS | {"tcp-closed": 1, "udp-stream": 600, "icmp": 5}
    assert shown(api.get(TIMEOUTS)) == wanted
    assert api.get(f"{TIMEOUTS}/icmp") == 5
    assert in_the_datapath(own_host) == {name: {value} for name, value in wanted.items()}
    api.put(TIMEOUTS, {"icmp": 61})
    assert shown(api.get(TIMEOUTS)) == DEFAULTS | {"icmp": 61}
    api.delete(TIMEOUTS)
    assert in_the_datapath(own_host) == {name: {value} for name, value in DEFAULTS.items()}


@pytest.mark.parametrize("value", [0, -1, 31_536_001, "soon", 1.5, None])
def test_a_timeout_that_makes_no_sense_changes_nothing(api: Api, own_host: OwnHost, value: object) -> None:
    with pytest.raises(ApiError) as refusal:
        api.patch(TIMEOUTS, {"tcp-opening": 7, "icmp": value})
    assert refusal.value.status == 400
    assert "icmp" in str(refusal.value)
    assert shown(api.get(TIMEOUTS)) == DEFAULTS
    assert in_the_datapath(own_host)["tcp-opening"] == {240}


def test_unserved_ports(api: Api, own_host: OwnHost) -> None:
    assert settings(own_host).reject_unserved == 0
    api.patch(f"k8slbrp/{CUBE}/unserved-ports", "REJECT")
    assert api.get(f"k8slbrp/{CUBE}/unserved-ports") == "reject"
    assert settings(own_host).reject_unserved == 1
    with pytest.raises(ApiError):
        api.patch(f"k8slbrp/{CUBE}", {"unserved-ports": "PASS", "port_mode": "SINGLE"})
    assert settings(own_host).reject_unserved == 1
    api.patch(f"k8slbrp/{CUBE}", {"unserved-ports": "PASS"})
    assert settings(own_host).reject_unserved == 0
