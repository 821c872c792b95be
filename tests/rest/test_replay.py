"""Every recorded request again: the recorded answers, or those that differences.tsv lists.

With POLYCUBE_URL the daemon is another one, best a freshly started one: polycubed remembers names of cubes it
has not made. It may also answer what polycubed.tsv lists: where a real polycubed gets in the service's way."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from testbed.host import service_library, start_host
from testbed.lab import Lab
from tests.rest import recording
from tests.rest.daemon import Daemon
from tests.rest.normal import normal
from tests.rest.recording import SECTIONS, Recorded

DIFFERENCES = Path(__file__).parent / "differences.tsv"
POLYCUBED = Path(__file__).parent / "polycubed.tsv"
RECORDED_URI = "/usr/lib/libpcn-k8slbrp.so"


@dataclass(frozen=True)
class Difference:
    """A row of the table; `theirs` and `ours` are a status, a blank and a normalised text."""

    line: int
    request: str
    theirs: str
    ours: str
    why: str


def differences(path: Path = DIFFERENCES) -> dict[int, Difference]:
    with path.open(newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        table = [Difference(int(row.pop("line")), **row) for row in rows]
    return {row.line: row for row in table}


def spelled(recorded: Recorded, status: int, text: str) -> str:
    """An answer as it stands in the table."""
    status, text = normal(recorded, status, text)
    return f"{status} {text}".replace("\n", " ").replace("\t", " ").strip()


def theirs(recorded: Recorded) -> str:
    return spelled(recorded, recorded.status, recorded.response)


NAMES = ("k8slbrp",) if "POLYCUBE_URL" in os.environ else ("k8slbrp", "lbrp")


@pytest.fixture(scope="module", params=NAMES)
def answers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[int, str]]:
    """Line -> our answer, for the whole recording in order, under each name of the service."""
    if request.param == "k8slbrp":
        yield replay(request.getfixturevalue("daemon"), request.getfixturevalue("service_uri"), SAME)
        return
    library = str(service_library(request.param))
    with Lab() as lab:
        log = tmp_path_factory.mktemp("rest") / "log"
        api, _ = start_host(lab, None, "--service", f"{request.param}={library}", log=log)
        daemon = Daemon(api.url.removesuffix("/polycube/v1"), service=request.param)
        yield replay(daemon, library, OtherName(request.param))


class SameName:
    """Requests and answers as they are."""

    def request(self, recorded: Recorded) -> tuple[str, str | None]:
        return recorded.path, recorded.body

    def answer(self, text: str) -> str:
        return text


SAME = SameName()


class OtherName(SameName):
    """The same for a service of another name, whose cubes are in MULTI mode only if a request says so."""

    def __init__(self, name: str) -> None:
        self._name = name

    def request(self, recorded: Recorded) -> tuple[str, str | None]:
        path = recorded.path.replace("k8slbrp", self._name)
        body = recorded.body and re.sub(r"(?<!libpcn-)k8slbrp", self._name, recorded.body)
        if recorded.method in ("POST", "PUT") and _A_CUBE.fullmatch(recorded.path):
            body = _in_multi_mode(body)
        return path, body

    def answer(self, text: str) -> str:
        return re.sub(f"(?<!k8s){self._name}", "k8slbrp", text)


_A_CUBE = re.compile(r"/polycube/v1/k8slbrp(/[^/]*)?/?")


def _in_multi_mode(body: str | None) -> str | None:
    try:
        value = json.loads(body or "{}")
    except ValueError:
        return body
    return (
        json.dumps({**value, "port_mode": "MULTI"})
        if isinstance(value, dict) and "port_mode" not in value
        else body
    )


def replay(daemon: Daemon, uri: str, name: SameName) -> dict[int, str]:
    ours = {}
    for recorded in recording.load():
        if recorded.line in SECTIONS:
            daemon.delete_all_cubes()
        path, body = name.request(recorded)
        body = body and body.replace(RECORDED_URI, uri)
        answer = daemon.request(recorded.method, path, body)
        text = name.answer(answer.text.replace(uri, RECORDED_URI))
        ours[recorded.line] = spelled(recorded, answer.status_code, text)
    daemon.delete_all_cubes()
    return ours


@pytest.mark.root
def test_answers_are_the_recorded_ones_unless_listed(answers: dict[int, str]) -> None:
    listed = differences()
    unlisted = [
        f"{r.line} {r.request}\n  theirs {theirs(r)}\n  ours   {answers[r.line]}"
        for r in recording.load()
        if r.line not in listed and theirs(r) != answers[r.line]
    ]
    assert not unlisted, f"{len(unlisted)} unlisted differences:\n" + "\n".join(unlisted)


@pytest.mark.root
def test_listed_differences_are_exact(answers: dict[int, str]) -> None:
    """Another daemon may also answer what was recorded: some rows are the host's, some the service's."""
    listed = {row.line: {row.ours} for row in differences().values()}
    if "POLYCUBE_URL" in os.environ:
        for row in (*differences().values(), *differences(POLYCUBED).values()):
            listed[row.line] |= {row.ours, row.theirs}
    wrong = [
        f"{row.line} {row.request}\n  listed {row.ours}\n  ours   {answers[row.line]}"
        for row in differences().values()
        if answers[row.line] not in listed[row.line]
    ]
    assert not wrong, f"{len(wrong)} rows do not say what is answered:\n" + "\n".join(wrong)


def test_table_matches_the_recording() -> None:
    lines = {r.line: r for r in recording.load()}
    for row in (*differences().values(), *differences(POLYCUBED).values()):
        assert row.request == lines[row.line].request
        assert row.theirs == theirs(lines[row.line])
        assert row.theirs != row.ours, f"{row.line}: not a difference"
        assert row.why
