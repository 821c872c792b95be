"""Cubes that outlive the host: a file with all of them, rewritten after changes, read at start.

The file is polycubed's: a JSON array with one object per cube, `service-name` first, then what a request
that creates the cube would contain. It is made from what the services say about their cubes, not from the
requests, so it never drifts away from the truth.
"""

from __future__ import annotations

import copy
import json
import logging
import os
import threading
from pathlib import Path

from pcnhost.engine import Engine
from pcnhost.errors import HostError
from pcnhost.library import ErrorTag
from pcnhost.rest import jsontext, rules
from pcnhost.rest.answers import Refused
from pcnhost.rest.jsontext import Json, MalformedJson
from pcnhost.rest.services import Service, Services

log = logging.getLogger(__name__)

SETTLE_S = 0.1


class CubesDump:
    """Keeps `path` up to date from a thread of its own, between start() and stop()."""

    def __init__(self, path: Path, engine: Engine) -> None:
        self._path = path
        self._engine = engine
        self._services: Services | None = None
        self._known: dict[str, Json] = {}
        self._dirty: set[str] = set()
        self._stopping = False
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="cubes-dump")

    def changed(self, cube: str) -> None:
        """A cube was created, changed or deleted. Never waits for the file."""
        with self._wake:
            self._dirty.add(cube)
            self._wake.notify()

    def start(self, services: Services) -> None:
        self._services = services
        self._thread.start()

    def stop(self) -> None:
        """Write what is left to be written; later changes are ignored."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join()

    def clear(self) -> None:
        self._write({})

    def restore(self, services: Services) -> None:
        """Create the cubes of the file, then connect their ports. What fails is logged and left out.

        A cube that cannot be created stays in the file: it may be possible the next time."""
        cubes = self._read()
        self._known = {cube["name"]: copy.deepcopy(cube) for cube in cubes}
        peers = [(cube["name"], *link) for cube in cubes for link in _take_peers(cube)]
        for cube in cubes:
            _restore_cube(services, cube)
        for name, port, peer in peers:
            try:
                if name in self._engine.cubes:
                    self._engine.cubes[name].ports[port].set_peer(peer)
                    self.changed(name)
            except (HostError, KeyError) as e:
                log.error("cannot connect %s:%s to %s again: %s", name, port, peer, e)

    def _read(self) -> list[Json]:
        try:
            cubes = jsontext.parse(self._path.read_text() or "[]")
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError, MalformedJson) as e:
            log.error("cannot restore cubes from %s: %s", self._path, e)
            return []
        if not isinstance(cubes, list):
            return []
        return [cube for cube in cubes if isinstance(cube, dict) and isinstance(cube.get("name"), str)]

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._dirty or self._stopping)
                if not self._stopping:
                    self._wake.wait_for(lambda: self._stopping, SETTLE_S)  # changes come in bursts
                dirty, self._dirty = self._dirty, set()
                if not dirty:
                    return
            try:
                for name in dirty:
                    self._note(name)
                self._write(list(self._known.values()))
            except Exception:
                log.exception("cannot note the changes of %s", ", ".join(sorted(dirty)))

    def _note(self, name: str) -> None:
        cube = self._engine.cubes.get(name)
        service = self._services.get(cube.service_name) if cube and self._services else None
        conf = _configuration(service, name) if service else None
        if conf is None:
            self._known.pop(name, None)
        else:
            self._known[name] = conf

    def _write(self, content: Json) -> None:
        """All of the file or nothing: a crash leaves the previous one."""
        new = self._path.with_name(self._path.name + ".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with new.open("w") as file:
                json.dump(content, file, indent=2, ensure_ascii=False)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)
        except OSError as e:
            log.error("cannot write %s: %s", self._path, e)


def _take_peers(cube: Json) -> list[tuple[str, str]]:
    """Remove the peers from the ports of a cube; returns (port, peer) of each that had one."""
    ports = cube.get("ports")
    found = []
    for port in ports if isinstance(ports, list) else ():
        if isinstance(port, dict) and (peer := port.pop("peer", None)):
            found.append((str(port.get("name")), str(peer)))
    return found


def _restore_cube(services: Services, cube: Json) -> None:
    name, service_name = cube["name"], str(cube.get("service-name"))
    service = services.get(service_name)
    if service is None:
        log.error("cannot restore cube %s: there is no service %s", name, service_name)
        return
    try:
        response = service.cube.create(name, cube)
    except Refused as e:
        log.error("cannot restore cube %s: %s", name, e)
        return
    if response.tag is ErrorTag.CREATED:
        log.info("cube %s restored", name)
    else:
        log.error("cannot restore cube %s: %s", name, response.message)


def _configuration(service: Service, name: str) -> Json:
    """What would create the cube as it is now; None when it is gone."""
    with service.in_use() as usable:
        response = service.cube.read(name) if usable else None
    if response is None or response.tag is not ErrorTag.OK:
        return None
    settings = _settings(service.cube.rule, jsontext.parse(response.message))
    return {"service-name": service.name, **settings}


def _settings(rule: rules.Rule, value: Json) -> Json:
    """What of a value read can be written."""
    match rule:
        case rules.MembersRule():
            return {
                name: _settings(child, value[name])
                for name, child in rule.children.items()
                if name in value and _settable(child, value[name])
            }
        case rules.ListRule():
            return [_settings(rule.entry, item) for item in value]
        case _:
            return value


def _settable(rule: rules.Rule, value: Json) -> bool:
    """Neither what is read-only nor what stands for a leaf that is not set: "" where "" is no value."""
    return rule.config and (not isinstance(rule, rules.LeafRule) or rule.accepts(value))
