"""Events on their way from the engine into a service, above all those that come at a bad moment."""

from __future__ import annotations

import logging
import struct
import threading
import time
from typing import Any

import pytest

from tests.unit.sdk.conftest import CounterService

pytestmark = pytest.mark.root

A, B = b"\x02\0\0\0\0\x0a", b"\x02\0\0\0\0\x0b"
FRAME = A + B + b"\x88\xb5" + b"payload".ljust(46, b"\0")
DEBUG, INFO, ERR = 1, 2, 4


def metadata(port: int, *words: int, cube_id: int = 7, reason: int = 1) -> bytes:
    return struct.pack("<HHIIH3I", cube_id, port, len(FRAME), 5, reason, *(words or (0, 0, 0)))


def log_record(level: int, text: bytes, *args: int) -> bytes:
    return struct.pack("<4H4Q", 0, 7, level, len(text), *(*args, 0, 0, 0, 0)[:4]) + text


def log_lines(caplog: pytest.LogCaptureFixture, cube: str = "c1") -> list[str]:
    """What a cube has logged."""
    return [f"{r.levelname.lower()}: {r.getMessage()}" for r in caplog.records if r.name == cube]


def test_packet_is_delivered_and_answered(counter: CounterService, caplog: pytest.LogCaptureFixture) -> None:
    cube = counter.create("c1", loglevel="DEBUG", ports=[{"name": "p0"}, {"name": "p1"}])
    cube.events.packet_in(metadata(1, 60, 2, 3), FRAME)
    assert cube.ports["p1"].sent == [(B + A + FRAME[12:], False)]
    assert cube.ports["p0"].sent == []
    assert counter.value("read_counter_echoes", "c1") == 1
    assert log_lines(caplog) == ["debug: packet of 60 bytes on p1, reason 1, metadata 60 2 3"]


def test_failures_of_the_service_go_to_the_log_of_the_host(
    counter: CounterService, caplog: pytest.LogCaptureFixture
) -> None:
    cube = counter.create("c1", ports=[{"name": "p0"}])
    cube.events.packet_in(metadata(5), FRAME)
    cube.events.packet_in(metadata(0), FRAME[:9])
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == [
        "Error processing packet in event: Port id 5 does not exist",
        "Error processing packet in event: Malformed packet",
    ]
    cube.events.packet_in(metadata(0), FRAME)
    assert counter.value("read_counter_echoes", "c1") == 1


def test_records_of_a_wrong_size_are_refused(counter: CounterService) -> None:
    events = counter.create("c1").events
    with pytest.raises(ValueError, match="25 bytes"):
        events.packet_in(metadata(0)[:-1], FRAME)
    for short in (b"", log_record(INFO, b"text")[:39], log_record(INFO, b"text")[:-1]):
        with pytest.raises(ValueError, match="cut short"):
            events.log_message(short)


def test_datapath_log_is_written_at_the_level_of_the_cube(
    counter: CounterService, caplog: pytest.LogCaptureFixture
) -> None:
    events = counter.create("c1").events
    events.log_message(log_record(INFO, b"%d bytes from %I port %P", 60, 0x0100000A, 0x5000) + b"\0\0\0")
    events.log_message(log_record(DEBUG, b"not shown"))
    events.log_level("DEBUG")
    events.log_message(log_record(DEBUG, b"shown {}"))
    assert counter.write("update_counter", "c1", {"loglevel": "ERR"}).tag.name == "OK"
    events.log_message(log_record(INFO, b"not shown"))
    events.log_message(log_record(ERR, b"shown too"))
    counter.delete("c1")
    assert log_lines(caplog) == [
        "info: 60 bytes from 10.0.0.1 port 80",
        "debug: shown {}",
        "error: shown too",
    ]


def send_all(events: Any) -> None:
    events.packet_in(metadata(0), FRAME)
    events.log_message(log_record(INFO, b"text"))
    events.log_level("TRACE")


def test_events_after_the_cube_was_destroyed(
    counter: CounterService, caplog: pytest.LogCaptureFixture
) -> None:
    events = counter.create("c1", ports=[{"name": "p0"}]).events
    counter.delete("c1")
    send_all(events)
    again = counter.create("c1", ports=[{"name": "p0"}])  # same name, same address perhaps
    send_all(events)
    assert again.ports["p0"].sent == []
    assert (caplog.text, log_lines(caplog)) == ("", [])


def test_events_after_the_library_was_closed(
    counter: CounterService, caplog: pytest.LogCaptureFixture
) -> None:
    cube = counter.create("c1", ports=[{"name": "p0"}])
    counter.library.close()
    send_all(cube.events)
    assert cube.ports["p0"].sent == []
    assert caplog.text == ""


def test_destruction_waits_for_the_event_that_is_running(
    counter: CounterService, monkeypatch: pytest.MonkeyPatch
) -> None:
    cube = counter.create("c1", ports=[{"name": "p0"}])
    entered, go_on = threading.Event(), threading.Event()

    def slow_send(packet: bytes, recirculate: bool) -> None:
        entered.set()
        assert go_on.wait(10)

    monkeypatch.setattr(cube.ports["p0"], "send_packet_out", slow_send)
    event = threading.Thread(target=lambda: cube.events.packet_in(metadata(0), FRAME))
    event.start()
    assert entered.wait(10)
    deletion = threading.Thread(target=lambda: counter.delete("c1"))
    deletion.start()
    deletion.join(0.2)
    assert deletion.is_alive() and "c1" in counter.engine.cubes
    go_on.set()
    event.join(10)
    deletion.join(10)
    assert counter.engine.cubes == {}


def test_storm_of_events_while_cubes_come_and_go(counter: CounterService) -> None:
    done = threading.Event()

    def storm() -> None:
        known: dict[str, Any] = {}
        while not done.is_set():
            known |= {name: cube.events for name, cube in list(counter.engine.cubes.items())}
            for events in known.values():  # of cubes long gone, too
                send_all(events)

    threads = [threading.Thread(target=storm) for _ in range(4)]
    for thread in threads:
        thread.start()
    echoes = 0
    deadline = time.monotonic() + 60
    for number in range(100):
        counter.create(f"c{number % 3}", loglevel="OFF", ports=[{"name": "p0"}])
        # Let some through: the point is to destroy cubes that are busy.
        while (seen := counter.value("read_counter_echoes", f"c{number % 3}")) < 3:
            assert time.monotonic() < deadline
        echoes += seen
        counter.delete(f"c{number % 3}")
    done.set()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert echoes >= 300
