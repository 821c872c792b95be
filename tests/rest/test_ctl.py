"""pcnctl against a daemon: what it sends, what it shows, how it ends."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from testbed.host import free_port
from tests.rest.daemon import Daemon

pytestmark = pytest.mark.root

Ctl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def ctl(daemon: Daemon, tmp_path: Path) -> Iterator[Ctl]:
    """Runs pcnctl with the words of a line, or a list of words; maybe with a text as standard input."""
    inherited = {name: text for name, text in os.environ.items() if name != "COLUMNS"}
    environ = {**inherited, "HOME": str(tmp_path), "POLYCUBECTL_URL": f"{daemon.address}/polycube/v1/"}

    def run(line: str | list[str], text: str | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        words = line.split() if isinstance(line, str) else line
        standard_input = subprocess.DEVNULL if text is None else subprocess.PIPE
        process = subprocess.Popen(
            [sys.executable, "-m", "pcnhost.ctl", *words],
            env=environ | more,
            stdin=standard_input,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        output, errors = process.communicate(text, timeout=60)
        return subprocess.CompletedProcess(words, process.returncode, output, errors)

    yield run
    daemon.delete_all_cubes()


def said(done: subprocess.CompletedProcess[str]) -> str:
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_cube_from_first_to_last(ctl: Ctl) -> None:
    assert said(ctl("k8slbrp add c1 port_mode=MULTI loglevel=WARN")) == ""
    assert said(ctl("c1 ports add p1 type=FRONTEND ip=10.0.0.1")) == ""
    assert said(ctl("c1 service add 10.9.0.1 80 TCP name=80")) == ""  # a string that looks like a number
    assert said(ctl("c1 service 10.9.0.1 80 TCP backend add 10.1.0.1 port=8080 weight=2")) == ""
    assert said(ctl("c1 service 10.9.0.1 80 TCP backend 10.1.0.1 set weight=5")) == ""
    assert said(ctl("c1 service 10.9.0.1 80 TCP set name=443")) == ""
    assert said(ctl("c1 src-ip-rewrite set ip-range=10.2.0.0/24 new_ip_range=10.3.0.0/24")) == ""
    assert said(ctl("c1 loglevel show")) == "WARN\n"
    shown = said(ctl("c1 show"))
    assert "loglevel: WARN\n" in shown
    head, row = "name  vip       vport  proto  backend (list)", "443   10.9.0.1  80     tcp    [1 item]"
    assert f"    {head}\n    {row}\n" in shown
    tree = yaml.safe_load(said(ctl("c1 show -yaml -hide=_links,uuid")))
    assert tree["service"][0]["backend"] == [{"name": "", "ip": "10.1.0.1", "port": 8080, "weight": 5}]
    assert "uuid" not in tree["ports"][0]
    assert said(ctl("c1 service del 10.9.0.1 80 TCP")) == ""
    assert said(ctl("c1 service show")) == ""
    assert said(ctl("del c1")) == ""


@pytest.mark.parametrize("name", ["show", "connect", "a=b"])
def test_a_cube_called_like_a_word_of_pcnctl(ctl: Ctl, name: str) -> None:
    said(ctl(f"k8slbrp add -- {name}"))
    said(ctl(f"add type=BACKEND -- k8slbrp {name} ports set"))
    assert said(ctl(f"show -- k8slbrp {name} ports set type")) == "backend\n"
    assert said(ctl(["--complete", "del", "--", "k8slbrp", name, "ports", ""])) == "set\n"
    said(ctl(f"del -- k8slbrp {name}"))
    assert ctl(f"show -- k8slbrp {name}").returncode == 2


def test_body_from_standard_input(ctl: Ctl) -> None:
    body = "ports:\n- {name: p1, type: BACKEND}\nservice:\n- {vip: 10.9.0.1, vport: 80, proto: TCP}\n"
    assert said(ctl("k8slbrp add c1", body)) == ""
    assert yaml.safe_load(said(ctl("c1 service show -yaml")))[0]["vport"] == 80
    assert ctl("c1 service add 10.9.0.2 80 TCP", "a: [").returncode == 3


def test_what_may_follow(ctl: Ctl) -> None:
    said(ctl("k8slbrp add c1"))
    said(ctl("c1 service add 10.9.0.1 80 TCP"))
    root = said(ctl("?"))
    assert "K8s LoadBalancer Reverse-Proxy Service" in root
    assert "of k8slbrp" in root
    add = said(ctl("c1 service add ?"))
    example = "  pcnctl c1 service add 130.192.100.12 80 TCP name=Service-nigx session-affinity=CLIENT_IP"
    assert add.splitlines()[-1] == f"{example} affinity-timeout=10800"
    assert said(ctl("c1 service ?")).splitlines()[-1].split() == ["10.9.0.1", "80", "tcp"]
    assert said(ctl("connect ?")).startswith("Usage:")
    assert ctl("c1 port_mode ?").returncode == 2


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("k8slbrp"[:3], ["k8slbrp"]),
        ("c1 ", ["ports", "service", "sessions", "set", "show", "src-ip-rewrite", "stats", "timeouts"]),
        ("c1 set ", ["loglevel=", "port_mode=", "span=", "unserved-ports="]),
        ("c1 set loglevel=c", ["critical"]),
        ("c1 service add ", ["<vip>", " "]),
        ("c1 service del ", ["10.9.0.1"]),
        ("c1 service del 10.9.0.1 ", ["80"]),
        ("connect c1:", ["c1:p1"]),
        ("nothing here ", []),
    ],
)
def test_completion(ctl: Ctl, line: str, words: list[str]) -> None:
    said(ctl("k8slbrp add c1"))
    said(ctl("c1 ports add p1 type=BACKEND"))
    said(ctl("c1 service add 10.9.0.1 80 TCP"))
    typed = line.split() + ([""] if line.endswith(" ") else [])
    assert said(ctl(["--complete", *typed])).splitlines() == words


def test_bash_types_the_words(ctl: Ctl, daemon: Daemon, tmp_path: Path) -> None:
    """The script really makes bash ask: values after `=` and ports after `:` are completed in place."""
    said(ctl("k8slbrp add c1"))
    said(ctl("c1 ports add p1 type=BACKEND"))
    (tmp_path / "pcnctl").write_text(f'#!/bin/sh\nexec {sys.executable} -m pcnhost.ctl "$@"\n')
    (tmp_path / "pcnctl").chmod(0o755)
    script = """
        eval "$(pcnctl --completion-script)"
        for COMP_LINE in "pcnctl c1 set loglevel=c" "pcnctl connect c1:" "pcnctl c1 por"; do
            COMP_POINT=${#COMP_LINE}
            _pcnctl
            echo "${COMPREPLY[*]}"
        done
    """
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin", "POLYCUBECTL_URL": f"{daemon.address}/polycube/v1/"}
    project = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        ["bash", "-c", script],
        env={**environ, "PYTHONPATH": project, "COMP_WORDBREAKS": " =:"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert said(done).splitlines() == ["critical", "p1", "ports"]


def test_refusals_and_silence(ctl: Ctl) -> None:
    refused = ctl("nothing show")
    assert (refused.returncode, refused.stderr) == (2, "No cube found named nothing\n")
    said(ctl("k8slbrp add c1"))
    refused = ctl("c1 service add 10.9.0.1 80 TCP bogus=1")
    text = "400 Bad Request: bogus: there is no such member, allowed: name, vip, vport, proto, backend"
    text += ", session-affinity, affinity-timeout, source-range\n"
    assert (refused.returncode, refused.stderr, refused.stdout) == (2, text, "")
    usage = ctl("c1 add del")
    assert (usage.returncode, usage.stderr) == (3, "pcnctl: two commands: add and del\n")
    silent = ctl("cubes", POLYCUBECTL_URL=f"http://127.0.0.1:{free_port()}/polycube/v1/")
    assert (silent.returncode, "Connection refused" in silent.stderr) == (1, True)
    assert ctl("cubes", POLYCUBECTL_URL="https://127.0.0.1/").returncode == 1
    assert said(ctl("--help")).startswith("usage: pcnctl")
    assert said(ctl("--version")).startswith("pcnctl ")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("c1 service add", "vip, vport, proto: missing after c1 service"),
        ("c1 service add 10.9.0.1 80", "proto: missing after c1 service 10.9.0.1 80"),
        (
            "c1 service 10.9.0.1 80 TCP source-range add 10.0.0.0/8",
            "prefix-length: missing after c1 service 10.9.0.1 80 TCP source-range 10.0.0.0/8",
        ),
        ("c1 set max-sessions=5", "max-sessions: cannot be changed, only given when c1 is added"),
        ("c1 set uuid=5", "uuid: cannot be set, it only shows"),
        (
            "c1 src-ip-rewrite set ip_range=10.0.0.0/8",
            "ip_range: no member of c1 src-ip-rewrite, allowed: ip-range, new_ip_range",
        ),
        ("c1 stats frontend add", "add: not possible for c1 stats frontend, allowed: show"),
        (
            "k8slbrp c1 src-ip-rewrite foo",
            "foo: unknown after k8slbrp c1 src-ip-rewrite, allowed: set, show",
        ),
        ("nothing add c1", "No cube found named nothing"),
        (
            "c1 service 10.9.0.1 80 TCP delete",
            "delete: unknown after c1 service 10.9.0.1 80 TCP, allowed: set, show, backend, stats, source-range",
        ),
    ],
)
def test_a_refusal_says_what_would_do(ctl: Ctl, line: str, why: str) -> None:
    """Where the daemon says `Method Not Allowed` or `Cannot find a matching route.`"""
    said(ctl("k8slbrp add c1"))
    said(ctl("c1 service add 10.9.0.1 80 TCP"))
    refused = ctl(line)
    assert (refused.returncode, refused.stderr, refused.stdout) == (2, f"{why}\n", "")


def test_a_refusal_of_a_list_is_said(ctl: Ctl) -> None:
    """It comes from standard input, so nothing is missing on the line."""
    said(ctl("k8slbrp add c1"))
    refused = ctl("c1 service add", "[{vip: 10.9.0.1, vport: 99999, proto: TCP}]")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "99999" in refused.stderr
    assert ctl("c1 service add", "").stderr == "vip, vport, proto: missing after c1 service\n"


@pytest.mark.parametrize("word", ["graph", "top", "sessions", "explain", "trace", "check", "doctor"])
def test_help_of_the_words_with_options(ctl: Ctl, word: str) -> None:
    helped = said(ctl(f"help {word}", COLUMNS="80"))
    assert helped.startswith(f"usage: pcnctl {word}")
    assert f"\n{word} " in said(ctl("help"))


def test_the_manual(ctl: Ctl) -> None:
    """Each command of the service's manual, in order; pcnctl speaks polycubectl's language."""
    text = Path("pcn-k8slbrp.md").read_text()
    lines = re.findall(r"^ {4,}polycubectl (.*)$", text, re.MULTILINE)
    assert len(lines) > 10
    for line in lines:
        said(ctl(line.replace(" peer=veth1", "")))  # an interface that need not be here


def test_nothing_changes_without_a_verb(ctl: Ctl, daemon: Daemon) -> None:
    """A shell may turn `?` into the name of a file, and a line may be sent too early."""
    assert ctl("k8slbrp a").returncode == 2
    assert ctl("k8slbrp a port_mode=MULTI").returncode == 3
    said(ctl("k8slbrp add c1"))
    before = daemon.request("GET", "/polycube/v1/cubes").json()
    assert "name: c1" in said(ctl("c1"))
    assert '"name": "c1"' in said(ctl("c1 -json"))
    assert ctl("c1 ports p1").returncode == 2
    assert ctl("c1 ports p1 type=BACKEND").stderr == "pcnctl: what to do with type=: add, set or del?\n"
    assert "k8slbrp" in said(ctl("services"))
    assert "PATH" in said(ctl("services --help"))
    assert daemon.request("GET", "/polycube/v1/cubes").json() == before
    assert said(ctl("help c1 service")) == said(ctl("c1 service ?")) == said(ctl("c1 service --help"))


def test_everything_fits_80_columns(ctl: Ctl) -> None:
    said(ctl("k8slbrp add c1"))
    said(ctl("c1 ports add p1 type=BACKEND"))
    said(ctl("c1 service add 10.9.0.1 80 TCP"))
    for line in (
        "?",
        "cubes",
        "topology",
        "services show -brief",
        "c1 show",
        "c1 show -verbose",
        "c1 ?",
        "c1 set ?",
        "c1 ports add ?",
        "c1 service add ?",
        "k8slbrp add ?",
        "--help",
    ):
        shown = said(ctl(line, COLUMNS="80"))
        assert max(map(len, shown.splitlines())) <= 80, (line, shown)


def test_closed_pipe_is_no_failure(ctl: Ctl, daemon: Daemon) -> None:
    command = f"{sys.executable} -m pcnhost.ctl topology -json | true; echo ${{PIPESTATUS[0]}}"
    environ = {**os.environ, "POLYCUBECTL_URL": f"{daemon.address}/polycube/v1/"}
    done = subprocess.run(["bash", "-c", command], env=environ, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_pcnctl_starts_fast() -> None:
    """Its own modules only; measured as processor time, which a busy machine does not stretch."""
    command = [sys.executable, "-m", "pcnhost.ctl", "--version"]
    before = os.times()
    for _ in range(5):
        subprocess.run(command, capture_output=True, check=True)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    assert spent / 5 < 0.5
