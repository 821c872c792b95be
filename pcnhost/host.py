"""The host as a whole: engine, services and REST server, in the order they start and stop."""

from __future__ import annotations

import logging
import signal
from pathlib import Path

from pcnhost.config import Config, ConfigError
from pcnhost.engine import Engine
from pcnhost.errors import HostError
from pcnhost.persistence import CubesDump
from pcnhost.rest.answers import Refused
from pcnhost.rest.asgi import RestApp
from pcnhost.rest.daemon import NAMES, Daemon
from pcnhost.rest.router import Router
from pcnhost.rest.server import authority, build_server, listen
from pcnhost.rest.services import Services

log = logging.getLogger(__name__)


def run(config: Config) -> bool:
    """Serve until SIGINT or SIGTERM. Raises ConfigError when it cannot start.

    Returns whether the cubes are left running for the next host. Then the process must end without destroying
    a single object, because services clean up after their cubes."""
    socket = listen(config.addr, config.port)
    try:
        engine = Engine(log=logging.getLogger("pcnhost.engine"), state_dir=config.state_dir)
    except HostError as e:
        raise ConfigError(str(e)) from None
    dump = CubesDump(config.cubes_dump, engine) if config.cubes_dump else None
    changed = dump.changed if dump else _ignore
    where = authority(config)
    services = Services(engine, _service_logfile(config), where, changed, NAMES)
    app = RestApp(Router(engine, services, Daemon(engine, services, where, changed)), config.threads)
    server = build_server(config.tls, app)
    # The running server has handlers of its own; before and after, a signal must not end the process midway.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: setattr(server, "should_exit", True))
    _load_services(services, config)
    if dump:
        dump.start(services)
        dump.clear() if config.cubes_dump_clean_init else dump.restore(services)
    engine.sweep()
    log.info("serving on %s://%s", "https" if config.tls else "http", where)
    server.run([socket])
    app.close()
    if dump:
        dump.stop()
    else:
        services.unload_all()
    engine.close(keep_datapath=dump is not None)
    log.info("stopped")
    return dump is not None


def _load_services(services: Services, config: Config) -> None:
    for name, uri in config.services:
        try:
            services.load(name, uri)
        except Refused as e:
            log.error("Error loading %s: %s", name, e.problems[0].info)


def _service_logfile(config: Config) -> Path:
    """Services open their log by name."""
    if config.logfile:
        return config.logfile
    stderr = Path("/dev/stderr")
    try:
        stderr.open("a").close()
    except OSError:  # for example a socket of the journal, which cannot be opened by name
        return Path("/dev/null")
    return stderr


def _ignore(cube: str) -> None:
    """Nobody keeps track of changes."""
