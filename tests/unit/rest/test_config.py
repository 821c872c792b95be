"""Options of the host: defaults, the file, the command line, and what makes no sense."""

from __future__ import annotations

from pathlib import Path

import pytest

from pcnhost import config
from pcnhost.config import ConfigError, Tls


@pytest.fixture(autouse=True)
def no_installed_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(config, "DEFAULT_FILE", tmp_path / "polycubed.conf")


def test_defaults_need_no_file() -> None:
    found = config.load([])
    assert (found.addr, found.port, found.loglevel, found.logfile) == ("127.0.0.1", 9000, "info", None)
    assert (found.tls, found.cubes_dump, found.daemon, found.services) == (None, None, False, ())


def test_default_file_is_read_when_it_exists(tmp_path: Path) -> None:
    (tmp_path / "polycubed.conf").write_text("port: 9001\n")
    assert config.load([]).port == 9001


def test_command_line_overrides_the_file_even_with_a_default(tmp_path: Path) -> None:
    file = tmp_path / "own.conf"
    file.write_text(
        "# a comment\n\nport: 9001   # another\nloglevel: debug\naddr: ::1\ncubes-dump-enable: true\n"
        "cubes-dump-file: /tmp/c.yaml\nservice: a=/a.so\nservice: b=b.so\n"
    )
    found = config.load(["--configfile", str(file), "-p", "9000", "--service", "c=/c.so"])
    assert (found.port, found.loglevel, found.addr) == (9000, "debug", "::1")
    assert found.cubes_dump == Path("/tmp/c.yaml")
    assert found.services == (("a", "/a.so"), ("b", "b.so"), ("c", "/c.so"))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("colour: red", "unknown option colour"),
        ("loglevel: loud", "loglevel loud is none of"),
        ("port: 0", "out of range, allowed 1..65535"),
        ("addr: ::1\nport: abc", "polycubed.conf:2: port abc is no number"),
    ],
)
def test_file_that_makes_no_sense(tmp_path: Path, content: str, why: str) -> None:
    (tmp_path / "polycubed.conf").write_text(content)
    with pytest.raises(ConfigError, match=why):
        config.load([])


def test_missing_file_is_an_error_when_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        config.load(["--configfile", str(tmp_path / "none.conf")])


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("--cert c", "cert and key go together"),
        ("--cert c --key k", "cacert or cert-whitelist"),
        ("--cert c --key k --cacert a --cert-whitelist w", "excludes"),
        ("--cert c --key k --cert-whitelist w --cert-blacklist b", "excludes"),
        ("--cacert a", "need cert and key"),
        ("--service x", "NAME=URI is expected"),
        ("--threads 1", "allowed 4"),
    ],
)
def test_options_that_make_no_sense(options: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        config.load(options.split())


def test_tls_options() -> None:
    found = config.load(["-c", "cert", "-k", "key", "--cacert", "ca", "--cert-blacklist", "b"])
    assert found.tls == Tls(Path("cert"), Path("key"), Path("ca"), None, Path("b"))
