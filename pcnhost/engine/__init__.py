"""eBPF programs, maps, netdevs and links of cubes. Knows nothing of any particular service."""

from pcnhost.engine.cube import Cube
from pcnhost.engine.engine import Engine
from pcnhost.engine.events import CubeEvents
from pcnhost.engine.port import Port

__all__ = ["Cube", "CubeEvents", "Engine", "Port"]
