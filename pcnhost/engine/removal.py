"""The end of what a host has left in the kernel, without a host: nothing is compiled, so no headers are needed."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from pcnhost.engine import state
from pcnhost.engine.netdev import Netdevs
from pcnhost.engine.netlink import Netlink
from pcnhost.engine.panel import PINS

OWN = (*PINS, *state.OWN)


def remove_everything(root: Path, log: logging.Logger) -> None:
    """Takes programs off netdevs and removes the state directory. Raises OSError, if a host is at work on it, too."""
    lock = state.lock(root)
    try:
        netlink = Netlink()
        try:
            Netdevs(root / "netdevs", netlink, log).sweep()
        finally:
            netlink.close()
        remove_state(root, log)
    finally:
        os.close(lock)


def remove_state(root: Path, log: logging.Logger) -> None:
    """Of a host that has nothing on netdevs any more."""
    if others := state.remove_own(root, OWN):
        log.warning("%s stays, it holds %s", root, ", ".join(others))
