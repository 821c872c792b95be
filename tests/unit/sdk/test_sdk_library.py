"""ServiceLibrary: opening, handlers, errors in both directions, threads, closing."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest

from pcnhost import bridge_dlopen
from pcnhost.library import ErrorTag, Key, LibraryError, Response, ServiceLibrary
from tests.unit.sdk.conftest import CounterService
from tests.unit.sdk.map_engine import MapEngine

ROOT = Path(__file__).parents[3]


def open_library(uri: str | Path) -> ServiceLibrary:
    trusted = [Path(uri).parent] if Path(uri).is_absolute() else []
    return ServiceLibrary.open("test", str(uri), cast(Any, MapEngine()), Path("/dev/null"), trusted)


def refusal(uri: str | Path) -> str:
    with pytest.raises(LibraryError) as error:
        open_library(uri)
    return str(error.value)


def test_file_that_is_missing() -> None:
    assert refusal("/nowhere/libx.so") == (
        "Cannot load service implementation /nowhere/libx.so: "
        "/nowhere/libx.so: cannot open shared object file: No such file or directory"
    )


def test_file_that_is_no_library(tmp_path: Path) -> None:
    broken = tmp_path / "libbroken.so"
    broken.write_text("not a library")
    assert refusal(broken).startswith(f"Cannot load service implementation {broken}: {broken}: ")


def test_library_that_is_no_service() -> None:
    uri = ROOT / "build" / "libpcnhost.so"
    assert refusal(uri) == f"{uri}: undefined symbol: data_model"


def test_name_without_slash_is_searched_for_nowhere() -> None:
    assert refusal("libc.so.6") == (
        "Cannot load service implementation libc.so.6: 'libc.so.6' is not possible, an absolute path is expected"
    )


def test_constants(counter: CounterService) -> None:
    assert counter.library.data_model.startswith("module counter {")
    assert (counter.library.pyang_git, counter.library.swagger_codegen_git) == ("", "")


def test_missing_symbol_is_named(counter: CounterService) -> None:
    counter.library.require("/x.so", ["init", "read_counter_by_id_handler"])
    with pytest.raises(LibraryError, match=r"^/x\.so: undefined symbol: read_nothing$"):
        counter.library.require("/x.so", ["init", "read_nothing", "read_less"])
    with pytest.raises(LibraryError, match="undefined symbol: read_nothing"):
        counter.library.call("read_nothing", "c")


@pytest.mark.root
def test_cube_and_ports(counter: CounterService) -> None:
    cube = counter.create("c1", step=3, ports=[{"name": "p0", "peer": "veth0"}, {"name": "p1"}])
    assert cube.service_name == "counter"
    read = counter.value("read_counter", "c1")
    assert list(read) == [
        *("name", "uuid", "service-name", "type", "loglevel", "ports", "shadow", "span"),
        *("step", "echoes", "total"),
    ]
    assert [port["status"] for port in read["ports"]] == ["UP", "DOWN"]
    assert read["step"] == 3
    assert read["total"] == [{"port": 0, "packets": 0}, {"port": 1, "packets": 0}]

    name = Key("ports_name", "STRING", "p1")
    assert counter.write("update_counter_ports", "c1", {"peer": "veth1"}, name).tag is ErrorTag.OK
    assert counter.value("read_counter_ports", "c1", name)["peer"] == "veth1"
    assert counter.read("delete_counter_ports", "c1", name).tag is ErrorTag.OK
    assert list(cube.ports) == ["p0"]
    counter.delete("c1")
    assert counter.engine.cubes == {}
    assert counter.read("read_counter", "c1") == Response(ErrorTag.DATA_MISSING, "Cube c1 does not exist")


@pytest.mark.root
def test_leaves_and_numeric_keys(counter: CounterService) -> None:
    counter.create("c1")
    assert counter.write("update_counter_step", "c1", 65535).tag is ErrorTag.OK
    assert counter.value("read_counter_step", "c1") == 65535
    assert counter.value("read_counter_total", "c1", Key("port", "UINT16", 9)) == {"port": 9, "packets": 0}
    # Cut to 16 bits, as the real daemon does.
    assert counter.value("read_counter_total", "c1", Key("port", "UINT16", 65545))["port"] == 9


@pytest.mark.root
def test_help(counter: CounterService) -> None:
    counter.create("c1", ports=[{"name": "p0"}])
    assert json.loads(counter.library.call("counter_list_by_id_help", None).message) == [{"name": "c1"}]
    assert json.loads(counter.library.call("counter_total_list_by_id_help", "c1").message) == [{"port": "0"}]


@pytest.mark.root
def test_programs(counter: CounterService) -> None:
    programs = counter.create("c1").programs["INGRESS"]
    text = programs[0]
    assert counter.write("create_counter_swap", "c1", {"drop": True}).tag is ErrorTag.CREATED
    assert programs[0] == "#define DROP_ALL\n" + text
    added = counter.write("create_counter_add_program", "c1", {})
    assert (added.tag, json.loads(added.message)) == (ErrorTag.CREATED, {"index": 1})
    assert counter.write("create_counter_del_program", "c1", {"index": 1}).tag is ErrorTag.CREATED
    assert counter.write("create_counter_del_program", "c1", {"index": 1}) == Response(
        ErrorTag.GENERIC_ERROR, "ebpf program does not exist"
    )


def test_exception_that_leaves_a_handler(counter: CounterService) -> None:
    assert counter.write("create_counter_fail", "c1", {}) == Response(
        ErrorTag.GENERIC_ERROR, "this handler always fails"
    )


@pytest.mark.root
def test_errors_of_the_host_reach_the_client(counter: CounterService) -> None:
    conf = {"name": "c0", "type": "XDP_DRV", "loglevel": "INFO", "shadow": False, "span": False, "step": 1}
    assert counter.write("create_counter", "c0", conf) == Response(
        ErrorTag.GENERIC_ERROR, "failed to init XDP program: no such driver"
    )
    cube = counter.create("c1", ports=[{"name": "p0"}])
    for body, text in (
        ({"name": "p0"}, "Port p0 already exists"),
        ({"name": "p1", "peer": "nowhere"}, "Interface nowhere not found"),
        ({"name": "p1", "peer": "refused"}, "refused by the service"),
    ):
        assert counter.write("create_counter_ports", "c1", body) == Response(ErrorTag.GENERIC_ERROR, text)
        assert list(cube.ports) == ["p0"]  # a port that the service refuses is taken back
    assert counter.read("delete_counter_ports", "c1", Key("ports_name", "STRING", "p1")) == Response(
        ErrorTag.GENERIC_ERROR, "Port p1 does not exist"
    )


@pytest.mark.root
def test_failure_of_the_host_itself_reaches_the_client_and_the_log(
    counter: CounterService, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    cube = counter.create("c1")
    monkeypatch.setattr(cube, "to_json", lambda: {"name": object()})
    response = counter.read("read_counter", "c1")
    assert (response.tag, response.message) == (
        ErrorTag.GENERIC_ERROR,
        "Object of type object is not JSON serializable",
    )
    assert "the host failed in a call of service counter" in caplog.text


@pytest.mark.root
def test_constructor_that_fails_takes_the_cube_back(counter: CounterService) -> None:
    conf = {"type": "TC", "loglevel": "INFO", "shadow": False, "span": False, "step": 1}
    ports = [{"name": "p0"}, {"name": "p0"}]
    response = counter.write("create_counter", "c1", {"name": "c1", **conf, "ports": ports})
    assert response == Response(ErrorTag.GENERIC_ERROR, "Port p0 already exists")
    assert counter.engine.cubes == {}
    counter.create("c1")  # the name is free


@pytest.mark.root
def test_table_that_does_not_exist(counter: CounterService) -> None:
    del counter.create("c1").maps["step"]
    assert counter.read("read_counter_step", "c1") == Response(
        ErrorTag.GENERIC_ERROR, "Table get error: Bad file descriptor"
    )


@pytest.mark.root
def test_many_threads(counter: CounterService) -> None:
    def life(number: int) -> set[int]:
        name = f"c{number}"
        counter.create(name, step=number)
        steps = {counter.value("read_counter_step", name) for _ in range(50)}
        counter.delete(name)
        return steps

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(life, range(40))) == [{number} for number in range(40)]
    assert counter.engine.cubes == {}


def in_background(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.root
def test_close_waits_for_running_calls(counter: CounterService, monkeypatch: pytest.MonkeyPatch) -> None:
    cube = counter.create("c1")
    entered, go_on = threading.Event(), threading.Event()
    answers: list[Response] = []

    def slow_reload(code: str, index: int, direction: str) -> None:
        entered.set()
        assert go_on.wait(10)

    monkeypatch.setattr(cube, "reload", slow_reload)
    caller = in_background(lambda: answers.append(counter.write("create_counter_swap", "c1", {"drop": True})))
    assert entered.wait(10)
    closer = in_background(counter.library.close)
    closer.join(0.2)
    assert closer.is_alive()
    with pytest.raises(LibraryError, match="service counter is not loaded any more"):
        counter.read("read_counter", "c1")
    go_on.set()
    caller.join(10)
    closer.join(10)
    assert not closer.is_alive()
    assert answers == [Response(ErrorTag.CREATED, "")]
    with pytest.raises(LibraryError, match="not loaded any more"):
        counter.library.require("x", ["init"])


FORGETFUL = """
from pathlib import Path
from tests.unit.sdk.conftest import CounterService
service = CounterService(Path({services!r}), Path({logfile!r}))
service.create("c1", ports=[{{"name": "p0"}}])
"""


@pytest.mark.root
def test_process_that_ends_with_a_loaded_service_ends_well(test_services: Path, tmp_path: Path) -> None:
    program = FORGETFUL.format(services=str(test_services), logfile=str(tmp_path / "log"))
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_library_that_stays_mapped_does_not_answer_for_a_later_one(tmp_path: Path) -> None:
    """dlopen() knows what is loaded by its path, too, and a descriptor's number comes back."""
    said = []
    for number in (1, 2):
        library = tmp_path / "version.so"
        command = ["gcc", "-shared", "-Wl,-z,nodelete", "-x", "c", "-", "-o", library]
        subprocess.run(command, input=f"int version(void) {{ return {number}; }}", text=True, check=True)
        with bridge_dlopen.in_memory(str(library), library.read_bytes()) as fd:
            loaded = bridge_dlopen.dlopen(str(library), fd)
        said.append(loaded.version())
        bridge_dlopen.close(loaded)
    assert said == [1, 2]
