"""Cubes that outlive the host.

Beside the file of cubes, which people read and edit, there is a journal (`<file>.journal`), in which every write is
kept before its client is answered. The file is written from it when the host ends, and on demand. At start the
journal is what counts, unless somebody has changed the file since the host has written it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from pcnhost import cubesfile, nodes
from pcnhost.cubesfile import UnusableFile
from pcnhost.engine import Engine
from pcnhost.engine.compile import NO_ANSWER
from pcnhost.errors import HostError, StorageError
from pcnhost.journal import Change, DamagedJournal, Journal, Member, Nodes, StoredCube
from pcnhost.library import ErrorTag
from pcnhost.rest import jsontext
from pcnhost.rest.answers import Answer, Refused
from pcnhost.rest.context import Call
from pcnhost.rest.cubes import ServiceResource
from pcnhost.rest.jsontext import Json
from pcnhost.rest.request import Request
from pcnhost.rest.resources import Resource
from pcnhost.rest.services import Service, Services
from pcnhost.rest.writes import NotRestored, Writes
from pcnhost.retries import Retries

log = logging.getLogger(__name__)

_CLEAN = "--cubes-dump-clean-init"


class CannotRestore(HostError):
    """There is a configuration, but it cannot be used; the text says what to do."""


class Persistence(Writes):
    """Keeps what all cubes are configured to be. Safe to use from any thread once the host has started.

    With `clean` nothing of an earlier host counts, and what is damaged is moved out of the way (`.bad`). The
    constructor raises CannotRestore; it does not touch the file."""

    kept = True

    def __init__(self, path: Path, *, clean: bool = False) -> None:
        self._path = path
        self._clean = clean
        self._saving = threading.Lock()
        self._replaying = threading.local()
        self.not_restored: dict[str, NotRestored] = {}
        self._engine: Engine | None = None  # once something has been restored
        self._services: dict[str, Service] = {}  # likewise
        self._retries = Retries(self._restore_late, "late-restore")
        self._journal = self._open()
        if not clean:
            try:
                self._import()
                self._await_services()
            except UnusableFile as e:
                self._journal.close()
                text = f"{path} cannot be used: {e}. Mend it, or start with {_CLEAN}, which moves it to {path.name}.bad"
                raise CannotRestore(text) from None
            except DamagedJournal as e:
                self._journal.close()
                raise self._damaged(e) from None
            except (OSError, StorageError) as e:
                self._journal.close()
                raise CannotRestore(f"cannot write beside {path}: {e}") from None

    @property
    def problem(self) -> str:  # type: ignore[override]
        return self._journal.problem

    # --- start

    def forget(self) -> None:
        """Begin with nothing, if that is what is wanted. Raises StorageError."""
        if not self._clean:
            return
        try:
            content = cubesfile.read(self._path)
            cubesfile.parse(content or b"")
        except UnusableFile:
            _move_away(self._path)
        self._journal.replace_all(())
        self._write(b"{}")

    def restore(self, service: Service, engine: Engine) -> None:
        """Create the cubes that a service had. What fails is logged and kept, and tried again if that may help."""
        self._engine = engine
        self._services[service.name] = service
        for cube in list(self._journal.cubes()):
            if cube.service == service.name and cube.name not in engine.cubes:
                self._restore_cube(service, engine, cube)
        self._repeat_writes(service, engine)
        if self._may_come_late():
            self._retries.begin()

    def _repeat_writes(self, service: Service, engine: Engine, cube: str | None = None) -> None:
        """Those to a service, or to one of its cubes."""
        for number, text in self._journal.writes():
            request = _request(text)
            if request.segments and request.segments[0] == service.name:
                self._repeat(service, engine, number, request, cube)

    def _may_come_late(self) -> list[NotRestored]:
        """What a machine that is less busy can restore."""
        return [missing for missing in list(self.not_restored.values()) if NO_ANSWER in missing.reason]

    def _restore_late(self) -> bool:
        """Tries again; answers whether anything is left. Meanwhile nobody else changes the cube."""
        for missing in self._may_come_late():

            def action(missing: NotRestored = missing) -> tuple[None, Sequence[Change]]:
                service = self._services[missing.service]
                assert self._engine
                for cube in self._journal.cubes():
                    if cube.name == missing.cube and cube.name in self.not_restored:
                        self._restore_cube(service, self._engine, cube)
                        self._repeat_writes(service, self._engine, cube.name)
                return None, ()

            self._journal.write(jsontext.compact(["", [], ""]), [missing.cube], action)
        if self._engine:
            self._engine.sweep(self.not_restored)
        return bool(self._may_come_late())

    def repeat_others(self, answer: Callable[[Request], Answer]) -> None:
        """Carry out again what is left of the writes that are not to a service."""
        for number, text in self._journal.writes():
            request = _request(text)
            if not request.segments:
                self._journal.carry_out(number, lambda: (None, ()))
            elif request.segments[0] in ("connect", "disconnect", "cubes"):
                if self._is_tried_out(number, request):
                    continue
                self._replaying.number = number
                done = answer(request)
                del self._replaying.number
                log.info(
                    "%s %s is repeated: %s %s", request.method, request.segments[0], done.status, done.text
                )
                self._journal.carry_out(number, lambda: (None, ()))

    def _open(self) -> Journal:
        path = self._path.with_name(self._path.name + ".journal")
        try:
            journal = Journal(path)
            try:
                for number, text in journal.writes():
                    _check_request(path, number, text)
            except DamagedJournal:
                journal.close()
                raise
            return journal
        except DamagedJournal as e:
            if not self._clean:
                raise self._damaged(e) from None
        except StorageError as e:
            raise CannotRestore(str(e)) from None
        for suffix in ("-wal", "-shm", ""):
            _move_away(path.with_name(path.name + suffix))
        return self._open()

    def _damaged(self, e: DamagedJournal) -> CannotRestore:
        return CannotRestore(
            f"{e}. Remove it to start with {self._path}, or start with {_CLEAN}, which moves it to .bad"
        )

    def _import(self) -> None:
        """What somebody has written into the file."""
        content = cubesfile.read(self._path)
        if content is None or cubesfile.digest(content) in (
            self._journal.setting("file"),
            self._journal.setting("next"),
        ):
            return
        cubes = cubesfile.parse(content)
        if kept := self._content():
            old = self._path.with_name(self._path.name + ".old")
            cubesfile.write(old, cubesfile.text_of(kept))
            log.warning("%s has been changed and is used; what the host had kept is in %s", self._path, old)
        self._journal.replace_all(cubes)
        self._journal.set_setting("file", cubesfile.digest(content))

    def _await_services(self) -> None:
        for cube in self._journal.cubes():
            self._miss(cube, f"there is no service {cube.service}")

    def _miss(self, cube: StoredCube, reason: str) -> None:
        self.not_restored[cube.name] = NotRestored(cube.name, cube.service, reason)

    def _restore_cube(self, service: Service, engine: Engine, cube: StoredCube) -> None:
        body = nodes.assembled(cube.nodes)
        try:
            with engine.restoring(cube.name):
                response = service.cube.recreate(cube.name, body)
            problem = "" if response.tag is ErrorTag.CREATED else response.message
        except Refused as e:
            problem = "; ".join(one.message or one.info for one in e.problems)
        except HostError as e:
            problem = str(e)
        if problem:
            if NO_ANSWER in problem:
                problem += ", it is tried again"
            goes_on = ", it goes on as it was" if engine.goes_on(cube.name) else ""
            log.error("cannot restore cube %s%s: %s", cube.name, goes_on, problem)
            self._miss(cube, problem)
            return
        log.info("cube %s restored", cube.name)
        self.not_restored.pop(cube.name, None)
        if cube.whole:
            self._journal.put(_all_of(service, cube.name))

    def _repeat(
        self, service: Service, engine: Engine, number: int, request: Request, cube: str | None
    ) -> None:
        """Carry out again what the end of the host has come in between, if it is about this cube (None: any)."""
        assert request.segments is not None
        found = service.resolve(request, request.segments)
        if found is None:
            self._journal.carry_out(number, lambda: (None, ()))
            return
        resource, call = found
        if call.cube in self.not_restored or cube not in (None, call.cube):
            return  # when it is there again
        if self._is_tried_out(number, request):
            return
        self._replaying.number = number
        log.info("%s %s is repeated", request.method, "/".join(request.segments))
        try:
            with engine.restoring(call.cube):
                self.write(service.root, resource, call)
        except HostError as e:
            log.info("it is refused: %s", e)
        except Refused as e:
            log.info("it is refused: %s", e.problems[0].message or e.problems[0].info)
        finally:
            del self._replaying.number

    def _is_tried_out(self, number: int, request: Request) -> bool:
        """A write that ends the host again and again must not keep it from starting."""
        try:
            if not self._journal.is_tried_out(number):
                return False
        except StorageError as e:
            log.error("%s", e)
            return False
        log.error(
            "%s %s is given up: the host has ended in it", request.method, "/".join(request.segments or ())
        )
        self._journal.carry_out(number, lambda: (None, ()))
        return True

    # --- writes

    def write(self, root: ServiceResource, resource: Resource, call: Call) -> Answer:
        def action() -> tuple[Answer, Sequence[Change] | None]:
            answer = resource.methods[call.request.method](call)
            if answer.status >= 300:
                return answer, ()
            return answer, self._outcome(
                named,
                lambda: nodes.changes(root, resource, named, self._is_kept(named.cube)),
                lambda: [nodes.cube_nodes(root, named)],
            )

        named = _with_cube(resource, call)
        return self._carry_out(call.request, [named.cube], action)

    def delete_missing(self, engine: Engine, call: Call) -> Answer | None:
        missing = self.not_restored.get(call.cube)
        if missing is None or missing.service != call.segments[0]:
            return None

        def action() -> tuple[Answer, Sequence[Change]]:
            self.not_restored.pop(call.cube, None)
            engine.sweep(self.not_restored)
            return Answer(200), [Nodes(call.cube, "", ())]

        return self._carry_out(call.request, [call.cube], action)

    def write_peers(
        self, engine: Engine, call: Call, peers: Sequence[str], operation: Callable[[], Answer]
    ) -> Answer:
        ends = [end.partition(":") for end in peers if ":" in end]

        def action() -> tuple[Answer, Sequence[Change] | None]:
            answer = operation()
            found = [(cube, port, engine.cubes[cube].ports[port].peer) for cube, _, port in ends]
            return answer, [
                Member(cube, nodes.port_path(port), ("peer",), peer) for cube, port, peer in found
            ]

        return self._carry_out(call.request, [cube for cube, _, _ in ends], action)

    def write_cubes(
        self, services: Services, call: Call, names: Sequence[str], operation: Callable[[], Answer]
    ) -> Answer:
        def action() -> tuple[Answer, Sequence[Change] | None]:
            answer = operation()
            self._are_there(names)
            return answer, [
                _all_of(service, name)
                for name in names
                for service in services.all()
                if service.root.context.cube(name)
            ]

        return self._carry_out(call.request, names, action)

    def peers_changed(self, cube: str) -> None:
        """Peers of the ports of a cube have other names, without any request. Does not wait."""
        threading.Thread(target=self._note_peers, args=(cube,), name="renamed-peers").start()

    def _note_peers(self, cube: str) -> None:
        def action() -> tuple[None, Sequence[Change]]:
            assert self._engine
            ports = self._engine.cubes[cube].ports.values() if cube in self._engine.cubes else ()
            return None, [Member(cube, nodes.port_path(port.name), ("peer",), port.peer) for port in ports]

        try:
            self._journal.write(jsontext.compact(["", [], ""]), [cube], action)
        except StorageError as e:
            log.error("cannot note the new peers of cube %s: %s", cube, e)

    def unload(self, service: str, operation: Callable[[], None]) -> None:
        self._journal.sync()  # so that it is refused when nothing can be kept
        operation()
        gone = [cube.name for cube in self._journal.cubes() if cube.service == service]
        self._journal.put(*(Nodes(name, "", ()) for name in gone if name not in self.not_restored))
        with contextlib.suppress(StorageError):  # with the next write, then
            self._journal.sync()

    def _carry_out(
        self,
        request: Request,
        cubes: Sequence[str],
        action: Callable[[], tuple[Answer, Sequence[Change] | None]],
    ) -> Answer:
        number: int | None = getattr(self._replaying, "number", None)
        if number is not None:
            return self._journal.carry_out(number, action)
        text = jsontext.compact([request.method, request.segments, request.body.decode("latin-1")])
        return self._journal.write(text, cubes, action)

    def _outcome(self, call: Call, *reads: Callable[[], Sequence[Change]]) -> Sequence[Change] | None:
        """What the first of `reads` that succeeds says has changed."""
        for read in reads:
            try:
                found = read()
            except Exception:  # it has been carried out all the same
                log.exception("cannot read what %s has changed", "/".join(call.segments))
                continue
            self._are_there([one.cube for one in found if isinstance(one, Nodes) and not one.path])
            return found
        return None

    def _are_there(self, cubes: Sequence[str]) -> None:
        """Somebody has created them, perhaps in the place of some that were not restored."""
        created = [name for name in cubes if self.not_restored.pop(name, None)]
        if created and self._engine:
            self._engine.sweep(self.not_restored)  # what they have not taken over

    def _is_kept(self, cube: str) -> Callable[[str], bool]:
        return lambda path: self._journal.has(cube, path)

    # --- the file

    def save(self) -> None:
        """Write the file as of now. A failure is logged."""
        try:
            with self._saving:
                self._write(cubesfile.text_of(self._content()))
        except (OSError, HostError) as e:
            log.error("cannot write %s: %s; the journal has everything", self._path, e)

    def close(self) -> None:
        self._retries.close()
        self.save()
        self._journal.close()

    def _content(self) -> Json:
        return [
            {"service-name": cube.service, **nodes.assembled(cube.nodes)} for cube in self._journal.cubes()
        ]

    def _write(self, content: bytes) -> None:
        self._journal.set_setting("next", cubesfile.digest(content))
        cubesfile.write(self._path, content)
        self._journal.set_setting("file", cubesfile.digest(content))


def _all_of(service: Service, cube: str) -> Nodes:
    return nodes.cube_nodes(service.root, Call(Request("GET", ()), (service.name, cube), cube))


def _with_cube(resource: Resource, call: Call) -> Call:
    """A request to the service itself names its cube in the body."""
    if not isinstance(resource, ServiceResource):
        return call
    name = call.object_body().get("name")
    if not isinstance(name, str):
        return call  # it will be refused
    return Call(call.request, (*call.segments, name), name)


def _request(text: str) -> Request:
    method, segments, body = json.loads(text)
    return Request(method, tuple(segments), body=body.encode("latin-1"))


def _check_request(journal: Path, number: int, text: str) -> None:
    """Raises DamagedJournal."""
    try:
        _request(text)
    except (TypeError, ValueError, AttributeError):
        raise DamagedJournal(f"{journal} is damaged: write {number} is no request") from None


def _move_away(path: Path) -> None:
    if path.exists():
        path.replace(path.with_name(path.name + ".bad"))
