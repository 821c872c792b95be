"""`pcnctl check`: is what a cube does what it is configured to do? Compares its REST tree with maps and netdevs.

Exit status: 0 no difference, 1 differences, 2 they cannot be compared."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from pcnhost import linkcheck
from pcnhost.ctl import settings
from pcnhost.ctl.client import Client, Unreachable

EQUAL, DIFFERENT, NOT_COMPARED = range(3)

# Of packages that know the maps of a service: its name, and a function like ServiceCheck.
ENTRY_POINTS = "pcnhost.checks"
ServiceCheck = Callable[[Mapping[str, Any], Path], Sequence[str]]

# A request that is being carried out is no difference: one is there still when it is looked for again.
_LOOKS = 3
_PAUSE_S = 0.3


class Incomparable(Exception):
    """The text says why."""


def differences(client: Client, cube: str, state_dir: Path) -> list[str]:
    """In plain words. Raises Incomparable, Unreachable."""
    found = look(client, cube, state_dir)
    for _ in range(_LOOKS - 1):
        if not found:
            break
        time.sleep(_PAUSE_S)
        again = set(look(client, cube, state_dir))
        found = [one for one in found if one in again]
    return found


def look(client: Client, name: str, state_dir: Path) -> list[str]:
    """Differences as of now, which a request that is being carried out may have made. Raises as `differences` does."""
    cubes = {
        cube["name"]: (service, cube) for service, all_ in _get(client, "cubes").items() for cube in all_
    }
    if name not in cubes:
        raise Incomparable(f"there is no cube {name}")
    service, _ = cubes[name]
    tree = _get(client, service, name)
    try:
        found = list(
            linkcheck.differences(tree, {name: cube for name, (_, cube) in cubes.items()}, state_dir)
        )
        check = service_check(service)
        return found + list(check(tree, state_dir)) if check else found
    except OSError as e:
        raise Incomparable(str(e)) from None


def service_check(service: str) -> ServiceCheck | None:
    """What compares the maps of this service, None when no package here knows them."""
    found = entry_points(group=ENTRY_POINTS, name=service)
    check: ServiceCheck | None = next(iter(found)).load() if found else None
    return check


def _get(client: Client, *path: str) -> Any:
    reply = client.send("GET", path)
    if not reply.ok:
        raise Incomparable(f"GET {'/'.join(path)}: {reply.status} {reply.text}")
    return reply.json()


def main(arguments: Sequence[str]) -> int:
    description, _, status = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser("pcnctl check", description=description, epilog=status)
    parser.add_argument("cube")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--url", help="of the host, as http://127.0.0.1:9000/polycube/v1/")
    where.add_argument("--socket", help="the host's unix socket")
    parser.add_argument("--state-dir", type=Path, default=Path("/sys/fs/bpf/pcnhost"), help="of the host")
    given = parser.parse_args(arguments)
    try:
        found_settings = settings.load()
        url = f"unix:{given.socket}" if given.socket else given.url and f"{given.url.rstrip('/')}/"
        client = Client(replace(found_settings, url=url) if url else found_settings)
        found = differences(client, given.cube, given.state_dir)
        service = _get(client, "cubes", given.cube)["service-name"]
    except (settings.SettingsError, Unreachable, Incomparable) as e:
        print(f"pcnctl: {e}", file=sys.stderr)
        return NOT_COMPARED
    for one in found:
        print(one)
    if not service_check(service):
        print(f"pcnctl: nobody here knows the maps of {service}, they are not compared", file=sys.stderr)
    if not found:
        print(f"cube {given.cube} is as it is configured")
    return DIFFERENT if found else EQUAL
