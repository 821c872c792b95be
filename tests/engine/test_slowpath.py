"""Packets from user space, and log messages."""

import time
from collections.abc import Callable

import pytest

from pcnhost.engine import Engine

from .programs import CABLE, CROSS, DROP, counting, program
from .support import LOG, METADATA, Events, counter, create, eventually
from .wire import Wire, frame

pytestmark = pytest.mark.root

Wires = Callable[[int], list[Wire]]
KINDS = pytest.mark.parametrize("kind", ["TC", "XDP_SKB"])


@KINDS
def test_packet_out_leaves_by_the_port(engine: Engine, wires: Wires, kind: str) -> None:
    a, b = wires(2)
    cube, _ = create(engine, counting(CROSS), type=kind)
    p0, p1 = cube.add_port("p0", {"peer": "w0"}), cube.add_port("p1", {"peer": "w1"})
    p0.send_packet_out(frame(b"by p0"))
    p1.send_packet_out(frame(b"by p1" * 200))
    assert a.receive() == frame(b"by p0")
    assert b.receive() == frame(b"by p1" * 200)
    assert counter(cube, "hits") == 0


@KINDS
def test_recirculated_packet_enters_by_the_port(engine: Engine, wires: Wires, kind: str) -> None:
    _, b = wires(2)
    cube, _ = create(engine, counting(CROSS), type=kind)
    p0 = cube.add_port("p0", {})
    cube.add_port("p1", {"peer": "w1"})
    p0.send_packet_out(frame(b"as if received by p0"), recirculate=True)
    assert b.receive() == frame(b"as if received by p0")
    assert counter(cube, "hits") == 1


@KINDS
def test_packet_out_to_a_cube(engine: Engine, kind: str) -> None:
    cube, _ = create(engine, DROP, type=kind)
    punt = program("pcn_pkt_controller(ctx, md, 4); return RX_DROP;")
    other, events = create(engine, punt, name="c2", type=kind)
    for name in ("x", "y", "z"):
        other.add_port(name, {})
    p0 = cube.add_port("p0", {"peer": "c2:z"})
    other.ports["z"].set_peer("c1:p0")
    p0.send_packet_out(frame(b"to the next cube"))
    assert eventually(lambda: events.packets)
    metadata, packet = events.packets[0]
    assert packet == frame(b"to the next cube")
    assert METADATA.unpack(metadata)[:2] == (other.id, 2)


def test_large_and_tagged_packets_survive(engine: Engine, wires: Wires) -> None:
    (a,) = wires(1)
    cube, events = create(engine, program("pcn_pkt_controller(ctx, md, 4); return RX_DROP;"))
    p0 = cube.add_port("p0", {"peer": "w0"})
    tagged = frame(b"tagged", 0x8100)
    p0.send_packet_out(tagged, recirculate=True)
    big = frame(bytes(range(256)) * 230)
    p0.send_packet_out(big, recirculate=True)
    assert eventually(lambda: len(events.packets) == 2)
    assert [packet for _, packet in events.packets] == [tagged, big]
    p0.send_packet_out(tagged)
    received = a.receive_tagged()
    assert received is not None
    assert received[1] is not None


def test_packet_out_of_a_port_without_peer_is_dropped(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    cube, _ = create(engine, DROP)
    cube.add_port("p0", {}).send_packet_out(frame(b"nowhere"))
    assert "packetout: port c1:p0 is down" in caplog.text


def test_many_packets_in_order_of_their_arrival(engine: Engine, wires: Wires) -> None:
    (a,) = wires(1)
    cube, events = create(engine, program("pcn_pkt_controller(ctx, md, 4); return RX_DROP;"))
    cube.add_port("p0", {"peer": "w0"})
    sent = [frame(b"%d" % i) for i in range(1000)]
    for packet in sent:
        a.send(packet)
    assert eventually(lambda: len(events.packets) == len(sent))
    assert sorted(packet for _, packet in events.packets) == sorted(sent)


def test_a_failing_receiver_does_not_stop_the_next_packet(engine: Engine, wires: Wires) -> None:
    (a,) = wires(1)
    received: list[bytes] = []

    class Failing(Events):
        def packet_in(self, metadata: bytes, packet: bytes) -> None:
            received.append(packet)
            raise RuntimeError("cannot cope")

    punt = program("pcn_pkt_controller(ctx, md, 4); return RX_DROP;")
    cube = engine.create_cube({"name": "c1"}, [punt], [], Failing(), "svc")
    cube.add_port("p0", {"peer": "w0"})
    a.send(frame(b"1"))
    a.send(frame(b"2"))
    assert eventually(lambda: received == [frame(b"1"), frame(b"2")])


def test_no_event_after_destruction(engine: Engine, wires: Wires) -> None:
    (a,) = wires(1)
    cube, events = create(engine, program("pcn_pkt_controller(ctx, md, 4); return RX_DROP;"))
    cube.add_port("p0", {"peer": "w0"})
    for _ in range(200):
        a.send(frame(b"x"))
    engine.destroy_cube("c1")
    seen = len(events.packets)
    assert not eventually(lambda: len(events.packets) > seen, 0.3)


@KINDS
def test_log_messages(engine: Engine, wires: Wires, kind: str) -> None:
    (a,) = wires(1)
    body = """
      pcn_log(ctx, LOG_DEBUG, "left out");
      pcn_log(ctx, LOG_INFO, "port %d of %d, ); %I", md->in_port, 3, 0x0100007f);  // pcn_log("in a comment");
      if (md->in_port) pcn_log(ctx, LOG_ERR, "not reached"); else
        pcn_log(ctx,
                LOG_WARN, "plain");
      return RX_DROP;"""
    cube, events = create(engine, program(body), type=kind)
    cube.add_port("p0", {"peer": "w0"})
    a.send(frame(b"x"))
    assert eventually(lambda: len(events.logs) == 2)
    assert LOG.unpack_from(events.logs[0]) == (0, cube.id, 2, 21, 0, 3, 0x0100007F, 0)
    assert events.logs[0][LOG.size :] == b"port %d of %d, ); %I\0"
    assert LOG.unpack_from(events.logs[1])[2] == 3
    assert events.logs[1][LOG.size :] == b"plain\0"


def test_the_log_level_decides_what_is_compiled(engine: Engine, wires: Wires) -> None:
    (a,) = wires(1)
    hit = 'pcn_log(ctx, LOG_DEBUG, "debug"); pcn_log(ctx, LOG_WARN, "warn"); return RX_DROP;'
    cube, events = create(engine, counting(hit), loglevel="warn")
    assert cube.loglevel == "WARN"
    cube.add_port("p0", {"peer": "w0"})

    def levels() -> set[int]:
        events.logs.clear()
        a.send(frame(b"x"))
        eventually(lambda: len(events.logs) > 1, 0.3)
        return {LOG.unpack_from(record)[2] for record in events.logs}

    assert levels() == {3}
    cube.set_conf({"loglevel": "debug"})
    assert (cube.loglevel, events.levels) == ("DEBUG", ["DEBUG"])
    assert levels() == {1, 3}
    cube.set_log_level("OFF")
    assert levels() == set()
    assert counter(cube, "hits") == 3


def test_the_epoch_is_wall_clock_time(engine: Engine, wires: Wires) -> None:
    (a,) = wires(1)
    body = "u32 k = 0; u64 now = pcn_get_time_epoch(); when.update(&k, &now); return RX_DROP;"
    cube, _ = create(engine, program(body, "BPF_ARRAY(when, u64, 1);"))
    cube.add_port("p0", {"peer": "w0"})
    a.send(frame(b"x"))
    assert eventually(lambda: counter(cube, "when"))
    assert abs(counter(cube, "when") - time.time_ns()) < 5e9


def test_cable_carries_what_the_host_punts_back(engine: Engine, wires: Wires) -> None:
    a, b = wires(2)
    cube, _ = create(engine, CABLE)
    p0 = cube.add_port("p0", {"peer": "w0"})
    cube.add_port("p1", {"peer": "w1"})
    for i in range(50):
        p0.send_packet_out(frame(b"%d" % i), recirculate=bool(i % 2))
    received = [wire.receive() for wire in (a, b) for _ in range(25)]
    assert received == [frame(b"%d" % i) for i in (*range(0, 50, 2), *range(1, 50, 2))]
