"""What the loader understands of a model."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from codegen import schema
from codegen.schema import Kind, Node, SchemaError, Type

PROJECT = Path(__file__).resolve().parents[3]

HEADER = 'module m { yang-version 1.1; namespace "http://m"; prefix m; '


def load(body: str) -> dict[str, Node]:
    return {node.name: node for node in schema.load(f"{HEADER}{body} }}").children}


def leaf_type(text: str, extra: str = "") -> Type:
    found = load(f"{extra} leaf x {{ type {text} }}")["x"].type
    assert found
    return found


@pytest.fixture(scope="module")
def k8slbrp() -> schema.Module:
    return schema.load((PROJECT / "datamodel/k8slbrp.yang").read_text())


def test_module_facts(k8slbrp: schema.Module) -> None:
    assert k8slbrp.name == k8slbrp.service_name == "k8slbrp"
    assert k8slbrp.namespace == "http://polycube.network/k8slbrp"
    assert k8slbrp.description == "K8s LoadBalancer Reverse-Proxy Service"
    assert (k8slbrp.version, k8slbrp.min_kernel) == ("3.0.0", "5.6.0")
    assert k8slbrp.text == (PROJECT / "datamodel/k8slbrp.yang").read_text()


def test_tree_order_is_that_of_the_historical_service_with_new_nodes_last(k8slbrp: schema.Module) -> None:
    names = [node.name for node in k8slbrp.children]
    assert names == [
        *("uuid", "type", "service-name", "loglevel", "ports", "shadow", "span"),
        *("port_mode", "src-ip-rewrite", "service", "max-sessions", "unserved-ports", "timeouts"),
        *("stats", "sessions"),
    ]
    ports = k8slbrp.children[4]
    assert [leaf.name for leaf in ports.children] == [
        *("name", "uuid", "status", "peer", "tcubes", "type", "ip"),
    ]
    assert [leaf.name for leaf in ports.children if leaf.base] == ["name", "uuid", "status", "peer", "tcubes"]


def test_service_list(k8slbrp: schema.Module) -> None:
    service = next(node for node in k8slbrp.children if node.name == "service")
    assert service.keys == ("vip", "vport", "proto")
    assert [(leaf.name, leaf.mandatory, leaf.example) for leaf in service.children] == [
        ("name", False, "Service-nigx"),
        ("vip", False, "130.192.100.12"),
        ("vport", False, "80"),
        ("proto", True, "TCP"),
        ("backend", False, ""),
        ("stats", False, ""),
        ("session-affinity", False, "CLIENT_IP"),
        ("affinity-timeout", False, "10800"),
        ("source-range", False, ""),
    ]
    backend = service.child("backend")
    assert [(leaf.name, leaf.mandatory, leaf.example) for leaf in backend.children] == [
        ("name", False, "backend1"),
        ("ip", False, "10.244.1.23"),
        ("port", True, "80"),
        ("weight", False, "1"),
        ("state", False, "DRAINING"),
        ("stats", False, ""),
    ]
    assert service.child("vport").type == Type("uint16", "inet:port-number", ranges=((0, 65535),))


def test_init_only_and_read_only_leaves_are_not_writable(k8slbrp: schema.Module) -> None:
    top = {node.name: node for node in k8slbrp.children}
    writable = [name for name, node in top.items() if node.writable]
    assert writable == [
        "loglevel",
        "ports",
        "span",
        "port_mode",
        "src-ip-rewrite",
        "service",
        "unserved-ports",
        "timeouts",
    ]
    assert top["max-sessions"].init_only and top["max-sessions"].config
    assert top["max-sessions"].default == "131072"
    assert not top["uuid"].config


def test_k8slbrp_avoids_what_polycubed_gets_wrong(k8slbrp: schema.Module) -> None:
    words = k8slbrp.text.split()
    assert "length" not in words  # inverted
    assert ("mandatory", "false;") not in set(itertools.pairwise(words))  # taken for true


def test_child_that_is_not_there() -> None:
    with pytest.raises(KeyError, match="absent"):
        load("container c;")["c"].child("absent")


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("uint8;", ((0, 255),)),
        ("int64;", ((-(2**63), 2**63 - 1),)),
        ('int8 { range "min..3 | 7 | 9..max"; }', ((-128, 3), (7, 7), (9, 127))),
        ("narrow;", ((5, 100),)),
        ('wide { range "50..max"; }', ((50, 100),)),
        ("string;", ()),
        ('decimal64 { fraction-digits 2; range "1.5..3"; }', ()),
    ],
)
def test_integer_ranges(text: str, ranges: tuple[tuple[int, int], ...]) -> None:
    typedefs = """typedef wide { type int32 { range "1..100"; } }
                  typedef narrow { type wide { range "5..max"; } }"""
    assert leaf_type(text, typedefs).ranges == ranges


def test_typedef_chain_merges_patterns_but_keeps_apart_what_polycubed_checks() -> None:
    typedefs = """typedef inner { type string { pattern "a.*"; } }
                  typedef outer { type inner { pattern ".*b"; } }"""
    plain = leaf_type('outer { pattern ".c."; }', typedefs)
    assert plain.base == "string" and plain.name == "outer"
    assert plain.patterns == (".c.", ".*b", "a.*")
    assert plain.typedef_patterns == (".*b",)
    assert leaf_type('string { pattern "x"; }').typedef_patterns == ("x",)


def test_restricted_enumeration_and_union() -> None:
    typedef = "typedef colour { type enumeration { enum RED; enum GREEN; enum BLUE; } }"
    assert leaf_type("colour;", typedef).enums == ("RED", "GREEN", "BLUE")
    assert leaf_type("colour { enum GREEN; }", typedef).enums == ("GREEN",)
    union = leaf_type("union { type uint8; type colour; }", typedef)
    assert [(member.base, member.name) for member in union.members] == [
        ("uint8", "uint8"),
        ("enumeration", "colour"),
    ]


def test_actions_and_config_inheritance() -> None:
    nodes = load("""
        rpc reset;
        container state { config false; presence "p"; list l { key k; leaf k { type string; } } }
        list l { key "b a"; leaf a { type string; } leaf b { type string; }
          action go { input { leaf x { type string; mandatory true; } } output { leaf y { type uint8; } } } }
    """)
    assert nodes["reset"] == Node("reset", Kind.ACTION)
    state = nodes["state"]
    assert state.presence and not state.config and not state.child("l").config
    assert nodes["l"].keys == ("b", "a")
    go = nodes["l"].child("go")
    assert [(leaf.name, leaf.mandatory, leaf.config) for leaf in go.children] == [("x", True, True)]
    assert [leaf.name for leaf in go.output] == ["y"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "end of file"),
        ("nonsense", "not a YANG module"),
        ('{"json": true}', "model:1"),
        (HEADER, "end of file"),
        (HEADER + "leaf a { type strin; } }", 'type "strin" not found'),
        (HEADER + "import nowhere { prefix n; } }", '"nowhere" not found'),
        (HEADER + "choice c { leaf a { type string; } } }", "does not support choice"),
        (HEADER + "notification n; }", "does not support notification"),
        (HEADER + "list l { key k; leaf j { type string; } } }", "k"),
    ],
)
def test_bad_models(text: str, problem: str) -> None:
    with pytest.raises(SchemaError, match=problem):
        schema.load(text)


def test_only_the_search_path_is_searched(tmp_path: Path) -> None:
    (tmp_path / "near.yang").write_text(
        'module near { namespace "http://near"; prefix near; typedef t { type uint8; } }'
    )
    text = HEADER + "import near { prefix n; } leaf x { type n:t; } }"
    (leaf,) = schema.load(text, [tmp_path]).children
    assert leaf.type == Type("uint8", "n:t", ranges=((0, 255),))
    with pytest.raises(SchemaError, match='"near" not found'):
        schema.load(text)


def test_nodes_are_values() -> None:
    node = load("leaf x { type string; }")["x"]
    assert node == replace(node) and hash(node) == hash(replace(node))
