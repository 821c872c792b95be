"""Between a service and the engine: calls of the service go to the engine, events of its cubes come back."""

from __future__ import annotations

import ctypes
import itertools
import json
import logging
import struct
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pcnhost.bridge import Bridge, CallFunction, HostCalls, SendPacketFunction, TableFdFunction
from pcnhost.errors import HostError

if TYPE_CHECKING:
    from pcnhost.engine import Cube, Engine, Port

log = logging.getLogger(__name__)

PACKET_IN_BYTES = 26  # struct PacketIn
LOG_HEADER = struct.Struct("<4H4Q")  # struct LogMsg: type, cube id, level, length of the text; four arguments


class Events:
    """A cube's events on their way into the service (engine's CubeEvents).

    For any thread. Failures of the service go to the log; events of a cube that is gone are dropped."""

    def __init__(self, bridge: Bridge, sink: int) -> None:
        self._bridge = bridge
        self._sink = sink

    def packet_in(self, metadata: bytes, packet: bytes) -> None:
        if len(metadata) != PACKET_IN_BYTES:
            raise ValueError(f"packet metadata has {len(metadata)} bytes instead of {PACKET_IN_BYTES}")
        if error := self._bridge.packet_in(self._sink, metadata, packet):
            log.error("Error processing packet in event: %s", error)

    def log_message(self, record: bytes) -> None:
        if len(record) < LOG_HEADER.size or len(record) < LOG_HEADER.size + LOG_HEADER.unpack_from(record)[3]:
            raise ValueError(f"log record of {len(record)} bytes is cut short")
        if error := self._bridge.log_message(self._sink, record):
            log.error("Error processing log message: %s", error)

    def log_level(self, level: str) -> None:
        if error := self._bridge.log_level(self._sink, level):
            log.error("Error changing the log level: %s", error)


def _port(cube: Cube, name: str) -> Port:
    try:
        return cube.ports[name]
    except KeyError:
        raise HostError(f"Port {name} does not exist") from None


def _add_port(cube: Cube, name: str, conf: dict[str, Any]) -> dict[str, Any]:
    port = cube.add_port(name, conf)
    return {"index": port.index, "uuid": str(port.uuid)}


# What HostCube and HostPort (sdk/host) ask of a cube: method -> function of the cube and the arguments.
CUBE_METHODS: Mapping[str, Callable[..., Any]] = {
    "reload": lambda cube, code, index, direction: cube.reload(code, index, direction),
    "add_program": lambda cube, code, index, direction: cube.add_program(code, index, direction),
    "del_program": lambda cube, index, direction: cube.del_program(index, direction),
    "index": lambda cube, direction: cube.index(direction),
    "set_log_level": lambda cube, level: cube.set_log_level(level),
    "loglevel": lambda cube: cube.loglevel,
    "shadow": lambda cube: cube.shadow,
    "span": lambda cube: cube.span,
    "set_span": lambda cube, span: cube.set_span(span),
    "set_conf": lambda cube, conf: cube.set_conf(conf),
    "to_json": lambda cube: cube.to_json(),
    "add_port": _add_port,
    "remove_port": lambda cube, name: cube.remove_port(name),
    "port_set_peer": lambda cube, name, peer: _port(cube, name).set_peer(peer),
    "port_peer": lambda cube, name: _port(cube, name).peer,
    "port_status": lambda cube, name: _port(cube, name).status,
    "port_set_conf": lambda cube, name, conf: _port(cube, name).set_conf(conf),
    "port_to_json": lambda cube, name: _port(cube, name).to_json(),
}


class EngineCalls:
    """The table of functions that a service library calls, and the cubes it has made.

    Each cube has a number that is never used again: a call by way of a destroyed cube cannot reach a later
    one of the same name."""

    def __init__(self, bridge: Bridge, engine: Engine, service_name: str) -> None:
        self._bridge = bridge
        self._engine = engine
        self._service_name = service_name
        self._cubes: dict[int, Cube] = {}
        self._numbers = itertools.count(1)
        self.table = HostCalls(
            CallFunction(self._call), TableFdFunction(self._table_fd), SendPacketFunction(self._send_packet)
        )

    def _call(self, handle: int, method: bytes, arguments: bytes, reply: int) -> int:
        return self._answer(reply, lambda: self._run(handle, method.decode(), json.loads(arguments)))

    def _run(self, handle: int, method: str, arguments: list[Any]) -> Any:
        if method == "create_cube":
            return self._create_cube(*arguments)
        if method == "destroy":
            return self._engine.destroy_cube(self._cubes.pop(handle).name)
        return CUBE_METHODS[method](self._cube(handle), *arguments)

    def _create_cube(
        self, conf: dict[str, Any], ingress: list[str], egress: list[str], sink: int
    ) -> dict[str, Any]:
        events = Events(self._bridge, sink)
        cube = self._engine.create_cube(conf, ingress, egress, events, self._service_name)
        handle = next(self._numbers)
        self._cubes[handle] = cube
        return {
            "handle": handle,
            "id": cube.id,
            "uuid": str(cube.uuid),
            "name": cube.name,
            "service-name": cube.service_name,
            "type": cube.type,
        }

    def _cube(self, handle: int) -> Cube:
        try:
            return self._cubes[handle]
        except KeyError:
            raise HostError("the cube does not exist any more") from None

    def _table_fd(self, handle: int, table: bytes, index: int, egress: int) -> int:
        try:
            fd: int = self._cube(handle).table_fd(table.decode(), index, "EGRESS" if egress else "INGRESS")
            return fd
        except Exception as e:
            log.debug("table %r: %s", table, e)
            return -1

    def _send_packet(
        self, handle: int, port: bytes, packet: int, length: int, recirculate: int, reply: int
    ) -> int:
        data = ctypes.string_at(packet, length)
        return self._answer(
            reply, lambda: _port(self._cube(handle), port.decode()).send_packet_out(data, bool(recirculate))
        )

    def _answer(self, reply: int, work: Callable[[], Any]) -> int:
        """Hand the result of `work` to the caller in C++, as JSON, or the text of what it raised."""
        try:
            text, status = json.dumps(work()), 0
        except HostError as e:
            text, status = str(e), -1
        except Exception as e:
            log.exception("the host failed in a call of service %s", self._service_name)
            text, status = str(e) or type(e).__name__, -1
        self._bridge.reply(reply, text)
        return status
