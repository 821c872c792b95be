"""What the engine asks of rtnetlink, and what it costs."""

import os
import time
from collections.abc import Callable, Iterator

import pytest
from pyroute2 import IPRoute

from pcnhost.engine import Engine
from pcnhost.engine.netlink import TC_EGRESS, TC_INGRESS, Netlink

from .programs import PASS
from .support import create, refuses
from .wire import Wire

pytestmark = pytest.mark.root

Wires = Callable[..., list[Wire]]
MANY = 120
ROUNDS = 3
REPEATS = int(os.environ.get("ATTACH_REPEATS", "20"))


@pytest.fixture
def netlink(netns: None) -> Iterator[Netlink]:
    netlink = Netlink()
    yield netlink
    netlink.close()


def _waiting(netlink: Netlink) -> int:
    """Messages of the kernel that nobody has read."""

    def count() -> int:
        queues = netlink._ipr.asyncore.local.msg_queue.queues
        return sum(queue.qsize() for queue in queues.values())

    return netlink._thread.submit(count).result()


def test_no_answer_of_the_kernel_is_left_lying(netlink: Netlink, wires: Wires) -> None:
    """Each would be kept for ever."""
    wires(1)
    link = netlink.by_name("w0")
    assert link
    index = link["index"]
    netlink.add_clsact(index)
    requests: dict[str, Callable[[], object]] = {
        "by index": lambda: netlink.by_index(index),
        "by name": lambda: netlink.by_name("w0"),
        "missing": lambda: netlink.by_name("nope"),
        "all": netlink.links,
        "addresses": netlink.addresses,
        "up": lambda: netlink.set_up(index, 1500),
        "clsact": lambda: netlink.add_clsact(index),
        "filters": lambda: netlink.has_filters(index, TC_INGRESS, TC_EGRESS),
    }
    left = {}
    for name, request in requests.items():
        before = _waiting(netlink)
        for _ in range(10):
            request()
        left[name] = _waiting(netlink) - before
    assert left == dict.fromkeys(requests, 0)


def test_a_netdev_has_one_name(netlink: Netlink, wires: Wires) -> None:
    wires(1)
    with IPRoute() as ipr:
        ipr.link("property_add", index=ipr.link_lookup(ifname="w0")[0], altname="w0-also")
    assert netlink.by_name("w0")
    for name in ("w0-also", "w0\0x", "w", "", "x" * 16, "x" * 300, "é", "\udc80"):
        assert netlink.by_name(name) is None, name


def test_no_peer_of_a_port(engine: Engine) -> None:
    cube, _ = create(engine, PASS)
    for name in ("nope", "x" * 300, "w0\0x", " "):
        with refuses(f"Interface  {name} does not exist or is down"):
            cube.add_port("p", {"peer": name})


@pytest.mark.serial
def test_a_peer_costs_the_same_among_many_netdevs(engine: Engine, wires: Wires) -> None:
    """A pod's start is part of this, and a node has a netdev for each of its pods. CPU time of this process, the
    best of many, in turns: others work on this machine, and a netdev that comes or goes makes work afterwards."""
    cube, _ = create(engine, PASS)
    wires(1, apart=True)

    def attach() -> float:
        began = time.process_time()
        cube.add_port("p", {"peer": "w0"})
        taken = time.process_time() - began
        cube.remove_port("p")
        return taken * 1000

    attach()
    alone: list[float] = []
    among: list[float] = []
    with IPRoute() as ipr:
        for _ in range(ROUNDS):
            alone += (attach() for _ in range(REPEATS))
            for number in range(MANY // 2):
                ipr.link("add", ifname=f"d{number}", kind="veth", peer=f"e{number}")
            among += (attach() for _ in range(REPEATS))
            for number in range(MANY // 2):
                ipr.link("del", ifname=f"d{number}")
    for where, times in (("alone", sorted(alone)), (f"among {MANY}", sorted(among))):
        median, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
        print(
            f"attach, {where}: median {median:.1f} ms, p99 {p99:.1f} ms, best {times[0]:.1f} ms of CPU time"
        )
    assert min(among) < 1.5 * min(alone)
