"""What takes the CPU time: of a new connection, by what the kernel is doing; of a compilation, by library."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from bench.profile import Place, Sampler

PROCESSES = "system calls and processes"

# The innermost function of the kernel that belongs to one of these decides.
_AREAS = {
    "BPF": r"bpf_prog_|cls_bpf|tc_run|tcf_classify|skb_do_redirect|xdp_|__xdp_|bpf_xdp|do_xdp",
    "netfilter": r"_*(nf|nft|nat|ipv4_conntrack)_",
    "IP": r"_*(ip|fib)_(?!queue)",
    "TCP and sockets": r"_*(tcp|inet|sk|sock|ip_queue|raw)_",
    "devices and queues": r"_*(veth|netif|netdev|dev|napi|net_rx|validate_xmit|enqueue)_|process_backlog",
    PROCESSES: r"do_syscall|entry_SYSCALL",
}
_IDLE = (None, re.compile("do_idle"))
_PATTERNS = [*((area, re.compile(pattern)) for area, pattern in _AREAS.items()), _IDLE]
OTHER = "other"  # what the kernel does besides
AREAS = [*_AREAS, OTHER]


def area(place: Place) -> str | None:
    """One of AREAS, or None when the CPU was idle."""
    for frame in place.frames:
        for name, pattern in _PATTERNS:
            if pattern.match(frame):
                return name
    return OTHER if place.frames else PROCESSES


def of_each(work: Callable[[], float]) -> dict[str, float]:
    """Microseconds of all CPUs by area, for each of the things that `work` returns the number of."""
    with Sampler() as sampler:
        number = work()
    return {name: round(time * 1e6 / number, 2) for name, time in sampler.seconds(area).items()}


def by_library(work: Callable[[], object]) -> dict[str, float]:
    """Milliseconds that this process spends in each of its libraries, and in the kernel."""
    with Sampler() as sampler:
        work()
    libraries = _libraries()

    def library(place: Place) -> str | None:
        if place.process != os.getpid():
            return None
        if place.frames:
            return "kernel"
        return next((name for span, name in libraries.items() if place.user_ip in span), OTHER)

    return {name: round(time * 1e3, 1) for name, time in sampler.seconds(library).items() if time >= 0.01}


def _libraries() -> dict[range, str]:
    spans = {}
    for line in Path("/proc/self/maps").read_text().splitlines():
        addresses, *_, name = line.split()
        start, end = (int(address, 16) for address in addresses.split("-"))
        spans[range(start, end)] = Path(name).name.partition(".so")[0]
    return spans
