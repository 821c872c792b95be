"""Who is connected to whom, and the forwarding maps that follow from it.

Every public method takes the engine's lock.
"""

from __future__ import annotations

import errno
import logging
import os
import struct
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from pcnhost.engine.link import End, Link, Node
from pcnhost.engine.netdev import ENTRIES, Netdevs
from pcnhost.engine.netlink import IFF_LOWER_UP, IFF_UP
from pcnhost.engine.panel import Panel, egress_node, ingress_node, target
from pcnhost.engine.source import Hook
from pcnhost.errors import HostError

NOWHERE = (0, 0)
_HOP = struct.Struct("=II6sH")  # struct _POLYCUBE_peer_info: ifindex, target, far_mac, direct
_NO_LINK = Link()

Hop = tuple[int, int]
Hops = tuple[bytes, bytes]  # as they are in the maps: after the ingress programs, after the egress programs


class PacketOut(Protocol):
    """Injects packets into the datapath."""

    def send(self, hop: Hop, hook: Hook, packet: bytes) -> None: ...


class Links:
    """The connections of all ports, whose only owner it is. `cubes` is the engine's live view of its cubes.

    The peer of a port is what is wanted. A netdev that disappears stays wanted, and so does one that is not there
    when a cube is restored: it is attached as soon as it is there. `peer_changed` is told the name of a cube when
    the peer of one of its ports becomes another without anybody having set it: netdevs get new names."""

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
        self._links: dict[End, Link] = {}
        self._by_ifindex: dict[int, End] = {}  # what is attached
        self._waiting: list[End] = []  # for a netdev that is not there, or that the kernel refuses
        self._restoring: set[str] = set()
        self.cubes: Mapping[str, Node] = {}
        self.peer_changed: Callable[[str], None] = lambda cube: None

    def of(self, port: End) -> Link:
        """The link of a port, for reading; that of a port that is gone leads nowhere."""
        return self._links.get(port, _NO_LINK)

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

    def why_down(self, port: End) -> str:
        """Why packets cannot leave by the port; empty when they can."""
        with self._lock:
            link = self.of(port)
            if link.up:
                return "" if link.enabled else f"interface {link.peer} is down"
            if not link.peer:
                return "it has no peer"
            if ":" not in link.peer:
                return link.problem
            other = self._port_at(link.peer)
            if other is None:
                return f"{link.peer} does not exist"
            if self.of(other).peer != port.path:
                return f"{link.peer} has {self.of(other).peer or 'nothing'} as its peer"
            return _kinds_differ(port, other)

    def check_peer(self, cube: str, peer: str) -> None:
        """Raises HostError when a new port of the cube could not have this peer."""
        with self._lock:
            if peer and ":" not in peer and cube not in self._restoring:
                self._find_netdev(peer, None)

    def set_peer(self, port: End, peer: str) -> None:
        with self._lock:
            link = self._links.get(port)
            if link is None:
                raise HostError(f"Port {port.name} does not exist")
            if ":" in peer:
                if port.cube.name not in self._restoring:
                    self._check_peer(port, peer)
                if peer != link.peer:
                    self._leave(port)
                    link.peer = peer
            elif peer:
                self._want_netdev(port, peer)
            else:
                link.adopted = False
                self._leave(port)
            self._refresh_with_other(port)

    def port_added(self, port: End, adopted: bool) -> None:
        """A port whose name may already be somebody's peer. `adopted`: an earlier process has had it, too."""
        with self._lock:
            self._links[port] = Link(adopted=adopted)
            for other in self._naming(port):
                self._refresh(other)
            self._refresh(port)

    def port_removed(self, port: End) -> None:
        """The port is already missing in its cube: no packet shall reach it or leave by it."""
        with self._lock:
            self._links[port].adopted = False
            self._leave(port)
            self._refresh(port)
            del self._links[port]
            for other in self._naming(port):
                self._refresh(other)

    def port_left(self, port: End, found: Mapping[int, Hops]) -> None:
        """Like port_removed(), in a cube that goes on as it was found, with these hops by the numbers of its ports."""
        with self._lock:
            link = self._links.pop(port)
            if port in self._waiting:
                self._waiting.remove(port)
            if link.ifindex:
                del self._by_ifindex[link.ifindex]
                if link.ifindex not in map(_netdev_of, found.values()):
                    self._netdevs.detach(link.ifindex)
            if port.index not in found:
                self._write(port.cube, port.index, NOWHERE, NOWHERE)
            for other in self._naming(port):
                if port.index in found and self._links[other].up:
                    self._links[other].up, self._links[other].adopted = False, True
                else:
                    self._refresh(other)

    def cube_left(self, cube: Node, found: Mapping[int, Hops]) -> None:
        """The ports of the cube are gone from this process only: netdevs and hops are as they were found."""
        with self._lock:
            for index, hops in found.items():
                cube.set_hops(index, *hops)
                ifindex = _netdev_of(hops)
                if not ifindex or ifindex in self._by_ifindex or not self._netdevs.look(ifindex):
                    continue
                try:
                    self._attach(cube, index, ifindex)
                except OSError as e:
                    self._log.error("cannot leave netdev %d as it was: %s", ifindex, e)
                self._netdevs.leave(ifindex)

    def egress_changed(self, cube: Node) -> None:
        """The first egress program of the cube has appeared or gone."""
        with self._lock:
            for port in cube.ports.values():
                if self._links[port].ifindex:
                    self._change_egress(port)
                self._refresh(port)

    def netdev_gone(self, ifindex: int) -> None:
        """The kernel has removed a netdev, or it has left the network namespace."""
        with self._lock:
            port = self._by_ifindex.get(ifindex)
            if port is None or self._netdevs.is_attached(ifindex):  # a late report, about an earlier one
                return
            self._lose(port, _missing(self._links[port].peer))

    def netdev_changed(self, ifindex: int) -> None:
        """The kernel has reported something about a netdev that is still there."""
        renamed = None
        with self._lock:
            port = self._by_ifindex.get(ifindex)
            if (port is None and not self._waiting) or (netdev := self._netdevs.look(ifindex)) is None:
                return
            name = netdev.get_attr("IFLA_IFNAME")
            if port is None:
                self._attach_waiting(name)
                return
            link = self._links[port]
            if name != link.peer:
                self._log.info("netdev %s is called %s now, port %s follows", link.peer, name, port.path)
                link.peer = name
                renamed = port.cube.name
            if self._netdevs.is_attached(ifindex):
                self._look_at_netdev(port, netdev)
                self._refresh(port)
            else:
                self._lose(port, f"the program on {name} has been taken off")
                self._attach_waiting(name)
        if renamed:
            self.peer_changed(renamed)

    def check_netdevs(self) -> None:
        """Looks at all netdevs, for when reports about them may have been missed."""
        with self._lock:
            attached, waiting = list(self._by_ifindex), list(self._waiting)
        for ifindex in attached:
            self.netdev_gone(ifindex)  # unless it is there
            self.netdev_changed(ifindex)
        with self._lock:
            for port in waiting:
                self._attach_waiting(self.of(port).peer)

    def stop_watching(self) -> None:
        """No change of a netdev will be noticed any more: nothing may rely on how they are now."""
        with self._lock:
            for port in self._by_ifindex.values():
                self._links[port].far_mac = None
                self._refresh(port)

    def end_adoption(self, kept: Collection[str] = ()) -> None:
        """Forgets every forwarding entry that nobody has taken over, but for those into the cubes `kept`."""
        with self._lock:
            for cube in self.cubes.values():
                if cube.name in kept:  # it is being created right now
                    continue
                for index in range(cube.max_ports):
                    if index not in {port.index for port in cube.ports.values()}:
                        self._write(cube, index, NOWHERE, NOWHERE)
                for port in cube.ports.values():
                    link = self._links[port]
                    link.adopted = link.adopted and link.peer.partition(":")[0] in kept
                    self._refresh(port)

    def send_packet_out(self, port: End, packet: bytes, recirculate: bool) -> None:
        with self._lock:
            if port not in self._links:
                raise HostError(f"Port {port.name} does not exist")
            if not recirculate and not self._links[port].up:
                self._log.warning("packetout: port %s is down", port.path)
                return
            hop = (0, target(port.index, ingress_node(port.cube.id)))
            if not recirculate:
                hop, _ = self._hops(port)
        try:
            self._packet_out.send(hop, port.cube.hook, packet)
        except OSError as e:
            raise HostError(f"packetout: {e.strerror}") from None

    def _want_netdev(self, port: End, name: str) -> None:
        try:
            self._set_netdev(port, name)
        except HostError as e:
            if port.cube.name not in self._restoring:
                raise
            self._log.warning("%s cannot be connected to %s: %s", port.path, name, e)
            link = self._links[port]
            if link.peer != name:
                self._leave(port)
                link.peer = name
            self._wait(port, str(e))

    def _wait(self, port: End, problem: str) -> None:
        self._links[port].problem = problem
        if port not in self._waiting:
            self._waiting.append(port)

    def _lose(self, port: End, problem: str) -> None:
        """The netdev does not lead to the port any more."""
        link = self._links[port]
        self._log.warning("port %s goes down: %s", port.path, problem)
        self._netdevs.detach(link.ifindex)
        del self._by_ifindex[link.ifindex]
        link.ifindex = 0
        link.forget_netdev()
        self._wait(port, problem)
        self._refresh(port)

    def _attach_waiting(self, name: str) -> None:
        """Attaches the netdev to the first port that waits for it, if it is there."""
        port = next((port for port in self._waiting if self._links[port].peer == name), None)
        if port is None:
            return
        try:
            self._set_netdev(port, name)
        except HostError as e:
            self._links[port].problem = str(e)
            return
        self._log.info("netdev %s is there, port %s is connected", name, port.path)
        self._refresh(port)

    def _set_netdev(self, port: End, name: str) -> None:
        """Attaches the netdev to the port, instead of its peer until now. When it raises HostError, nothing has
        changed."""
        link = self._links[port]
        ifindex = self._find_netdev(name, port)
        if link.ifindex != ifindex:
            try:
                self._attach(port.cube, port.index, ifindex)
            except OSError as e:
                self._log.error("cannot attach %s to %s: %s", port.path, name, e)
                self._netdevs.detach(ifindex)
                if e.errno == errno.ENODEV:
                    raise HostError(_missing(name)) from None
                raise HostError(f"Error setting peer: {e.strerror}") from None
            self._leave(port)
            self._by_ifindex[ifindex] = port
            link.ifindex, link.problem = ifindex, ""
        link.peer = name
        self._look_at_netdev(port, self._netdevs.look(ifindex))

    def _find_netdev(self, name: str, port: End | None) -> int:
        """Raises HostError when the netdev is not there, or is the peer of another port."""
        ifindex = self._netdevs.find(name)
        if ifindex is None:
            raise HostError(_missing(name))
        waiting = next((other for other in self._waiting if self._links[other].peer == name), port)
        other = self._by_ifindex.get(ifindex, waiting)
        if other and other is not port:
            raise HostError(f"Iface already in use: {name} is the peer of {other.path}, allowed: one without")
        return ifindex

    def _attach(self, cube: Node, index: int, ifindex: int) -> None:
        program_fd = self._panel.load_entry(cube.hook, index, ingress_node(cube.id))
        try:
            self._netdevs.attach(ifindex, cube.name, ENTRIES[cube.type], program_fd)
        finally:
            os.close(program_fd)
        self._attach_egress(cube, index, ifindex)

    def _attach_egress(self, cube: Node, index: int, ifindex: int) -> None:
        if not cube.has_egress:
            self._netdevs.set_egress(ifindex, None)
            return
        program_fd = self._panel.load_entry(Hook.TC, index, egress_node(cube.id))
        try:
            self._netdevs.set_egress(ifindex, program_fd)
        finally:
            os.close(program_fd)

    def _change_egress(self, port: End) -> None:
        ifindex = self._links[port].ifindex
        try:
            self._attach_egress(port.cube, port.index, ifindex)
        except OSError:
            if self._netdevs.look(ifindex):
                raise
            return  # it has just gone, which will be reported
        self._look_at_netdev(port, self._netdevs.look(ifindex))

    def _look_at_netdev(self, port: End, netdev: Any | None) -> None:
        """Finds out whether the netdev that is the port's peer takes packets, and whether they may skip it.

        One that is down keeps its entry: packets go as soon as it is up again."""
        link = self._links[port]
        enabled = netdev is None or bool(netdev["flags"] & IFF_UP)
        if enabled != link.enabled:
            self._log.warning(
                "port %s: interface %s is %s", port.path, link.peer, "up" if enabled else "down"
            )
            link.enabled = enabled
        link.carrier = netdev is None or bool(netdev["flags"] & IFF_LOWER_UP)
        direct = netdev and port.cube.hook is Hook.TC
        link.far_mac = self._netdevs.far_mac(netdev) if direct else None

    def _leave(self, port: End) -> None:
        """Takes the port away from its peer."""
        link = self._links[port]
        left, link.peer = link.peer, ""
        link.forget_netdev()
        if port in self._waiting:
            self._waiting.remove(port)
        if link.ifindex:
            self._refresh(port)
            ifindex, link.ifindex = link.ifindex, 0
            del self._by_ifindex[ifindex]
            self._netdevs.detach(ifindex)
            self._attach_waiting(left)
        elif left:
            self._refresh(port)
            if other := self._port_at(left):
                self._refresh(other)

    def _check_peer(self, port: End, peer: str) -> None:
        if peer == port.path:
            raise HostError(f"peer: {peer} is the port itself, allowed: another port, a network interface")
        other = self._port_at(peer)
        if other and other.cube.hook is not port.cube.hook:
            raise HostError(_kinds_differ(port, other))

    def _port_at(self, path: str) -> End | None:
        cube_name, _, port_name = path.partition(":")
        cube = self.cubes.get(cube_name)
        return cube.ports.get(port_name) if cube else None

    def _naming(self, port: End) -> list[End]:
        """The ports that have this one as their peer."""
        return [other for other, link in self._links.items() if link.peer == port.path]

    def _refresh_with_other(self, port: End) -> None:
        self._refresh(port)
        if other := self._port_at(self._links[port].peer):
            self._refresh(other)

    def _refresh(self, port: End) -> None:
        """Brings state and forwarding entries of the port in line with its peer."""
        link = self._links[port]
        up = self._next(port) != NOWHERE
        if up:
            link.adopted = False
        if not link.adopted:
            self._write(port.cube, port.index, *self._hops(port), link.far_mac)
        link.up = up  # last: whoever reads it, which takes no lock, may send a packet at once

    def _next(self, port: End) -> Hop:
        """Where packets go that leave the cube by this port."""
        link = self._links[port]
        if link.peer and link.ifindex:
            return link.ifindex, 0
        other = self._port_at(link.peer)
        if other is None or self.of(other).peer != port.path or other.cube.hook is not port.cube.hook:
            return NOWHERE
        return 0, target(other.index, ingress_node(other.cube.id))

    def _hops(self, port: End) -> tuple[Hop, Hop]:
        """The hop after the cube's ingress programs, and the one after its egress programs."""
        end = self._next(port)
        # A TC netdev runs the egress programs itself, at its egress hook.
        by_netdev = end[0] and port.cube.hook is Hook.TC
        if end == NOWHERE or by_netdev or not port.cube.has_egress:
            return end, end
        return (0, target(port.index, egress_node(port.cube.id))), end

    def _write(
        self, cube: Node, index: int, after_ingress: Hop, after_egress: Hop, far_mac: bytes | None = None
    ) -> None:
        direct = (far_mac or bytes(6), far_mac is not None)
        cube.set_hops(index, _HOP.pack(*after_ingress, *direct), _HOP.pack(*after_egress, bytes(6), False))


def _netdev_of(hops: Hops) -> int:
    """The ifindex of the netdev that is the peer; 0 when none is."""
    ifindex: int = _HOP.unpack(hops[1])[0]
    return ifindex


def _kinds_differ(port: End, other: End) -> str:
    kinds = f"{port.path} is {port.cube.hook.name}, {other.path} is {other.cube.hook.name}"
    return f"It is not possible to connect TC and XDP ports: {kinds}"


def _missing(netdev: str) -> str:
    return f"Interface  {netdev} does not exist or is down"
