"""Which rights the process has. Root has them all; the host needs fewer."""

from __future__ import annotations

from pathlib import Path

# BPF: maps and programs. NET_ADMIN: programs on netdevs, the TAP device. PERFMON: packets and log messages of the
# datapath, and programs that the verifier takes from those only who may measure the kernel.
NEEDED = {"CAP_NET_ADMIN": 12, "CAP_PERFMON": 38, "CAP_BPF": 39}
_CAP_SYS_ADMIN = 21  # includes BPF and PERFMON, and stands for them before Linux 5.8


def missing() -> list[str]:
    """The names of the capabilities that the process needs and does not have."""
    status = Path("/proc/self/status").read_text()
    effective = int(status.partition("\nCapEff:")[2].split()[0], 16)
    needed = {"CAP_NET_ADMIN": 12} if effective >> _CAP_SYS_ADMIN & 1 else NEEDED
    return [name for name, bit in needed.items() if not effective >> bit & 1]
