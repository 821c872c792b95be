"""The engine: cubes, their ports and links, the slow path, and what is left to the next process.

Locks, in the order they may be taken: a cube's programs lock (held while programs are compiled), the engine's
lock (cubes, ports, peers, netdevs; held for moments). Events are passed on holding neither; a cube's receiver
has a lock of its own, under which a service may call anything but the destruction of another cube.
"""

import logging
import os
import resource
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pcnhost.engine import state
from pcnhost.engine.compile import CompileError, check_headers
from pcnhost.engine.cube import Cube, Identity, Shared, log_level_name
from pcnhost.engine.events import CubeEvents, Receiver
from pcnhost.engine.links import Links
from pcnhost.engine.monitor import NetdevMonitor
from pcnhost.engine.netdev import ENTRIES, Netdevs
from pcnhost.engine.netlink import Netlink
from pcnhost.engine.panel import LAYOUT, Panel
from pcnhost.engine.port import Port
from pcnhost.engine.removal import OWN, remove_state
from pcnhost.engine.slowpath import PacketOutDevice, SlowPath
from pcnhost.errors import HostError
from pcnhost.names import check_name

MAX_CUBES = 1022

_STATE_DIR = Path("/sys/fs/bpf/pcnhost")


class Engine:
    """Runs cubes in the network namespace of the process. Safe to use from any thread.

    What an earlier process has left in `state_dir` (pins, attachments, packets flowing) is taken over by the
    cubes and ports that are created again with the same names, until sweep() ends that. Raises OSError or
    HostError when the basics are missing (root, BPF file system, kernel headers) or another engine uses
    `state_dir`: then everything is as it was."""

    def __init__(self, *, log: logging.Logger, state_dir: Path = _STATE_DIR) -> None:
        self._log = log
        self._root = state_dir
        self._lock = threading.RLock()
        self._cubes: Mapping[str, Cube] = MappingProxyType({})
        self._by_id: dict[int, Cube] = {}
        self._ids: dict[str, int] = {}  # of this process's cubes, and of those an earlier one has left
        self._taken: set[str] = set()  # names of cubes that exist or are being created
        self._public: dict[str, int] = {}
        self._provisional: set[str] = set()
        self._open = True
        _allow_many_files()
        try:
            check_headers()
        except CompileError as e:
            raise HostError(str(e)) from None
        self._taken_over = state.prepare(state_dir)
        self._state_lock = state.lock(state_dir)
        try:
            self._open_state()
        except BaseException as e:
            if not self._taken_over:
                remove_state(self._root, self._log)
            os.close(self._state_lock)
            if isinstance(e, CompileError):
                raise HostError(str(e)) from None
            raise

    def _open_state(self) -> None:
        self._netlink = Netlink()
        self._netdevs = Netdevs(self._root / "netdevs", self._netlink, self._log)
        if state.read_note(self._root / "layout") not in (None, LAYOUT):
            self._netdevs.sweep()
            for name in OWN:
                state.remove(self._root / name)
        state.write_note(self._root / "layout", LAYOUT)
        self._panel = Panel(self._root)
        self._packet_out = PacketOutDevice(self._panel, self._netlink)
        self._netdevs.packet_out = self._packet_out.ifindex
        self._links = Links(self._lock, self._panel, self._netdevs, self._packet_out, self._log)
        self._shared = Shared(
            self._lock, self._panel, self._links, self._public, self._log, self._provisional
        )
        for name in state.directories(self._cubes_dir):
            self._ids[name] = int(state.read_note(self._directory(name) / "id") or -1)
        self._slow_path = SlowPath(self._panel, self._receiver, self._log)
        self._monitor = NetdevMonitor(self._links, self._log)

    def give_up(self) -> None:
        """Like close(), for a start that fails: what was there before is as it was."""
        self.close(keep_datapath=self._taken_over)

    @property
    def cubes(self) -> Mapping[str, Cube]:
        """The cubes by name; a snapshot."""
        return self._cubes

    def is_well(self) -> bool:
        """Whether requests get at cubes and ports; blocks as long as they do not."""
        with self._lock:
            return True

    def on_peer_change(self, changed: Callable[[str], None]) -> None:
        """Has `changed` told the name of a cube when a peer of it gets another name without a request."""
        self._links.peer_changed = changed

    def create_cube(
        self,
        conf: dict[str, Any],
        ingress: list[str],
        egress: list[str],
        events: CubeEvents,
        service_name: str,
    ) -> Cube:
        """Compiles and loads the programs, registers the cube. When it raises HostError, nothing has changed.

        `conf` needs `name` and may have `type`, `loglevel`, `shadow`, `span`."""
        name, cube_type = conf["name"], conf.get("type", "TC").upper()
        check_name("cube", name)
        loglevel = log_level_name(conf.get("loglevel", "INFO"))
        if cube_type not in ENTRIES:
            raise HostError(f"type: {cube_type} is not possible, allowed: {', '.join(ENTRIES)}")
        if conf.get("span") and not conf.get("shadow"):
            raise HostError("span: true is not possible in a cube that is no shadow, allowed: false")
        if conf.get("shadow"):
            raise HostError("shadow: true is not possible in this host, allowed: false")
        cube_id, adopted = self._reserve(name, cube_type)
        try:
            identity = Identity(name, cube_id, cube_type, loglevel, service_name)
            cube = Cube(identity, self._directory(name), events, self._shared, adopted)
            # Packets for the controller arrive as soon as the first program runs.
            self._by_id[cube_id] = cube
            cube.load_all(ingress, egress)
        except BaseException:
            if cube_id in self._by_id:
                self._forget(cube, keep_datapath=adopted)
            else:
                self._release(name, cube_id, keep_datapath=adopted)
            raise
        with self._lock:
            self._set_cubes({**self._cubes, name: cube})
        self._log.info("cube %s %s", name, "taken over" if adopted else "created")
        return cube

    def destroy_cube(self, name: str) -> None:
        """Removes a cube, its ports and maps; none of its events comes any more. No effect after close().

        What an earlier process has made of a provisional() one stays."""
        with self._lock:
            if not self._open:
                return
            if name not in self._cubes:
                raise HostError(f"Cube {name} does not exist")
            cube = self._cubes[name]
        cube.receiver.silence()
        goes_on = cube.adopted and name in self._provisional
        if goes_on:
            cube.give_back()
        self._forget(cube, keep_datapath=goes_on)
        self._log.info("cube %s %s", name, "goes on as it was" if goes_on else "destroyed")

    def connect(self, peer1: str, peer2: str) -> None:
        """Makes two endpoints (`cube:port`, one may be a netdev) each other's peer. Raises HostError."""
        with self._lock:
            ports = [(self._find_port(end), other) for end, other in _ports_of(peer1, peer2)]
            if not ports:
                raise HostError(
                    f"Error setting peer: neither {peer1} nor {peer2} is a port, allowed: cube:port"
                )
            for port, _ in ports:
                if port.peer:
                    raise HostError(f"{port.path} already has a peer {port.peer}")
            try:
                for port, other in ports:
                    port.set_peer(other)
            except HostError:
                for port, _ in ports:
                    port.set_peer("")
                raise

    def disconnect(self, peer1: str, peer2: str) -> None:
        """Undoes connect(). Raises HostError."""
        with self._lock:
            ports = [(self._find_port(end), other) for end, other in _ports_of(peer1, peer2)]
            if not ports or any(port.peer != other for port, other in ports):
                raise HostError(f"{peer1} is not connected to {peer2}")
            for port, _ in ports:
                port.set_peer("")

    def netdevs(self) -> list[dict[str, Any]]:
        """`name` and `addresses` (if any) of every netdev that is up and may be a peer."""
        with self._lock:
            return self._netdevs.usable()

    def restoring(self, cube: str) -> AbstractContextManager[None]:
        """Meanwhile the ports of this cube, which may not exist yet, may want peers that are not there."""
        return self._links.restoring(cube)

    @contextmanager
    def provisional(self, *names: str) -> Iterator[None]:
        """Meanwhile the creation of these cubes may fail at any step, and their creator destroys them.

        What an earlier process has made of them forwards packets, so that is left as it stands, not destroyed."""
        with self._lock:
            new = set(names) - self._provisional  # the others are somebody's around this
            self._provisional |= new
        try:
            yield
        finally:
            with self._lock:
                self._provisional -= new

    def goes_on(self, name: str) -> bool:
        """Whether there is a cube of an earlier process that nobody has taken over."""
        with self._lock:
            return name in self._ids and name not in self._taken

    def check_peers(self, cube: str, peers: Iterable[str]) -> None:
        """Raises HostError when ports of the cube, which need not exist yet, could not have these peers."""
        for peer in peers:
            self._links.check_peer(cube, peer)

    def sweep(self, kept: Collection[str] = ()) -> None:
        """Removes whatever an earlier process has left that has not been taken over by now.

        For the end of the start: from here on nothing old comes back to life, but the cubes `kept`, which go on
        forwarding without anybody who could change them."""
        with self._lock:
            self._netdevs.sweep(kept)
            for name in self._ids.keys() - self._taken - set(kept):
                self._log.info("cube %s of an earlier run is removed", name)
                self._remove_leftover(name)
            for cube in self._cubes.values():
                if cube.name not in kept:  # it is being created right now
                    cube.end_adoption()
            self._links.end_adoption(kept)
            if kept:
                return
            public = self._root / "public"
            for path in public.iterdir() if public.is_dir() else ():
                if path.name not in map(state.file_name, self._public):
                    state.remove(path)

    def close(self, keep_datapath: bool = False) -> None:
        """Ends all threads. With keep_datapath packets keep flowing, and the next engine can take over;
        otherwise everything the engine has made is removed. A second call does nothing."""
        with self._lock:
            if not self._open:
                return
            self._open = False
        for cube in self._cubes.values():
            cube.receiver.silence()
        self._slow_path.close()
        self._monitor.close()
        self._packet_out.close()
        self._links.stop_watching()
        for cube in self._cubes.values():
            self._forget(cube, keep_datapath)
        if not keep_datapath:
            self.sweep()
        self._netlink.close()
        self._panel.close()
        if not keep_datapath:
            remove_state(self._root, self._log)
        os.close(self._state_lock)

    def _find_port(self, path: str) -> Port:
        """The port `cube:port`; raises HostError."""
        cube_name, _, port_name = path.partition(":")
        cube = self._cubes.get(cube_name)
        if cube is None:
            raise HostError(f"Cube {cube_name} does not exist")
        if port_name not in cube.ports:
            raise HostError(f"Port {port_name} does not exist")
        return cube.ports[port_name]

    @property
    def _cubes_dir(self) -> Path:
        return self._root / "cubes"

    def _directory(self, cube_name: str) -> Path:
        return self._cubes_dir / state.file_name(cube_name)

    def _receiver(self, cube_id: int) -> Receiver | None:
        cube = self._by_id.get(cube_id)
        return cube.receiver if cube else None

    def _reserve(self, name: str, cube_type: str) -> tuple[int, bool]:
        """A number for a new cube, and whether it continues a cube of an earlier process."""
        directory = self._directory(name)
        with self._lock:
            if name in self._taken:
                raise HostError(f"Cube {name} already exists")
            if name in self._ids and state.read_note(directory / "type") == cube_type:
                self._taken.add(name)
                return self._ids[name], True
            self._remove_leftover(name)
            cube_id = next((i for i in range(MAX_CUBES) if i not in self._ids.values()), None)
            if cube_id is None:
                raise HostError(f"Maximum number of cubes ({MAX_CUBES}) reached")
            self._taken.add(name)
            self._ids[name] = cube_id
            state.write_note(directory / "id", str(cube_id))
            state.write_note(directory / "type", cube_type)
            return cube_id, False

    def _remove_leftover(self, name: str) -> None:
        """Removes a cube of an earlier process; it may not exist."""
        cube_id = self._ids.pop(name, None)
        if cube_id is not None:
            self._panel.clear_nodes(cube_id)
        state.remove(self._directory(name))

    def _forget(self, cube: Cube, keep_datapath: bool) -> None:
        if keep_datapath:
            cube.leave()
        else:
            cube.destroy()
        with self._lock:
            self._set_cubes({name: other for name, other in self._cubes.items() if other is not cube})
        self._release(cube.name, cube.id, keep_datapath)

    def _release(self, name: str, cube_id: int, keep_datapath: bool) -> None:
        with self._lock:
            self._by_id.pop(cube_id, None)
            self._taken.discard(name)
            if not keep_datapath:
                self._remove_leftover(name)

    def _set_cubes(self, cubes: dict[str, Cube]) -> None:
        self._cubes = MappingProxyType(dict(sorted(cubes.items())))
        self._links.cubes = self._cubes


def _allow_many_files() -> None:
    """Every map of every cube takes a file descriptor."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _ports_of(peer1: str, peer2: str) -> list[tuple[str, str]]:
    """The ends of a link that are ports, each with its other end."""
    return [(end, other) for end, other in ((peer1, peer2), (peer2, peer1)) if ":" in end]
