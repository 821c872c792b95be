"""What takes the CPU time: of a new connection, by what the kernel is doing; of a compilation, by library."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from bench.profile import Place, Sampler

IDLE = "idle"
PROCESSES = "system calls and processes"

# The innermost function of the kernel that belongs to one of these decides.
_AREAS = {
    "BPF": r"bpf_prog_|bpf_test|cls_bpf|tc_run|tcf_classify|skb_do_redirect|xdp_|__xdp_|bpf_xdp|do_xdp",
    "netfilter": r"_*(nf|nft|nat|ipv4_conntrack)_",
    "IP": r"_*(ip|fib)_(?!queue)",
    "TCP and sockets": r"_*(tcp|inet|sk|sock|ip_queue|raw)_",
    "devices and queues": r"_*(veth|netif|netdev|dev|napi|net_rx|validate_xmit|enqueue)_|process_backlog",
    PROCESSES: r"do_syscall|entry_SYSCALL",
    IDLE: r"do_idle",
}
_PATTERNS = [(area, re.compile(pattern)) for area, pattern in _AREAS.items()]
OTHER = "other"  # what the kernel does besides
AREAS = [*(area for area in _AREAS if area != IDLE), OTHER]


def area(place: Place) -> str:
    """One of AREAS, or IDLE."""
    for frame in place.frames:
        for name, pattern in _PATTERNS:
            if pattern.match(frame):
                return name
    return OTHER if place.frames else PROCESSES


def of_each(work: Callable[[], float]) -> dict[str, float]:
    """Microseconds of all CPUs by area, for each of the things that `work` returns the number of."""
    with Sampler() as sampler:
        number = work()
    seconds = sampler.seconds(area)
    seconds.pop(IDLE, None)
    return {name: round(time * 1e6 / number, 2) for name, time in seconds.items()}


def by_library(work: Callable[[], object], process: int) -> dict[str, float]:
    """Milliseconds that a process spends in each of its libraries, and in the kernel."""
    with Sampler() as sampler:
        work()
    libraries = _libraries(process)

    def library(place: Place) -> str:
        if place.process != process:
            return IDLE
        if place.frames:
            return "kernel"
        return next((name for span, name in libraries.items() if place.user_ip in span), OTHER)

    seconds = sampler.seconds(library)
    seconds.pop(IDLE, None)
    return {name: round(time * 1e3, 1) for name, time in seconds.items() if time >= 0.01}


def _libraries(process: int) -> dict[range, str]:
    spans = {}
    for line in Path(f"/proc/{process}/maps").read_text().splitlines():
        addresses, *_, name = line.split()
        start, end = (int(address, 16) for address in addresses.split("-"))
        spans[range(start, end)] = Path(name).name.partition(".so")[0]
    return spans
