"""What is loaded as a service runs as root, so only root says what that may be."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from testbed.api import Api
from testbed.host import SERVICE_LIBRARY, resident_kb, start_host
from testbed.lab import Lab

pytestmark = pytest.mark.root

NOBODY = 65534
MARK = """
#include <fstream>
#include <stdexcept>
#include <unistd.h>
namespace {
struct Early {
  Early() { %s }
} early;
}  // namespace
extern "C" const char *data_model() { %s }
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@pytest.fixture(scope="module")
def place(lab: Lab) -> Iterator[Path]:
    """A directory that root alone can change, unlike what is below /tmp."""
    place = Path(f"/var/lib/{lab.prefix}-libs")
    place.mkdir(mode=0o755)
    yield place
    subprocess.run(["rm", "-rf", str(place)], check=True)


@pytest.fixture(scope="module")
def host(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> tuple[Api, int]:
    api, process = start_host(lab, log=tmp_path_factory.mktemp("host") / "log")
    return api, process.pid


@pytest.fixture
def api(host: tuple[Api, int]) -> Iterator[Api]:
    yield host[0]
    assert host[0].get("services") == []
    assert host[0].get("version")


def compiled(path: Path, early: str = "", model: str = 'return "module x {}";') -> Path:
    """A library that is no service, with this code in an initializer and in data_model()."""
    command = ["g++", "-shared", "-fPIC", "-x", "c++", "-", "-o", str(path)]
    subprocess.run(command, input=MARK % (early, model), text=True, check=True)
    return path


def refusal(api: Api, uri: str | Path) -> str:
    """Why the library is not loaded."""
    start = time.monotonic()
    body = {"type": "lib", "uri": str(uri), "name": "x"}
    answer = requests.post(f"{api.url}/services", json=body, timeout=60)
    assert answer.status_code == 400, answer.text
    assert "Traceback" not in answer.text
    assert time.monotonic() - start < 30
    return answer.text


def leaves(mark: Path) -> str:
    return f'std::ofstream("{mark}") << getuid();'


def test_library_of_another_user(api: Api, place: Path, tmp_path: Path) -> None:
    """Neither a file nor a directory on the way may be in the hands of others. None of its code runs."""
    mark = tmp_path / "mark"
    library = compiled(place / "libmine.so", leaves(mark))
    os.chown(library, NOBODY, NOBODY)
    assert f"{library} does not belong to root" in refusal(api, library)
    os.chown(library, 0, 0)
    library.chmod(0o775)
    assert f"{library} can be written by others than root" in refusal(api, library)
    library.chmod(0o755)
    (place / "open").mkdir()
    (place / "open").chmod(0o1777)
    inside = compiled(place / "open" / "libmine.so", leaves(mark))
    assert f"{place}/open can be written by others than root" in refusal(api, inside)
    (place / "link").symlink_to(inside)
    assert "can be written by others than root" in refusal(api, place / "link")
    assert not mark.exists()
    assert "undefined symbol" in refusal(api, library)  # in order now, but no service
    assert mark.read_text() == "0"


@pytest.mark.parametrize(
    "uri", ["", "libc.so.6", "./libx.so", "build/libpcn-k8slbrp.so", "/a\0b", "~/libx.so"]
)
def test_only_absolute_paths(api: Api, uri: str) -> None:
    assert "an absolute path is expected" in refusal(api, uri)


def test_bridge_beside_the_library_is_not_loaded(api: Api, place: Path, tmp_path: Path) -> None:
    """Not even at the first load of the process, when the bridge is looked for."""
    mark = tmp_path / "mark"
    (place / "near").mkdir(exist_ok=True)
    compiled(place / "near" / "libpcnhost.so", leaves(mark))
    assert "No such file" in refusal(api, place / "near" / "none.so")
    assert not mark.exists()


def test_files_that_are_none(host: tuple[Api, int], api: Api, place: Path) -> None:
    """They neither hold up the host nor fill its memory."""
    fifo = place / "fifo"
    os.mkfifo(fifo)
    before = resident_kb(host[1])
    for uri in [*[fifo] * 20, "/dev/zero", "/proc/kmsg", "/run", "/dev/tty"]:
        why = refusal(api, uri)
        texts = (
            "is not a regular file",
            "is empty",
            "can be written by others",
            "No such device",
            "does not belong to root",
        )
        assert any(text in why for text in texts), why
    sparse = place / "sparse"
    with sparse.open("wb") as file:
        file.truncate(3 << 30)
    assert f"has {3 << 30} bytes, allowed: {64 << 20}" in refusal(api, sparse)
    assert resident_kb(host[1]) - before < 5000
    text = place / "text"
    text.write_text("no library")
    assert f"{text}: " in refusal(api, text)


@pytest.mark.parametrize(
    ("early", "says"),
    [
        ('throw std::runtime_error("early");', "SIGABRT"),
        ("*static_cast<volatile int *>(nullptr) = 1;", "SIGSEGV"),
        ("_exit(3);", "status 3"),
        ("for (;;) pause();", "does not end"),
    ],
)
def test_initializer_that_goes_wrong(api: Api, place: Path, early: str, says: str) -> None:
    library = compiled(place / "libearly.so", early)
    assert says in refusal(api, library)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ('throw std::runtime_error("no model today");', "no model today"),
        ("throw 5;", "unknown exception"),
        ("return nullptr;", "returned NULL"),
    ],
)
def test_data_model_that_goes_wrong(api: Api, place: Path, model: str, says: str) -> None:
    assert says in refusal(api, compiled(place / "libmodel.so", model=model))


def test_service_needs_no_temporary_directory(tmp_path: Path) -> None:
    with Lab() as lab:
        api, process = start_host(lab, log=tmp_path / "log")
        temporary = set(Path("/tmp").iterdir())
        api.post("services", {"type": "lib", "uri": str(SERVICE_LIBRARY), "name": "k8slbrp"})
        assert not [path for path in set(Path("/tmp").iterdir()) - temporary if "pcn" in path.name]
        assert "memfd:libpcn-k8slbrp.so" in Path(f"/proc/{process.pid}/maps").read_text()


def test_directories_can_be_trusted_by_name(place: Path, tmp_path: Path) -> None:
    """`--service-dir` takes what is below it, wherever it came from, and nothing beside it."""
    mine, other = place / "mine", place / "mine2"
    for directory in (mine, other):
        directory.mkdir()
        os.chown(directory, NOBODY, NOBODY)
    for directory in (mine, other):
        library = directory / "libpcn-k8slbrp.so"
        library.write_bytes(SERVICE_LIBRARY.read_bytes())
    with Lab() as lab:
        api, _ = start_host(lab, None, "--service-dir", str(mine), log=tmp_path / "log")
        body = {"type": "lib", "name": "k8slbrp"}
        assert "does not belong to root" in refusal(api, other / "libpcn-k8slbrp.so")
        assert "does not belong to root" in refusal(api, f"{mine}/../mine2/libpcn-k8slbrp.so")
        api.post("services", {**body, "uri": f"{mine}/libpcn-k8slbrp.so"})


def test_descriptors_stay_few(host: tuple[Api, int], api: Api, place: Path) -> None:
    library = compiled(place / "libagain.so")
    refusal(api, library)
    before = len(list(Path(f"/proc/{host[1]}/fd").iterdir()))
    for _ in range(10):
        refusal(api, library)
    # A connection or a thread may come or go meanwhile; one descriptor of each library would be ten.
    assert len(list(Path(f"/proc/{host[1]}/fd").iterdir())) < before + 5
    assert before < resource.getrlimit(resource.RLIMIT_NOFILE)[0]
