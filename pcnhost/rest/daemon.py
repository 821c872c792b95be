"""The endpoints of the host itself: services, cubes, network devices, connections."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from urllib.parse import unquote_plus

from pcnhost import __version__
from pcnhost.engine import Cube, Engine
from pcnhost.engine.explain import CannotExplain
from pcnhost.engine.trace import Busy
from pcnhost.library import ErrorTag
from pcnhost.names import decode_name
from pcnhost.rest import help as cli_help
from pcnhost.rest import jsontext
from pcnhost.rest.answers import Answer, Problem, Refused, bad_request, yang_json
from pcnhost.rest.context import Call
from pcnhost.rest.explain import explanation
from pcnhost.rest.help import Help
from pcnhost.rest.jsontext import Json
from pcnhost.rest.links import links
from pcnhost.rest.metrics import metrics
from pcnhost.rest.request import BASE_PATH
from pcnhost.rest.resources import host_call
from pcnhost.rest.rules import shown
from pcnhost.rest.services import Service, Services
from pcnhost.rest.status import status
from pcnhost.rest.trace import trace, tracing
from pcnhost.rest.writes import Writes

Endpoint = Callable[[Call], Answer]

WORDS = ("connect", "disconnect", "attach", "detach", "services", "cubes", "topology", "netdevs")
ROOT_NAMES = (
    "services",
    "cubes",
    "netdevs",
    "version",
    "connect",
    "disconnect",
    "attach",
    "detach",
    "topology",
)
SERIES = 10_000  # of one cube's services and backends, at most, in the metrics
NAMES = frozenset({*ROOT_NAMES, "metrics", "status", "explain", "trace"})


class Daemon:
    """`endpoints` maps (name, number of further segments) to the methods there; ("", 0) is the root."""

    def __init__(
        self, engine: Engine, services: Services, authority: str, writes: Writes, series: int = SERIES
    ) -> None:
        self._engine = engine
        self._services = services
        self._root_url = f"//{authority}{BASE_PATH}/"
        self._writes = writes
        self._series = series
        self.endpoints: dict[tuple[str, int], dict[str, Endpoint]] = {
            ("", 0): {"GET": self._root, "OPTIONS": self._root_help},
            ("services", 0): {"GET": self._list_services, "POST": self._load_service},
            ("services", 1): {"GET": self._read_service, "DELETE": self._unload_service},
            ("cubes", 0): {"GET": self._list_cubes, "POST": self._create_cubes, "OPTIONS": self._cubes_help},
            ("cubes", 1): {"GET": self._read_cube, "OPTIONS": self._no_help},
            ("netdevs", 0): {"GET": self._list_netdevs, "OPTIONS": self._netdevs_help},
            ("netdevs", 1): {"GET": self._read_netdev, "OPTIONS": self._no_help},
            ("version", 0): {"GET": self._version},
            ("connect", 0): {"POST": self._connect, "OPTIONS": self._connect_help},
            ("disconnect", 0): {"POST": self._disconnect},
            ("attach", 0): {"POST": self._attach},
            ("detach", 0): {"POST": self._attach},
            ("topology", 0): {"GET": self._topology},
            ("topology", 1): {"GET": self._netdev_topology},
            ("metrics", 0): {"GET": self._metrics},
            ("status", 0): {"GET": self._status},
            ("explain", 1): {"GET": self._explain},
            ("trace", 1): {"GET": self._tracing, "POST": self._trace},
        }

    # --- root

    def _root(self, call: Call) -> Answer:
        names = [*ROOT_NAMES, *(service.name for service in self._services.all()), *self._engine.cubes]
        return yang_json(jsontext.compact(links(self._root_url, names)))

    def _root_help(self, call: Call) -> Answer:
        if "help" not in call.request.query:
            return Answer(200)
        which, completion = cli_help.wanted(call.request)
        if which is not Help.NONE:
            cli_help.refuse()
        services = self._services.all()
        if completion:
            words = [*WORDS, *(service.name for service in services), *self._engine.cubes]
            return Answer(200, jsontext.compact(words))
        params = {service.name: _service_help(service) for service in services}
        return Answer(200, jsontext.compact({"params": params or None}))

    def _no_help(self, call: Call) -> Answer:
        cli_help.refuse()

    # --- services

    def _list_services(self, call: Call) -> Answer:
        described = [
            {"name": service.name, "servicecontroller": service.library.uri, **_about(service)}
            for service in self._services.all()
        ]
        return Answer(200, jsontext.indented(described))

    def _read_service(self, call: Call) -> Answer:
        service = self._services.get(call.segments[1])
        if service is None:
            raise bad_request("Service Controller does not exist")
        shown = {
            "name": service.name,
            "servicecontroller": service.library.uri,
            "datamodel": service.library.data_model,
        }
        return Answer(200, jsontext.indented([shown]))

    def _load_service(self, call: Call) -> Answer:
        body = call.object_body()
        for member in ("type", "uri", "name"):
            if member not in body:
                text = "missing, allowed: strings"
                raise Refused(Problem(ErrorTag.MISSING_ATTRIBUTE, member, text, member))
            if not isinstance(body[member], str):
                text = f"{shown(body[member])} is not possible, allowed: strings"
                raise Refused(Problem(ErrorTag.BAD_ATTRIBUTE, member, text, member))
        if body["type"] == "grpc":
            raise bad_request("GRPC support has not been compiled")
        if body["type"] != "lib":
            text = f"{shown(body['type'])} is not possible, allowed: lib"
            raise Refused(Problem(ErrorTag.BAD_ATTRIBUTE, "type", text, "type"))
        self._services.load(body["name"], body["uri"])
        return Answer(200)

    def _unload_service(self, call: Call) -> Answer:
        name = call.segments[1]
        self._writes.unload(name, lambda: self._services.unload(name))
        return Answer(204)

    # --- cubes

    def _list_cubes(self, call: Call) -> Answer:
        grouped: dict[str, list[Json]] = {}
        for cube in self._engine.cubes.values():
            grouped.setdefault(cube.service_name, []).append(cube.to_json())
        return Answer(200, jsontext.indented(grouped))

    def _read_cube(self, call: Call) -> Answer:
        cube = self._engine.cubes.get(decode_name(call.segments[1]))
        if cube is None:
            raise bad_request("Cube does not exist")
        return Answer(200, jsontext.indented(cube.to_json()))

    def _create_cubes(self, call: Call) -> Answer:
        """All of the cubes or none."""
        wanted = call.list_body()
        if not isinstance(wanted, list):
            raise bad_request(f"body: {shown(wanted)} is not possible, an array of cubes is expected")
        names = [str(cube.get("name")) for cube in wanted if isinstance(cube, dict)]

        def create() -> Answer:
            with self._engine.provisional(*names):
                return self._create_all(wanted)

        return self._writes.write_cubes(self._services, call, names, create)

    def _create_all(self, wanted: Sequence[Json]) -> Answer:
        found = [self._service_of(body) for body in wanted]
        # Those last in whose place one of an earlier run goes on: what they do to its tables cannot be undone.
        found.sort(key=lambda cube: self._engine.goes_on(cube[1]))
        created: list[tuple[Service, str]] = []
        try:
            for service, name, body in found:
                self._create_cube(service, name, body)
                created.append((service, name))
        except BaseException:
            for service, name in reversed(created):
                service.cube.delete(name)
            raise
        return Answer(201)

    def _service_of(self, body: Json) -> tuple[Service, str, dict[str, Json]]:
        """The service of a cube that is wanted, its name and its configuration."""
        if not isinstance(body, dict) or not isinstance(name := body.get("name"), str):
            raise bad_request(f"body: {shown(body)} is no cube, an object with a name is expected")
        service = self._services.get(str(body.get("service-name")))
        if service is None:
            raise bad_request(
                f"service-name: {shown(body.get('service-name'))} of cube {name} is not possible,"
                f" allowed: {', '.join(service.name for service in self._services.all())}"
            )
        return service, name, body

    def _create_cube(self, service: Service, name: str, body: dict[str, Json]) -> None:
        with service.in_use() as usable:
            if not usable:
                raise bad_request(f"cube {name}: service {service.name} is being unloaded")
            response = service.cube.create(name, body)
        if response.tag is not ErrorTag.CREATED:
            raise Refused(Problem(response.tag, response.message))

    def _cubes_help(self, call: Call) -> Answer:
        return self._elements_help(call, "cube", "Cube Name", "cube0", list(self._engine.cubes))

    # --- network devices

    def _list_netdevs(self, call: Call) -> Answer:
        return Answer(200, jsontext.indented(self._engine.netdevs()))

    def _read_netdev(self, call: Call) -> Answer:
        name = unquote_plus(call.segments[1])
        for netdev in self._engine.netdevs():
            if netdev["name"] == name:
                return Answer(200, jsontext.indented(netdev))
        raise bad_request(f"netdev {name} does not exist")

    def _netdevs_help(self, call: Call) -> Answer:
        names = [netdev["name"] for netdev in self._engine.netdevs()]
        return self._elements_help(call, "netdev", "Netdev Name", "eth0", names)

    def _elements_help(
        self, call: Call, kind: str, description: str, example: str, names: Sequence[str]
    ) -> Answer:
        which, completion = cli_help.wanted(call.request)
        if which not in (Help.NONE, Help.SHOW):
            cli_help.refuse()
        if completion:
            return Answer(200, jsontext.compact([*names, *(["show"] if which is Help.NONE else [])]))
        key = {
            "name": "name",
            "type": "key",
            "simpletype": "string",
            "description": description,
            "example": example,
        }
        shown: Json = {"params": {"name": key}, "elements": [{kind: name} for name in names]}
        if which is Help.NONE:
            shown["commands"] = ["show"]
        return Answer(200, jsontext.compact(shown))

    # --- connections

    def _connect(self, call: Call) -> Answer:
        return self._peers(call, self._engine.connect)

    def _disconnect(self, call: Call) -> Answer:
        return self._peers(call, self._engine.disconnect)

    def _peers(self, call: Call, operation: Callable[[str, str], None]) -> Answer:
        body = call.object_body()
        peers = [_text_member(body, name, missing) for name, missing in _PEERS]

        def change() -> Answer:
            host_call(operation, *peers)
            return Answer(200)

        return self._writes.write_peers(self._engine, call, peers, change)

    def _connect_help(self, call: Call) -> Answer:
        which, completion = cli_help.wanted(call.request)
        if which is not Help.NONE:
            cli_help.refuse()
        if not completion:
            return Answer(200, "not implemented")
        ports = [f"{cube.name}:{port}" for cube in self._engine.cubes.values() for port in cube.ports]
        return Answer(200, jsontext.compact(ports))

    def _attach(self, call: Call) -> Answer:
        """This host has no transparent cubes, so there is never one to attach or detach."""
        body = call.object_body()
        cube = _text_member(body, "cube", "Cube is missing")
        _text_member(body, "port", "Port is missing")
        if cube not in self._engine.cubes:
            raise bad_request(f"Cube {cube} does not exist")
        raise bad_request(f"Cube {cube} is not transparent")

    # --- the rest

    def _topology(self, call: Call) -> Answer:
        return Answer(200, jsontext.indented([cube.to_json() for cube in self._engine.cubes.values()]))

    def _netdev_topology(self, call: Call) -> Answer:
        """The ports that packets of a network device meet; nothing but its name without any."""
        name = unquote_plus(call.segments[1])
        try:
            socket.if_nametoindex(name)
        except (OSError, ValueError):
            raise bad_request(f"netdev {name} does not exist") from None
        shown: dict[str, Json] = {"name": name}
        ports = [port for cube in self._engine.cubes.values() for port in cube.ports.values()]
        for port in (port for port in ports if port.peer == name):
            path = f"{port.cube.name}:{port.name}"
            shown |= {
                "cubes, ingress_index, egress_index": [],  # of transparent cubes, which this host lacks
                "ingress service chain": path,
                "egress service chain": f"{path} ---> stack" if port.cube.has_egress else "stack",
            }
        return Answer(200, jsontext.indented(shown))

    def _version(self, call: Call) -> Answer:
        return Answer(200, jsontext.compact({"polycubed": {"version": f"pcnhost {__version__}"}}))

    def _metrics(self, call: Call) -> Answer:
        cubes = list(self._engine.cubes.values())
        return metrics(self._services.all(), cubes, self._writes, self._series)

    def _status(self, call: Call) -> Answer:
        return Answer(200, jsontext.indented(status(self._writes, list(self._engine.cubes.values()))))

    def _explain(self, call: Call) -> Answer:
        return self._ask(call, lambda cube: explanation(cube, call.request))

    def _trace(self, call: Call) -> Answer:
        body = call.object_body()
        return self._ask(call, lambda cube: trace(cube, body))

    def _tracing(self, call: Call) -> Answer:
        return self._ask(call, tracing)

    def _ask(self, call: Call, question: Callable[[Cube], Json]) -> Answer:
        name = decode_name(call.segments[1])
        cube = self._engine.cubes.get(name)
        if cube is None:
            raise bad_request(
                f"there is no cube {name}; there are: {', '.join(self._engine.cubes) or 'none'}"
            )
        try:
            return Answer(200, jsontext.indented(question(cube)))
        except (CannotExplain, Busy) as e:
            raise bad_request(str(e)) from None


_PEERS = (("peer1", "Peer 1 is missing"), ("peer2", "Peer 2 is missing"))


def _text_member(body: dict[str, Json], name: str, missing: str) -> str:
    value = body.get(name)
    if value is None:
        raise bad_request(missing)
    if not isinstance(value, str):
        raise bad_request(f"{name}: {shown(value)} is not possible, allowed: strings")
    return value


def _about(service: Service) -> dict[str, str]:
    return {
        "description": service.module.description or "Unknown",
        "version": service.module.version or "Unknown",
        "pyang_repo_id": service.library.pyang_git or "Unknown",
        "swagger_codegen_repo_id": service.library.swagger_codegen_git or "Unknown",
    }


def _service_help(service: Service) -> Json:
    return {"name": service.name, "simpletype": "service", "type": "leaf", **_about(service)}
