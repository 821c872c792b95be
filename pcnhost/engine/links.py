"""Who is connected to whom, and the forwarding maps that follow from it.

Every public method takes the engine's lock.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import struct
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from pcnhost.engine.netdev import XDP_MODES, Netdevs
from pcnhost.engine.netlink import NetlinkError
from pcnhost.engine.panel import Panel, egress_node, ingress_node, target
from pcnhost.engine.port import Port
from pcnhost.engine.source import Hook
from pcnhost.errors import HostError

if TYPE_CHECKING:
    from pcnhost.engine.cube import Cube

NOWHERE = (0, 0)
_HOP = struct.Struct("=II6sH")  # struct _POLYCUBE_peer_info: ifindex, target, far_mac, direct

Hop = tuple[int, int]


class PacketOut(Protocol):
    """Injects packets into the datapath."""

    def send(self, hop: Hop, hook: Hook, packet: bytes) -> None: ...


class Links:
    """The connections of all ports. `cubes` is the engine's live view of its cubes.

    The peer of a port is what is wanted. A netdev that disappears stays wanted, and so does one that is not there
    when a cube is restored: it is attached as soon as it is there."""

    def __init__(
        self,
        lock: threading.RLock,
        panel: Panel,
        netdevs: Netdevs,
        packet_out: PacketOut,
        log: logging.Logger,
    ) -> None:
        self._lock = lock
        self._panel = panel
        self._netdevs = netdevs
        self._packet_out = packet_out
        self._log = log
        self._by_netdev: dict[str, Port] = {}  # what is attached
        self._waiting: list[Port] = []  # for a netdev that is not there, or that the kernel refuses
        self._restoring: set[str] = set()
        self.cubes: Mapping[str, Cube] = {}

    def find_port(self, path: str) -> Port:
        """The port `cube:port`; raises HostError."""
        cube_name, _, port_name = path.partition(":")
        cube = self.cubes.get(cube_name)
        if cube is None:
            raise HostError(f"Cube {cube_name} does not exist")
        if port_name not in cube.ports:
            raise HostError(f"Port {port_name} does not exist")
        return cube.ports[port_name]

    @contextmanager
    def restoring(self, cube: str) -> Iterator[None]:
        """Meanwhile the ports of this cube may want what they cannot have yet."""
        with self._lock:
            self._restoring.add(cube)
        try:
            yield
        finally:
            with self._lock:
                self._restoring.discard(cube)

    def why_down(self, port: Port) -> str:
        """Why packets cannot leave by the port; empty when they can."""
        with self._lock:
            if port.up:
                return ""
            if not port.peer:
                return "it has no peer"
            if ":" not in port.peer:
                return port.problem
            other = self._port_at(port.peer)
            if other is None:
                return f"{port.peer} does not exist"
            if other.peer != port.path:
                return f"{port.peer} has {other.peer or 'nothing'} as its peer"
            return self._kinds_differ(port, other)

    def set_peer(self, port: Port, peer: str) -> None:
        with self._lock:
            _check_present(port)
            if ":" in peer:
                if port.cube.name not in self._restoring:
                    self._check_peer(port, peer)
                if peer != port.peer:
                    self._leave(port)
                    port.peer = peer
            elif peer:
                self._want_netdev(port, peer)
            else:
                port.adopted = False
                self._leave(port)
            self._refresh_with_other(port)

    def port_added(self, port: Port) -> None:
        """A port whose name may already be somebody's peer."""
        with self._lock:
            for other in self._naming(port):
                self._refresh(other)
            self._refresh(port)

    def port_removed(self, port: Port) -> None:
        """The port is already missing in its cube: no packet shall reach it or leave by it."""
        with self._lock:
            port.adopted = False
            self._leave(port)
            self._refresh(port)
            for other in self._naming(port):
                self._refresh(other)

    def egress_changed(self, cube: Cube) -> None:
        """The first egress program of the cube has appeared or gone."""
        with self._lock:
            for port in cube.ports.values():
                if port.ifindex:
                    self._change_egress(port)
                self._refresh(port)

    def netdev_gone(self, ifindex: int) -> None:
        """The kernel has removed a netdev."""
        with self._lock:
            for name, port in list(self._by_netdev.items()):
                if port.ifindex == ifindex:
                    self._log.info("netdev %s is gone, port %s goes down", name, port.path)
                    del self._by_netdev[name]
                    self._netdevs.gone(name)
                    port.ifindex, port.far_mac = 0, None
                    self._wait(port, _missing(name))
                    self._refresh(port)

    def netdev_changed(self, ifindex: int) -> None:
        """The kernel has reported something about a netdev that is still there."""
        with self._lock:
            for port in self._by_netdev.values():
                if port.ifindex == ifindex:
                    self._look_at_far_end(port)
                    self._refresh(port)
            if self._waiting:
                try:
                    name = socket.if_indextoname(ifindex)
                except OSError:
                    return  # it has just gone
                self._attach_waiting(name)

    def check_netdevs(self) -> None:
        """Looks at all netdevs, for when reports about them may have been missed."""
        with self._lock:
            for port in list(self._by_netdev.values()):
                if self._netdevs.exists(port.ifindex):
                    self.netdev_changed(port.ifindex)
                else:
                    self.netdev_gone(port.ifindex)
            for port in list(self._waiting):
                self._attach_waiting(port.peer)

    def stop_watching(self) -> None:
        """No change of a netdev will be noticed any more: nothing may rely on how they are now."""
        with self._lock:
            for port in self._by_netdev.values():
                port.far_mac = None
                self._refresh(port)

    def end_adoption(self, kept: Collection[str] = ()) -> None:
        """Forgets every forwarding entry that nobody has taken over, but for those into the cubes `kept`."""
        with self._lock:
            for cube in self.cubes.values():
                for index in range(cube.max_ports):
                    if index not in {port.index for port in cube.ports.values()}:
                        self._write(cube, index, NOWHERE, NOWHERE)
                for port in cube.ports.values():
                    port.adopted = port.adopted and port.peer.partition(":")[0] in kept
                    self._refresh(port)

    def send_packet_out(self, port: Port, packet: bytes, recirculate: bool) -> None:
        with self._lock:
            _check_present(port)
            if not recirculate and not port.up:
                self._log.warning("packetout: port %s is down", port.path)
                return
            hop = (0, target(port.index, ingress_node(port.cube.id)))
            if not recirculate:
                hop, _ = self._hops(port)
        try:
            self._packet_out.send(hop, port.cube.hook, packet)
        except OSError as e:
            raise HostError(f"packetout: {e.strerror}") from None

    def _want_netdev(self, port: Port, name: str) -> None:
        try:
            self._set_netdev(port, name)
        except HostError as e:
            if port.cube.name not in self._restoring:
                raise
            self._log.warning("%s cannot be connected to %s: %s", port.path, name, e)
            if port.peer != name:
                self._leave(port)
                port.peer = name
            self._wait(port, str(e))
        else:
            self._look_at_far_end(port)

    def _wait(self, port: Port, problem: str) -> None:
        port.problem = problem
        if port not in self._waiting:
            self._waiting.append(port)

    def _attach_waiting(self, name: str) -> None:
        """Attaches the netdev to the first port that waits for it, if it is there."""
        port = next((port for port in self._waiting if port.peer == name), None)
        if port is None or name in self._by_netdev or self._netdevs.find(name) is None:
            return
        try:
            self._set_netdev(port, name)
        except HostError as e:
            port.problem = str(e)
            return
        self._log.info("netdev %s is there, port %s is connected", name, port.path)
        self._look_at_far_end(port)
        self._refresh(port)

    def _set_netdev(self, port: Port, name: str) -> None:
        ifindex = self._netdevs.find(name)
        if ifindex is None:
            raise HostError(_missing(name))
        waiting = next((other for other in self._waiting if other.peer == name), port)
        other = self._by_netdev.get(name, waiting)
        if other is not port:
            raise HostError(f"Iface already in use: {name} is the peer of {other.path}, allowed: one without")
        if (port.peer, port.ifindex) == (name, ifindex):
            return
        self._leave(port)
        try:
            self._attach(port, name, ifindex)
        except NetlinkError as e:
            self._log.error("cannot attach %s to %s: %s", port.path, name, e)
            self._netdevs.detach(name)
            if e.code == errno.ENODEV:
                raise HostError(_missing(name)) from None
            raise HostError(f"Error setting peer: {e}") from None
        self._by_netdev[name] = port
        port.peer, port.ifindex = name, ifindex
        if port in self._waiting:
            self._waiting.remove(port)

    def _attach(self, port: Port, name: str, ifindex: int) -> None:
        cube = port.cube
        program_fd = self._panel.load_entry(cube.hook, port.index, ingress_node(cube.id))
        try:
            if cube.hook is Hook.TC:
                self._netdevs.attach_tc(name, ifindex, program_fd)
            else:
                self._netdevs.attach_xdp(name, ifindex, program_fd, XDP_MODES[cube.type])
        finally:
            os.close(program_fd)
        self._attach_egress(port, name)

    def _attach_egress(self, port: Port, netdev: str) -> None:
        if not port.cube.has_egress:
            self._netdevs.set_egress(netdev, None)
            return
        program_fd = self._panel.load_entry(Hook.TC, port.index, egress_node(port.cube.id))
        try:
            self._netdevs.set_egress(netdev, program_fd)
        finally:
            os.close(program_fd)

    def _change_egress(self, port: Port) -> None:
        try:
            self._attach_egress(port, port.peer)
        except NetlinkError:
            if self._netdevs.exists(port.ifindex):
                raise
            return  # it has just gone, which will be reported
        self._look_at_far_end(port)

    def _look_at_far_end(self, port: Port) -> None:
        """Finds out whether packets may skip the netdev that is the port's peer."""
        port.far_mac = self._netdevs.far_mac(port.ifindex) if port.cube.hook is Hook.TC else None

    def _leave(self, port: Port) -> None:
        """Takes the port away from its peer."""
        left, port.peer, port.far_mac = port.peer, "", None
        if port in self._waiting:
            self._waiting.remove(port)
        if port.ifindex:
            self._refresh(port)
            port.ifindex = 0
            del self._by_netdev[left]
            self._netdevs.detach(left)
            self._attach_waiting(left)
        elif left:
            self._refresh(port)
            if other := self._port_at(left):
                self._refresh(other)

    def _check_peer(self, port: Port, peer: str) -> None:
        if peer == port.path:
            raise HostError(f"peer: {peer} is the port itself, allowed: another port, a network interface")
        other = self._port_at(peer)
        if other and other.cube.hook is not port.cube.hook:
            raise HostError(self._kinds_differ(port, other))

    @staticmethod
    def _kinds_differ(port: Port, other: Port) -> str:
        kinds = f"{port.path} is {port.cube.hook.name}, {other.path} is {other.cube.hook.name}"
        return f"It is not possible to connect TC and XDP ports: {kinds}"

    def _port_at(self, path: str) -> Port | None:
        cube_name, _, port_name = path.partition(":")
        cube = self.cubes.get(cube_name)
        return cube.ports.get(port_name) if cube else None

    def _naming(self, port: Port) -> list[Port]:
        """The ports that have this one as their peer."""
        return [p for cube in self.cubes.values() for p in cube.ports.values() if p.peer == port.path]

    def _refresh_with_other(self, port: Port) -> None:
        self._refresh(port)
        if other := self._port_at(port.peer):
            self._refresh(other)

    def _refresh(self, port: Port) -> None:
        """Brings state and forwarding entries of the port in line with its peer."""
        port.up = self._next(port) != NOWHERE
        if port.up:
            port.adopted = False
        if not port.adopted:
            self._write(port.cube, port.index, *self._hops(port), port.far_mac)

    def _next(self, port: Port) -> Hop:
        """Where packets go that leave the cube by this port."""
        if port.peer and port.ifindex:
            return port.ifindex, 0
        other = self._port_at(port.peer)
        if other is None or other.peer != port.path or other.cube.hook is not port.cube.hook:
            return NOWHERE
        return 0, target(other.index, ingress_node(other.cube.id))

    def _hops(self, port: Port) -> tuple[Hop, Hop]:
        """The hop after the cube's ingress programs, and the one after its egress programs."""
        end = self._next(port)
        # A TC netdev runs the egress programs itself, at its egress hook.
        by_netdev = end[0] and port.cube.hook is Hook.TC
        if end == NOWHERE or by_netdev or not port.cube.has_egress:
            return end, end
        return (0, target(port.index, egress_node(port.cube.id))), end

    def _write(
        self, cube: Cube, index: int, after_ingress: Hop, after_egress: Hop, far_mac: bytes | None = None
    ) -> None:
        direct = (far_mac or bytes(6), far_mac is not None)
        cube.set_hops(index, _HOP.pack(*after_ingress, *direct), _HOP.pack(*after_egress, bytes(6), False))


def _missing(netdev: str) -> str:
    return f"Interface  {netdev} does not exist or is down"


def _check_present(port: Port) -> None:
    """Whoever holds on to a port that has been removed must not revive it."""
    if port.cube.ports.get(port.name) is not port:
        raise HostError(f"Port {port.name} does not exist")
