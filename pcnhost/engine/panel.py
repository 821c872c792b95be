"""The patch panel: the maps that all cubes share, and the host's own programs."""

import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from pcnhost.engine import bpf, state
from pcnhost.engine.compile import Module, compile_text, with_immediates
from pcnhost.engine.source import MAX_NODES, Hook

LAYOUT = "1"
PINS = ("nodes", "xdp_nodes", "port_md", "pcn_controller", "log_buffer")

_PLACEHOLDERS = {"TARGET": 0x50C40001, "NODE": 0x50C40002, "PORT": 0x7EA1}
_METADATA_BYTES = 26


def target(port: int, node: int) -> int:
    """Where a packet goes, as programs pass it on: into `node`, as a packet of port number `port`."""
    return port << 16 | node


def ingress_node(cube_id: int) -> int:
    """The patch panel slot of a cube's first ingress program. Slot 0 is never used."""
    return 2 * cube_id + 2


def egress_node(cube_id: int) -> int:
    return ingress_node(cube_id) + 1


class Panel:
    """Opens the host's maps, pinned under `root`, or makes them.

    `maps` holds their fds by name, open until close(). Raises OSError, CompileError."""

    def __init__(self, root: Path) -> None:
        nodes = bpf.MapSpec(bpf.MAP_TYPE_PROG_ARRAY, 4, 4, 2 * MAX_NODES)
        perf = bpf.MapSpec(bpf.MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, bpf.possible_cpus())
        metadata = bpf.MapSpec(bpf.MAP_TYPE_PERCPU_ARRAY, 4, _METADATA_BYTES, 1)
        specs = dict(zip(PINS, (nodes, nodes, metadata, perf, perf), strict=True))
        flags = [f"-DPLACEHOLDER_{name}={value}" for name, value in _PLACEHOLDERS.items()]
        text = (resources.files(__package__) / "host_programs.h").read_text()
        self._module: Module = compile_text(text, [*flags, f"-D_POLYCUBE_MAX_NODES={MAX_NODES}"])
        try:
            self.maps = pinned_maps(root, specs)
        except BaseException:
            self._module.close()
            raise

    def close(self) -> None:
        self._module.close()
        for fd in self.maps.values():
            os.close(fd)
        self.maps = {}

    def nodes(self, hook: Hook) -> int:
        """The prog array with the first program of every cube and direction."""
        return self.maps["nodes" if hook is Hook.TC else "xdp_nodes"]

    def clear_nodes(self, cube_id: int) -> None:
        """No packet enters the cube any more."""
        for node in (ingress_node(cube_id), egress_node(cube_id)):
            for hook in Hook:
                bpf.delete(self.nodes(hook), bpf.u32(node))

    def load(self, name: str) -> int:
        """Loads one of the host's programs; the caller owns the fd."""
        return self._load(name, self._module.linked(name, self.maps))

    def load_entry(self, hook: Hook, port: int, node: int) -> int:
        """Loads a netdev's first program, which enters `node` as `port`; the caller owns the fd."""
        name = f"{hook.value}_entry"
        constants = {"NODE": node} | ({"TARGET": target(port, node)} if hook is Hook.TC else {"PORT": port})
        values = {_PLACEHOLDERS[constant]: value for constant, value in constants.items()}
        return self._load(name, with_immediates(self._module.linked(name, self.maps), values))

    def _load(self, name: str, insns: bytes) -> int:
        prog_type = bpf.PROG_TYPE_XDP if "xdp" in name else bpf.PROG_TYPE_SCHED_CLS
        return bpf.load_program(prog_type, name, insns)


def pinned_maps(directory: Path, specs: Mapping[str, bpf.MapSpec]) -> dict[str, int]:
    """Each map pinned in `directory` that is as specified, a new one, pinned there, otherwise.

    The caller owns the fds. Raises OSError, and then has none."""
    maps: dict[str, int] = {}
    try:
        for name, spec in specs.items():
            maps[name] = _pinned_map(directory / name, name, spec)
    except BaseException:
        for fd in maps.values():
            os.close(fd)
        raise
    return maps


def _pinned_map(path: Path, name: str, spec: bpf.MapSpec) -> int:
    fd = bpf.open_pin(path)
    if fd is not None:
        if bpf.map_spec(fd) == spec:
            return fd
        os.close(fd)
        state.remove(path)
    fd = bpf.create_map(name, spec)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        bpf.pin(fd, path)
    except BaseException:
        os.close(fd)
        raise
    return fd
