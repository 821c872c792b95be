"""Who gets through TLS: a real server, real certificates, real handshakes."""

from __future__ import annotations

import http.client
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pcnhost.config import ConfigError, Tls
from pcnhost.rest import door, protocol
from pcnhost.rest.admission import Admission
from pcnhost.rest.asgi import RestApp
from pcnhost.rest.server import build_server
from pcnhost.rest.sockets import listen
from tests.unit.rest.store_host import Host


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the authority `ca`, certificates signed by it (`server`, `alice`, `mallory`) and the
    self-signed `eve` and `bob`: <name>.crt and <name>.key."""
    folder = tmp_path_factory.mktemp("pki")
    new = "-newkey rsa:2048 -nodes"
    authority = "-CA ca.crt -CAkey ca.key -CAcreateserial"
    for name in ("ca", "eve", "bob"):
        _openssl(
            folder,
            f"req -x509 {new} -days 2 -subj /CN={name} -keyout {name}.key -out {name}.crt",
        )
    (folder / "san").write_text("subjectAltName=IP:127.0.0.1")
    for name in ("server", "alice", "mallory"):
        _openssl(folder, f"req {new} -subj /CN={name} -keyout {name}.key -out {name}.csr")
        _openssl(
            folder,
            f"x509 -req -in {name}.csr {authority} -days 2 -extfile san -out {name}.crt",
        )
    return folder


def _openssl(folder: Path, arguments: str) -> None:
    subprocess.run(["openssl", *arguments.split()], cwd=folder, check=True, capture_output=True)


@contextmanager
def serving(host: Host, tls: Tls) -> Iterator[int]:
    """A TLS server of the host; its port."""
    listening = listen("127.0.0.1", 0)
    app = RestApp(host.router, threads=4, admission=Admission())
    server = build_server(tls, app)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        app.close()


def status(pki: Path, port: int, client: str | None) -> int | None:
    """The status of a request with the client's certificate; None when the server did not let it in."""
    context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
    if client:
        context.load_cert_chain(pki / f"{client}.crt", pki / f"{client}.key")
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)
    try:
        connection.request("GET", "/polycube/v1/version")
        return connection.getresponse().status
    except (ssl.SSLError, ConnectionError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def test_authority_admits_whom_it_signed(host: Host, pki: Path) -> None:
    with serving(host, Tls(pki / "server.crt", pki / "server.key", pki / "ca.crt", None, None)) as port:
        admitted = {client: status(pki, port, client) for client in (None, "alice", "mallory", "eve")}
    assert admitted == {None: None, "alice": 200, "mallory": 200, "eve": None}


def test_blacklist_refuses_some_of_them(host: Host, pki: Path) -> None:
    banned = pki / "banned"
    banned.mkdir()
    (banned / "9d75b5b3.0").symlink_to(pki / "mallory.crt")
    with serving(host, Tls(pki / "server.crt", pki / "server.key", pki / "ca.crt", None, banned)) as port:
        admitted = {client: status(pki, port, client) for client in (None, "alice", "mallory", "eve")}
    assert admitted == {None: None, "alice": 200, "mallory": None, "eve": None}


def test_whitelist_admits_exactly_those_listed(host: Host, pki: Path) -> None:
    allowed = pki / "allowed"
    allowed.mkdir()
    for name in ("alice", "eve", "ca"):
        (allowed / f"{name}.pem").write_bytes((pki / f"{name}.crt").read_bytes())
    with serving(host, Tls(pki / "server.crt", pki / "server.key", None, allowed, None)) as port:
        admitted = {client: status(pki, port, client) for client in (None, "alice", "eve", "mallory", "bob")}
    assert admitted == {None: None, "alice": 200, "eve": 200, "mallory": None, "bob": None}


@pytest.mark.parametrize("said", ["nothing", "half a handshake", "a handshake"])
def test_who_says_no_more_has_to_go(
    host: Host, pki: Path, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (door, protocol):
        monkeypatch.setattr(module, "HEAD_S", 0.5)
    with (
        serving(host, Tls(pki / "server.crt", pki / "server.key", pki / "ca.crt", None, None)) as port,
        socket.create_connection(("127.0.0.1", port), 10) as sock,
    ):
        if said == "a handshake":
            context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
            context.load_cert_chain(pki / "alice.crt", pki / "alice.key")
            with context.wrap_socket(sock, server_hostname="127.0.0.1") as inside:
                assert inside.recv(1) == b""
            return
        sock.sendall(b"\x16\x03\x01" if said == "half a handshake" else b"")
        assert sock.recv(1) == b""


def test_useless_files_are_told_at_start(host: Host, pki: Path) -> None:
    app = RestApp(host.router, threads=4, admission=Admission())
    with pytest.raises(ConfigError, match="cannot set up TLS"):
        build_server(Tls(pki / "san", pki / "server.key", pki / "ca.crt", None, None), app)
