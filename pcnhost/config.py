"""Options of the host: from the command line and, where that is silent, from a configuration file.

The options and the file format are polycubed's: `option: value` lines, `#` starts a comment.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pcnhost import __version__

DEFAULT_FILE = Path("/etc/polycube/polycubed.conf")
LOG_LEVELS = ("trace", "debug", "info", "warn", "err", "critical", "off")
_UNKNOWN = object()


class ConfigError(ValueError):
    """The options make no sense; the message says why."""


@dataclass(frozen=True)
class Tls:
    """Files of a server for authenticated clients only: `cacert` or `cert_whitelist` says for which."""

    cert: Path
    key: Path
    cacert: Path | None
    cert_whitelist: Path | None
    cert_blacklist: Path | None


@dataclass(frozen=True)
class Config:
    """`services` are (name, uri) pairs to load at start; `logfile` None means standard error. `host_names` are
    those that clients may call the host by, besides its address and those of loopback."""

    addr: str
    port: int
    loglevel: str
    daemon: bool
    logfile: Path | None
    pidfile: Path
    state_dir: Path
    compile_cache: Path | None
    threads: int
    tls: Tls | None
    cubes_dump: Path | None
    cubes_dump_clean_init: bool
    services: tuple[tuple[str, str], ...]
    service_dirs: tuple[Path, ...]
    unix_socket: Path | None
    unix_group: str | None
    tcp: bool
    insecure_remote: bool
    host_names: tuple[str, ...]
    metrics_series: int


def load(arguments: Sequence[str] | None = None) -> Config:
    """The configuration for a command line (default: the process's own).

    Raises ConfigError; exits after --help and --version."""
    parser = _parser()
    given = parser.parse_args(arguments)
    path = given.configfile or DEFAULT_FILE
    if given.configfile or path.exists():
        parser.set_defaults(**_file_options(path, vars(parser.parse_args([]))))
        given = parser.parse_args(arguments)
    return _checked(given)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("pcnhost", description="Embedded host for Polycube services.")
    add = parser.add_argument
    add("-p", "--port", type=int, default=9000, help="port of the REST server (default 9000)")
    add("-a", "--addr", default="127.0.0.1", help="address of the REST server (default 127.0.0.1)")
    add("-l", "--loglevel", default="info", choices=LOG_LEVELS, help="what to log (default info)")
    add("-d", "--daemon", action="store_true", help="run in the background")
    add("-v", "--version", action="version", version=f"pcnhost {__version__}")
    add("-c", "--cert", type=Path, help="certificate of the server")
    add("-k", "--key", type=Path, help="private key of the server")
    add("--cacert", type=Path, help="certificate of the authority that signs clients")
    add("--cert-whitelist", type=Path, help="folder or file of the only allowed client certificates")
    add("--cert-blacklist", type=Path, help="folder or file with certificates of clients to refuse")
    add("--logfile", type=Path, help="file to log to (default standard error)")
    add("--pidfile", type=Path, default=Path("/run/pcnhost.pid"), help="lock file against a second host")
    add("--configfile", type=Path, help=f"options not given here (default {DEFAULT_FILE}, if it exists)")
    add("--cubes-dump-enable", action="store_true", help="keep the cubes, and restore them at start")
    add(
        "--cubes-dump-file",
        type=Path,
        default=Path("/etc/polycube/cubes.yaml"),
        help="file to keep cubes in, and in a journal beside it (default /etc/polycube/cubes.yaml)",
    )
    add(
        "--cubes-dump-clean-init",
        action="store_true",
        help="forget the cubes kept; a damaged file of them is moved to FILE.bad",
    )
    add(
        "--service",
        action="append",
        default=[],
        metavar="NAME=URI",
        help="load a service (repeatable)",
    )
    add(
        "--service-dir",
        action="append",
        default=[],
        metavar="DIR",
        help="load services from below this directory, too, even if others than root can write there (repeatable)",
    )
    add(
        "--unix-socket",
        type=Path,
        help="listen on this unix socket, too: mode 0600, or 0660 with --unix-group",
    )
    add("--unix-group", help="group that may use the unix socket")
    add("--no-tcp", action="store_true", help="listen on the unix socket only")
    add(
        "--insecure-remote",
        action="store_true",
        help="allow --addr to be no loopback address without TLS: who reaches the port is root",
    )
    add(
        "--host-name",
        action="append",
        default=[],
        metavar="NAME",
        help="name of the REST server in requests, besides its address and localhost (repeatable)",
    )
    add("--state-dir", type=Path, default=Path("/sys/fs/bpf/pcnhost"), help="bpffs directory for pinned maps")
    add(
        "--compile-cache",
        default="/var/cache/pcnhost",
        metavar="DIR",
        help="keep compiled programs in this directory (default /var/cache/pcnhost; '': compile anew each time)",
    )
    add(
        "--metrics-series",
        type=int,
        default=10_000,
        metavar="N",
        help="series that a cube's services and backends may have in the metrics (default 10000; 0: none)",
    )
    add("--threads", type=int, default=16, help="requests worked on at the same time (default 16)")
    return parser


def _file_options(path: Path, defaults: Mapping[str, object]) -> dict[str, object]:
    """Option -> value for each line of a configuration file."""
    try:
        lines = path.read_text().splitlines()
    except OSError as e:
        raise ConfigError(f"cannot read {path}: {e.strerror}") from None
    options: dict[str, object] = {}
    repeated: dict[str, list[str]] = {}
    for number, line in enumerate(lines, 1):
        option, _, value = (part.strip() for part in line.partition("#")[0].partition(":"))
        if not option:
            continue
        name = option.replace("-", "_")
        match defaults.get(name, _UNKNOWN):
            case bool():
                options[name] = value.lower() in ("", "true", "yes", "on")
            case int() if not value.removeprefix("-").isdecimal():
                raise ConfigError(f"{path}:{number}: {option} {value} is no number")
            case list():
                repeated.setdefault(name, []).append(value)
            case unknown if unknown is _UNKNOWN:
                raise ConfigError(f"{path}:{number}: unknown option {option}")
            case _:
                options[name] = value
    return {**options, **repeated}


def _checked(given: argparse.Namespace) -> Config:
    if given.loglevel not in LOG_LEVELS:
        raise ConfigError(f"loglevel {given.loglevel} is none of {', '.join(LOG_LEVELS)}")
    if not 0 < given.port < 65536:
        raise ConfigError(f"port {given.port} is out of range, allowed 1..65535")
    if given.no_tcp and not given.unix_socket:
        raise ConfigError("no-tcp needs unix-socket, or nobody could speak to the host")
    if given.unix_group and not given.unix_socket:
        raise ConfigError("unix-group needs unix-socket")
    if given.metrics_series < 0:
        raise ConfigError(f"metrics-series {given.metrics_series} is out of range, allowed 0..")
    if given.threads < 4:
        raise ConfigError(f"threads {given.threads} is out of range, allowed 4..")
    return Config(
        addr=given.addr,
        port=given.port,
        loglevel=given.loglevel,
        daemon=given.daemon,
        logfile=given.logfile,
        pidfile=given.pidfile,
        state_dir=given.state_dir,
        compile_cache=Path(given.compile_cache) if given.compile_cache else None,
        threads=given.threads,
        tls=_tls(given),
        cubes_dump=given.cubes_dump_file if given.cubes_dump_enable else None,
        cubes_dump_clean_init=given.cubes_dump_clean_init,
        services=tuple(_service(text) for text in given.service),
        service_dirs=tuple(Path(text) for text in given.service_dir),
        unix_socket=given.unix_socket,
        unix_group=given.unix_group,
        tcp=not given.no_tcp,
        insecure_remote=given.insecure_remote,
        host_names=tuple(given.host_name),
        metrics_series=given.metrics_series,
    )


def _tls(given: argparse.Namespace) -> Tls | None:
    if not given.cert and not given.key:
        if given.cacert or given.cert_whitelist or given.cert_blacklist:
            raise ConfigError("cacert, cert-whitelist and cert-blacklist need cert and key")
        return None
    if not given.cert or not given.key:
        raise ConfigError("cert and key go together")
    if not given.cacert and not given.cert_whitelist:
        raise ConfigError("cert needs either cacert or cert-whitelist, which say what clients are allowed")
    if given.cert_whitelist and (given.cacert or given.cert_blacklist):
        raise ConfigError("cert-whitelist excludes cacert and cert-blacklist")
    return Tls(given.cert, given.key, given.cacert, given.cert_whitelist, given.cert_blacklist)


def _service(text: str) -> tuple[str, str]:
    name, separator, uri = text.partition("=")
    if not separator or not name or not uri:
        raise ConfigError(f"service {text}: NAME=URI is expected")
    return name, uri
