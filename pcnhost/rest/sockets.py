"""Where the host listens: TCP, a unix socket, or both."""

from __future__ import annotations

import ipaddress
import logging
import os
import shutil
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

from pcnhost import librarypath
from pcnhost.config import Config, ConfigError

log = logging.getLogger(__name__)

# Connections that wait for the host. A full queue makes whoever floods it pause for a second, each time; a long one
# makes the others wait until all before them have been looked at.
BACKLOG = 512


@dataclass(frozen=True)
class Sockets:
    """Clients may connect to them from now on; they are answered once the server runs."""

    tcp: socket.socket | None
    unix: socket.socket | None
    path: Path | None

    @classmethod
    def of(cls, config: Config) -> Sockets:
        """Raises ConfigError."""
        tcp = listen(config.addr, config.port) if config.tcp else None
        if tcp and not config.tls:
            _refuse_strangers(tcp, config)
        path = config.unix_socket
        return cls(tcp, listen_unix(path, config.unix_group) if path else None, path)

    def shown(self, config: Config) -> str:
        """Their addresses, for people."""
        scheme = "https" if config.tls else "http"
        host = f"[{config.addr}]" if ":" in config.addr else config.addr
        places = ([f"{scheme}://{host}:{config.port}"] if self.tcp else []) + (
            [f"unix:{config.unix_socket}"] if self.unix else []
        )
        return " and ".join(places)

    def close(self) -> None:
        for listening in (self.tcp, self.unix):
            if listening:
                listening.close()
        if self.path:
            self.path.unlink(missing_ok=True)


def listen(addr: str, port: int) -> socket.socket:
    try:
        family, _, _, _, where = socket.getaddrinfo(addr, port, type=socket.SOCK_STREAM)[0]
        listening = socket.create_server(where[:2], family=family, backlog=BACKLOG)
    except OSError as e:
        raise ConfigError(f"cannot listen on {addr}:{port}: {e.strerror}") from None
    # Handed down to connections. Without it, an answer waits 40 ms for the client to acknowledge its headers.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _refuse_strangers(listening: socket.socket, config: Config) -> None:
    """Raises ConfigError when anybody in the network could speak to the host, unless that is wanted."""
    address = ipaddress.ip_address(listening.getsockname()[0].partition("%")[0])
    if address.is_loopback:
        return
    if not config.insecure_remote:
        listening.close()
        raise ConfigError(
            f"without TLS, everybody who reaches {config.addr}:{config.port} would be root of this machine:"
            " give --cert, --key and --cacert, or --insecure-remote if that is what you want"
        )
    log.warning(
        "EVERYBODY WHO REACHES %s:%s IS ROOT OF THIS MACHINE: there is no TLS (--insecure-remote)",
        config.addr,
        config.port,
    )


def listen_unix(path: Path, group: str | None) -> socket.socket:
    """A socket for root, and the group. One that an earlier host has left gives way."""
    listening = socket.socket(socket.AF_UNIX)
    try:
        librarypath.check_owners(path.parent.resolve(), shared=True)
        _remove_stale(path)
        before = os.umask(0o177)
        try:
            listening.bind(os.fspath(path))
        finally:
            os.umask(before)
        if group is not None:
            shutil.chown(path, group=group)
            path.chmod(0o660)
        listening.listen(BACKLOG)
    except LookupError as e:
        path.unlink()
        raise ConfigError(f"cannot listen on {path}: {e}") from None
    except OSError as e:
        raise ConfigError(f"cannot listen on {path}: {e.strerror or e}") from None
    return listening


def _remove_stale(path: Path) -> None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode):
        raise OSError("it exists and is no socket")
    if status.st_uid != os.geteuid():
        raise OSError("it is a socket of another user")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise OSError("another process listens there")
