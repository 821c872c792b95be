"""The host as a whole: engine, services and REST server, in the order they start and stop."""

from __future__ import annotations

import gc
import logging
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from pcnhost import notify
from pcnhost.config import Config, ConfigError
from pcnhost.ending import Ending
from pcnhost.engine import Engine
from pcnhost.engine.compile import keep_results
from pcnhost.engine.compiled import Cache
from pcnhost.errors import HostError
from pcnhost.persistence import Persistence
from pcnhost.rest.admission import Admission
from pcnhost.rest.answers import Refused
from pcnhost.rest.asgi import RestApp
from pcnhost.rest.daemon import NAMES, Daemon
from pcnhost.rest.router import Router
from pcnhost.rest.server import authority, build_server
from pcnhost.rest.services import Service, Services
from pcnhost.rest.sockets import Sockets
from pcnhost.rest.writes import Writes

log = logging.getLogger(__name__)

SWITCH_S = (
    0.0005  # after which a thread at work lets the event loop go on, which waits for that again and again
)


def run(config: Config, ready: Callable[[], None]) -> bool:
    """Serve until SIGINT or SIGTERM; `ready` is called as soon as clients are answered. Raises ConfigError when it
    cannot start: then everything is as it was before.

    Returns whether the process must end without destroying a single object: services clean up after their cubes,
    which are left running for the next host, or requests are still at work."""
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # until there is something to save
    sockets = Sockets.of(config)
    try:
        return _serve(config, sockets, ready)
    finally:
        sockets.close()


def _serve(config: Config, sockets: Sockets, ready: Callable[[], None]) -> bool:
    persistence = _persistence(config)
    writes = persistence or Writes()
    keep_results(Cache(config.compile_cache) if config.compile_cache else None)
    try:
        engine = Engine(log=logging.getLogger("pcnhost.engine"), state_dir=config.state_dir)
    except (HostError, OSError) as e:
        raise ConfigError(_one_line(e)) from None
    try:
        where = authority(config)
        services = Services(engine, _service_logfile(config), where, NAMES, config.service_dirs)
        daemon = Daemon(engine, services, where, writes, config.metrics_series)
        router = Router(engine, services, daemon, writes)
        app = RestApp(router, config.threads, Admission([config.addr, *config.host_names]))
        server = build_server(config.tls, app, sockets.unix)
        ending = Ending(
            stop=lambda: setattr(server, "should_exit", True),
            detach=lambda: engine.close(keep_datapath=persistence is not None),
        )
        _load_services(services, config)
        if persistence:
            persistence.forget()
    except BaseException as e:
        engine.give_up()
        if isinstance(e, HostError | OSError):
            raise ConfigError(_one_line(e)) from None
        raise
    if persistence:
        _restore(persistence, engine, services, router)
    engine.sweep(writes.not_restored)
    log.info("serving on %s", sockets.shown(config))
    sys.setswitchinterval(SWITCH_S)
    gc.freeze()
    ready()
    with notify.watchdog(engine.is_well):
        server.run([sockets.tcp] if sockets.tcp else [])
    notify.tell("STOPPING=1")
    all_ended = app.close()
    if persistence:
        persistence.close()
    elif all_ended:
        services.unload_all()
    ending.detach()
    log.info("stopped")
    return persistence is not None or not all_ended


def _persistence(config: Config) -> Persistence | None:
    if config.cubes_dump is None:
        return None
    try:
        return Persistence(config.cubes_dump, clean=config.cubes_dump_clean_init)
    except HostError as e:
        raise ConfigError(str(e)) from None


def _restore(persistence: Persistence, engine: Engine, services: Services, router: Router) -> None:
    """All that was there, also of the services that are loaded later."""

    def loaded(service: Service) -> None:
        persistence.restore(service, engine)
        engine.sweep(persistence.not_restored)

    for service in services.all():
        persistence.restore(service, engine)
    persistence.repeat_others(router.answer)
    engine.on_peer_change(persistence.peers_changed)
    services.restore = loaded
    for missing in persistence.not_restored.values():
        goes_on = ", it goes on as it was" if engine.goes_on(missing.cube) else ""
        log.warning("cube %s is not restored%s: %s", missing.cube, goes_on, missing.reason)
    signal.signal(signal.SIGUSR1, lambda *_: threading.Thread(target=persistence.save).start())


def _load_services(services: Services, config: Config) -> None:
    for name, uri in config.services:
        try:
            services.load(name, uri)
        except Refused as e:
            problem = e.problems[0]
            raise ConfigError(f"cannot load service {name}: {problem.message or problem.info}") from None


def _one_line(error: Exception) -> str:
    """What an error of the engine says to people."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return "; ".join([line.strip() for line in (str(error) or repr(error)).splitlines() if line.strip()][:3])


def _service_logfile(config: Config) -> Path:
    """What services are told; nobody opens it, since they log through the host."""
    return config.logfile or Path("/dev/null")
