"""A packet comes between two steps of the control plane: here, one that a test makes long."""

from __future__ import annotations

import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address

import pytest

from k8slbrp import abi
from k8slbrp.maps import count, pins
from pcnhost.engine import bpf
from tests.faults.injector import REMOVALS, WAITS, Fault
from tests.faults.requests import Request
from tests.faults.test_faults import CUBE, Host, host  # noqa: F401

pytestmark = pytest.mark.root

CLIENT, VIRTUAL, VIP, SERVER = (
    int(IPv4Address(ip)) for ip in ("10.10.1.1", "10.9.8.1", "10.96.0.1", "10.20.0.1")
)
LATER = 1 << 30  # a tick that no machine has reached: no session is over


def session(flags: int) -> bytes:
    """Of a client that its backend sees under another address."""
    flow = abi.struct("flow")
    return bytes(
        abi.struct("session")(
            front=flow(CLIENT, VIP, 2000, 80),
            back=flow(VIRTUAL, SERVER, 2000, 8080),
            check=1,
            last_seen=LATER,
            state=abi.CONSTANTS["SESSION_ESTABLISHED"],
            flags=flags,
        )
    )


def test_a_session_has_ended_though_its_server_answers_meanwhile(host: Host) -> None:  # noqa: F811
    """The packet finds the entry of the answers, and makes that of the requests, where the client has none any more."""
    tcp, constants, flow_key = socket.IPPROTO_TCP, abi.CONSTANTS, abi.struct("flow_key")
    directory = pins(host.state_dir, CUBE)
    clients, flows = (bpf.open_pin(directory / name) or 0 for name in ("clients", "flows"))
    from_server = constants["SESSION_FLAG_FROM_SERVER"]
    answers = bytes(flow_key(SERVER, VIRTUAL, 8080, 2000, tcp, constants["SIDE_BACKEND"]))
    requests = bytes(flow_key(CLIENT, VIP, 2000, 80, tcp, constants["SIDE_FRONTEND"]))
    bpf.update(clients, bytes(abi.struct("client_key")(CLIENT, 2000, tcp)), session(0))
    bpf.update(flows, answers, session(from_server))
    with ThreadPoolExecutor(1) as pool, host.injector.armed(Fault(REMOVALS, 1, WAITS, map="flows")):
        ending = pool.submit(host.send, Request("POST", "sessions/end", {"client": "10.10.1.1"}))
        end = time.monotonic() + 20
        while not host.injector.fired and time.monotonic() < end:
            time.sleep(0.001)
        bpf.update(flows, requests, session(0))
        host.injector.resume()
        assert ending.result() == (201, '{"ended":1}')
    assert host.injector.fired
    os.close(clients)
    os.close(flows)
    assert [count(directory / name) for name in ("flows", "clients")] == [0, 0]
