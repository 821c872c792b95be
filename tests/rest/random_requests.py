"""Random requests below a cube: sensible ones, whose effect the model of the tree knows, and wild ones."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from codegen import schema
from codegen.schema import Node
from testbed.host import PROJECT

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def _names(nodes: Iterable[Node]) -> Iterator[str]:
    for node in nodes:
        yield node.name
        yield from _names(node.children)


_MODEL = schema.load((PROJECT / "datamodel" / "k8slbrp.yang").read_text())
MEMBERS = (*sorted({"name", "service-name", "bogus", "", *_names(_MODEL.children)}),)


@dataclass(frozen=True)
class Request:
    """`path` are plain texts below the cube. `effect` is a method of Tree and its arguments, None for a wild
    request; `status` what it answers when that works."""

    method: str
    path: tuple[str, ...]
    body: str | None = None
    effect: tuple[Any, ...] | None = None
    status: int = 201
    query: str = ""

    def target(self, cube: str) -> str:
        where = "/".join(quote(part, safe="") for part in (cube, *self.path))
        return f"/polycube/v1/k8slbrp/{where}/{self.query}"


NAMES = st.sampled_from(["", "web", "ü€😀", "x" * 255])
PORTS = st.sampled_from([0, 80, 65535])
WEIGHTS = st.sampled_from([0, 1, 3, 65535])
BACKENDS = st.sampled_from([f"10.1.0.{n}" for n in range(1, 5)])
AFFINITIES = st.sampled_from(["NONE", "CLIENT_IP"])
AFFINITY_TIMEOUTS = st.sampled_from([1, 10_800, 86_400])
SOURCES = st.sampled_from([("0.0.0.0", 0), ("10.0.0.0", 8), ("10.1.0.0", 16), ("192.0.2.7", 32)])
RANGES = st.sampled_from(["", "10.2.0.0/24", "10.3.0.0/24", "10.4.0.0/16"])


def _entry(required: dict[str, Any], optional: dict[str, Any]) -> SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required, optional=optional)


BACKEND = _entry({"ip": BACKENDS, "port": PORTS}, {"name": NAMES, "weight": WEIGHTS})
BACKEND_LIST = st.lists(BACKEND, max_size=3)
SOURCE_LIST = st.lists(SOURCES.map(lambda pair: {"address": pair[0], "prefix-length": pair[1]}), max_size=3)
OF_A_SERVICE = ("name", "backend", "session-affinity", "affinity-timeout", "source-range")


def service_keys(vips: Sequence[str]) -> SearchStrategy[tuple[str, int, str]]:
    return st.tuples(
        st.sampled_from(vips), st.sampled_from([0, 80, 443]), st.sampled_from(["TCP", "UDP", "ICMP", "ALL"])
    )


def _services(vips: Sequence[str]) -> SearchStrategy[dict[str, Any]]:
    settings = {"session-affinity": AFFINITIES, "affinity-timeout": AFFINITY_TIMEOUTS}
    contents = _entry({}, {"name": NAMES, "backend": BACKEND_LIST, "source-range": SOURCE_LIST, **settings})
    return st.builds(
        lambda key, content: {"vip": key[0], "vport": key[1], "proto": key[2], **content},
        service_keys(vips),
        contents,
    )


def sensible_services(vips: Sequence[str]) -> SearchStrategy[Request]:
    """Requests about services of these virtual addresses, one at a time, and about their backends."""
    keys = service_keys(vips)

    def path(key: tuple[str, int, str], *more: str) -> tuple[str, ...]:
        return ("service", key[0], str(key[1]), key[2], *more)

    def written(method: str, effect: str) -> SearchStrategy[Request]:
        def request(entry: dict[str, Any]) -> Request:
            key = (entry["vip"], entry["vport"], entry["proto"])
            body = {name: entry[name] for name in entry if name in OF_A_SERVICE}
            argument: Any = [entry] if method == "POST" else entry
            return Request(method, path(key), json.dumps(body), (effect, argument))

        return _services(vips).map(request)

    def leaf(ip: str, key: Any, pair: tuple[str, Any]) -> Request:
        effect = ("change_backend", *key, ip, *pair)
        return Request("PATCH", path(key, "backend", ip, pair[0]), json.dumps(pair[1]), effect, 200)

    def set_leaf(wanted: tuple[tuple[str, int, str], str, Any]) -> Request:
        key, name, value = wanted
        effect = ("change_service", *key, name, value)
        return Request("PATCH", path(key, name), json.dumps(value), effect, 200)

    def source(key: Any, pair: tuple[str, int], method: str) -> Request:
        where = path(key, "source-range", pair[0], str(pair[1]))
        if method == "POST":
            return Request("POST", where, None, ("create_source_range", *key, pair))
        return Request("DELETE", where, None, ("delete_source_range", *key, pair), 204)

    pairs = st.one_of(
        st.tuples(st.just("name"), NAMES),
        st.tuples(st.just("port"), PORTS),
        st.tuples(st.just("weight"), WEIGHTS),
    )
    return st.one_of(
        written("POST", "create_services"),
        written("POST", "create_services"),
        written("PUT", "replace_service"),
        st.builds(
            lambda key, name: Request(
                "PATCH", path(key, "name"), json.dumps(name), ("rename_service", *key, name), 200
            ),
            keys,
            NAMES,
        ),
        st.one_of(
            st.tuples(keys, st.just("session-affinity"), AFFINITIES),
            st.tuples(keys, st.just("affinity-timeout"), AFFINITY_TIMEOUTS),
        ).map(set_leaf),
        st.builds(source, keys, SOURCES, st.sampled_from(["POST", "DELETE"])),
        keys.map(lambda key: Request("DELETE", path(key), None, ("delete_service", *key), 204)),
        st.builds(
            lambda key, entries: Request(
                "POST", path(key, "backend"), json.dumps(entries), ("create_backends", *key, entries)
            ),
            keys,
            BACKEND_LIST,
        ),
        st.builds(
            lambda key, entry: Request(
                "POST",
                path(key, "backend", entry["ip"]),
                json.dumps(entry),
                ("create_backends", *key, [entry]),
            ),
            keys,
            BACKEND,
        ),
        st.builds(
            lambda key, entry: Request(
                "PUT", path(key, "backend", entry["ip"]), json.dumps(entry), ("replace_backend", *key, entry)
            ),
            keys,
            BACKEND,
        ),
        st.builds(leaf, BACKENDS, keys, pairs),
        st.builds(
            lambda key, ip: Request(
                "DELETE", path(key, "backend", ip), None, ("delete_backend", *key, ip), 204
            ),
            keys,
            BACKENDS,
        ),
        keys.map(lambda key: Request("DELETE", path(key, "backend"), None, ("delete_backends", *key), 200)),
    )


def sensible(vips: Sequence[str] = ("10.9.0.1", "10.9.0.2")) -> SearchStrategy[Request]:
    """Requests about everything below a cube."""
    lists = st.lists(_services(vips), max_size=3)
    names = st.sampled_from(["p", "q", "ü1"])
    kinds = st.sampled_from(["FRONTEND", "BACKEND"])
    addresses = st.sampled_from(["", "10.0.0.1", "10.0.0.2"])

    def port(method: str, effect: str) -> SearchStrategy[Request]:
        def request(name: str, kind: str, ip: str) -> Request:
            body = {"type": kind, **({"ip": ip} if ip else {})}
            return Request(method, ("ports", name), json.dumps(body), (effect, name, kind.lower(), ip))

        return st.builds(request, names, kinds, addresses)

    def rewrite(before: str, after: str) -> Request:
        body = {"ip-range": before, "new_ip_range": after}
        given = {name: text for name, text in body.items() if text}
        return Request("PUT", ("src-ip-rewrite",), json.dumps(given), ("set_rewrite", before, after))

    return st.one_of(
        sensible_services(vips),
        sensible_services(vips),
        lists.map(lambda all_: Request("POST", ("service",), json.dumps(all_), ("create_services", all_))),
        lists.map(lambda all_: Request("PUT", ("service",), json.dumps(all_), ("replace_services", all_))),
        port("POST", "create_port"),
        port("PUT", "replace_port"),
        st.builds(
            lambda name, ip: Request(
                "PATCH", ("ports", name, "ip"), json.dumps(ip), ("change_port_ip", name, ip), 200
            ),
            names,
            addresses.filter(bool),
        ),
        names.map(lambda name: Request("DELETE", ("ports", name), None, ("delete_port", name), 204)),
        st.builds(rewrite, RANGES, RANGES),
    )


ODD_TEXTS = st.one_of(
    st.sampled_from(
        [
            "",
            ".",
            "..",
            "%",
            "a/b",
            "a b",
            "a?b",
            "10.9.0.256",
            "1.2.3",
            "::1",
            "x" * 4000,
            "\0",
            "\n",
            "ü",
            "😀",
        ]
    ),
    st.text(max_size=6),
)
ODD_NUMBERS = st.sampled_from(
    [-1, 65536, 70000, 2**31, 2**32, 2**63, 2**64, 10**30, -(2**63) - 1, 1.5, 1e300]
)
ODD = st.one_of(
    st.none(), st.booleans(), ODD_NUMBERS, ODD_TEXTS, st.just([]), st.just({}), st.just([[[]]]), st.integers()
)
JSON = st.recursive(
    ODD,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=4)
    ),
    max_leaves=8,
)
BROKEN_JSON = st.sampled_from(
    ["{", "[", '"', "nul", '{"a":}', '{"a":1,}', "NaN", "1e999", "[" * 5000, "9" * 5000, '"\\ud800"', "{} x"]
)
PEERS = st.sampled_from(["nosuch", "fuzz:p", "fuzz:q", "fuzz:nosuch", "other:p", ":", "a:b:c", "fuzz:", ""])
QUERIES = st.sampled_from(
    [
        "?help=NONE",
        "?help=ADD",
        "?help=SET",
        "?help=SHOW",
        "?help=DEL",
        "?help=ADD&completion",
        "?help=%ff",
        "?",
    ]
)


@st.composite
def wild(draw: st.DrawFn) -> Request:
    """A sensible request with something wrong in it, or none at all."""
    request = draw(sensible())
    match draw(st.integers(0, 8)):
        case 0:
            return replace(request, body=draw(st.one_of(BROKEN_JSON, ODD_TEXTS)), effect=None)
        case 1:
            return replace(request, body=json.dumps(draw(JSON)), effect=None)
        case 2:
            return replace(request, body=_with_odd_member(draw, request), effect=None)
        case 3:
            parts = list(request.path)
            parts[draw(st.integers(0, len(parts) - 1))] = draw(st.one_of(ODD_TEXTS, st.sampled_from(MEMBERS)))
            return replace(request, path=tuple(parts), effect=None)
        case 4:
            cut = draw(st.integers(1, len(request.path)))
            more = draw(st.lists(st.sampled_from(MEMBERS), max_size=2))
            return replace(request, path=(*request.path[:cut], *more), effect=None)
        case 5:
            return replace(request, method=draw(st.sampled_from(METHODS)), effect=None)
        case 6:
            return Request("OPTIONS", request.path, query=draw(QUERIES))
        case 7:
            path = draw(st.sampled_from([(), *((name,) for name in MEMBERS)]))
            return Request("PATCH", path, json.dumps(draw(JSON)))
        case _:
            where = draw(st.sampled_from([("ports", "p", "peer"), ("ports", "q", "peer"), ("ports", "p")]))
            peer = draw(PEERS)
            return Request("PATCH", where, json.dumps(peer if where[-1] == "peer" else {"peer": peer}))


def _with_odd_member(draw: st.DrawFn, request: Request) -> str:
    """The body with one member set to something odd, at a random depth."""
    body = json.loads(request.body or "{}")
    target = body
    while isinstance(target, list | dict):
        inner = [
            v for v in (target.values() if isinstance(target, dict) else target) if isinstance(v, list | dict)
        ]
        if not inner or draw(st.booleans()):
            break
        target = draw(st.sampled_from(inner))
    odd = draw(ODD)
    if isinstance(target, dict):
        target[draw(st.sampled_from(sorted({*target, *MEMBERS})))] = odd
    elif isinstance(target, list):
        target.append(odd)
    else:
        body = odd
    return json.dumps(body)


# Requests to the host itself and to cubes: wrong ones, and those that only read.
HOST_REQUESTS = st.one_of(
    st.sampled_from(
        [
            ("GET", "cubes"),
            ("GET", "cubes/fuzz"),
            ("GET", "topology"),
            ("GET", "topology/lo"),
            ("GET", "topology/nosuch"),
            ("GET", "metrics"),
            ("GET", "netdevs"),
            ("GET", "k8slbrp"),
            ("GET", ""),
            ("OPTIONS", "?help=NONE"),
            ("OPTIONS", "k8slbrp?help=ADD"),
            ("DELETE", "k8slbrp/nosuch"),
            ("DELETE", "cubes"),
            ("GET", "fuzz/service"),
            ("PUT", "k8slbrp"),
        ]
    ).map(lambda pair: (*pair, None)),
    st.tuples(
        st.just("POST"),
        st.sampled_from(["connect", "disconnect", "attach", "detach", "services", "cubes", "k8slbrp/fuzz"]),
        st.one_of(
            JSON.map(json.dumps),
            st.builds(lambda one, two: json.dumps({"peer1": one, "peer2": two}), PEERS, PEERS),
        ),
    ),
    # No new cube, whatever else the body says: it would take a second to compile.
    st.tuples(
        st.sampled_from(["POST", "PUT", "PATCH"]),
        st.sampled_from(["k8slbrp/nosuch", "k8slbrp/%00", "k8slbrp/a:b", "k8slbrp/" + "x" * 300]),
        JSON.map(lambda value: json.dumps({**value, "bogus": 1} if isinstance(value, dict) else [value])),
    ),
)
