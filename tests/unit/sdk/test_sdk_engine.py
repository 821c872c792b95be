"""The counter service on the real engine: everything between a packet on a wire and the service's C++."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pcnhost.engine import Engine
from tests.engine.conftest import engine, netns, start_engine, wires  # noqa: F401  (fixtures)
from tests.engine.wire import Wire, frame
from tests.unit.sdk.conftest import CounterService

pytestmark = pytest.mark.root

PLAIN = 0x88B6  # the second experimental Ethernet type; the first one is for the slow path
A, B = bytes.fromhex("020000000002"), bytes.fromhex("020000000001")  # as in frame()


@pytest.fixture
def counter(engine: Engine, test_services: Path, tmp_path: Path) -> Iterator[CounterService]:  # noqa: F811
    service = CounterService(test_services, tmp_path / "service.log", engine)
    try:
        yield service
    finally:
        service.library.close()


@pytest.fixture
def ends(counter: CounterService, wires: Callable[[int], list[Wire]]) -> list[Wire]:  # noqa: F811
    """The cube c1 with two connected ports, and the wires they are connected to."""
    made = wires(2)
    counter.create("c1", step=2, ports=[{"name": f"p{i}", "peer": f"w{i}"} for i in range(2)])
    return made


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def totals(counter: CounterService) -> list[int]:
    return [entry["packets"] for entry in counter.value("read_counter_total_list", "c1")]


def test_packets_are_passed_on_and_counted(counter: CounterService, ends: list[Wire]) -> None:
    a, b = ends
    a.send(frame(b"there", PLAIN))
    assert b.receive() == frame(b"there", PLAIN)
    b.send(frame(b"back", PLAIN))
    assert a.receive() == frame(b"back", PLAIN)
    assert totals(counter) == [2, 2]
    counter.write("update_counter_step", "c1", 10)
    a.send(frame(b"again", PLAIN))
    assert b.receive() == frame(b"again", PLAIN)
    assert totals(counter) == [12, 2]
    assert json.loads(counter.write("create_counter_reset", "c1", {}).message) == {"packets": 14}
    assert totals(counter) == [0, 0]


def test_slow_path_there_and_back(counter: CounterService, ends: list[Wire]) -> None:
    a, b = ends
    a.send(frame(b"echo"))
    assert a.receive() == B + A + frame(b"echo")[12:]
    assert b.silent()
    assert counter.value("read_counter_echoes", "c1") == 1


def test_maps_survive_a_new_program(counter: CounterService, ends: list[Wire]) -> None:
    a, b = ends
    a.send(frame(b"1", PLAIN))
    assert b.receive() == frame(b"1", PLAIN)
    assert counter.write("create_counter_swap", "c1", {"drop": True}).tag.name == "CREATED"
    a.send(frame(b"2", PLAIN))
    assert b.silent()
    wait_for(lambda: totals(counter) == [4, 0])
    assert counter.write("create_counter_swap", "c1", {"drop": False}).tag.name == "CREATED"
    a.send(frame(b"3", PLAIN))
    assert b.receive() == frame(b"3", PLAIN)
    assert totals(counter) == [6, 0]


def test_log_of_the_datapath(
    counter: CounterService, ends: list[Wire], caplog: pytest.LogCaptureFixture
) -> None:
    assert counter.write("update_counter", "c1", {"loglevel": "DEBUG"}).tag.name == "OK"
    ends[1].send(frame(b"x", PLAIN))
    said = ("c1", logging.DEBUG, "60 bytes on port 1")
    wait_for(lambda: said in caplog.record_tuples)


def test_further_program(counter: CounterService, ends: list[Wire]) -> None:
    assert json.loads(counter.write("create_counter_add_program", "c1", {}).message) == {"index": 1}
    assert counter.write("create_counter_del_program", "c1", {"index": 1}).tag.name == "CREATED"
    gone = counter.write("create_counter_del_program", "c1", {"index": 1})
    assert (gone.tag.name, gone.message) == ("GENERIC_ERROR", "ebpf program does not exist")


def test_errors_of_the_engine(counter: CounterService, ends: list[Wire]) -> None:
    taken = counter.write("create_counter_ports", "c1", {"name": "p0"})
    assert (taken.tag.name, taken.message) == ("GENERIC_ERROR", "Port p0 already exists")
    counter.delete("c1")
    assert counter.engine.cubes == {}
