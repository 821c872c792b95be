"""The generated files of two models, compared with those kept in golden/.

Run with CODEGEN_UPDATE_GOLDEN=1 to accept what the generator writes now; the diff is the review.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from service_handlers import exported

from codegen import cpp, model, schema
from testbed.host import SERVICE_LIBRARY

HERE = Path(__file__).parent
MODELS = (HERE.parents[2] / "datamodel/k8slbrp.yang", HERE / "greenhouse/green-house.yang")
MODEL_DEPENDENT = ("api.h", "config.h", "config.cpp", "handlers.cpp", "exports.map")

HEADER = 'module m { yang-version 1.1; namespace "http://m"; prefix m; '


@pytest.mark.parametrize("file", MODEL_DEPENDENT)
@pytest.mark.parametrize("yang", MODELS, ids=lambda path: path.stem)
def test_golden(yang: Path, file: str) -> None:
    text = cpp.render(schema.load(yang.read_text()))[file]
    golden = HERE / "golden" / yang.stem / file
    if os.environ.get("CODEGEN_UPDATE_GOLDEN"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(text)
    assert text == golden.read_text()


def test_the_cpp_namespace_can_be_another_than_the_module() -> None:
    text = cpp.render(schema.load(MODELS[0].read_text()), namespace="balancer")["handlers.cpp"]
    assert "namespace balancer {" in text and "namespace k8slbrp" not in text
    assert "create_k8slbrp_service_by_id_handler" in text


@pytest.mark.parametrize("yang", MODELS, ids=lambda path: path.stem)
def test_every_operation_is_tied_to_the_method_of_its_name(yang: Path) -> None:
    """Two of them have one type: only the name tells them apart, so it stands on both sides."""
    text = cpp.render(schema.load(yang.read_text()))["handlers.cpp"]
    ties = re.findall(r"table\.(\w+) = &CubeApi::(\w+);", text)
    assert len(ties) > 20
    for entry, method in ties:
        operation, _, suffix = entry.replace("remove", "delete").partition("_")
        assert entry == "run" or (method.startswith(operation) and method.endswith(suffix))


def test_generated_code_stays_short() -> None:
    files = cpp.render(schema.load(MODELS[0].read_text()))
    code = sum(text.count("\n") for name, text in files.items() if name.endswith((".h", ".cpp")))
    assert code < 2500


def test_k8slbrp_exports_what_polycubed_looks_up_and_nothing_else() -> None:
    trees = "k8slbrp", "k8slbrp_ports", "k8slbrp_service", "k8slbrp_service_backend"
    lists = [f"{tree}_list" for tree in trees[1:]]
    leaves = [
        *("k8slbrp_port_mode", "k8slbrp_ports_type", "k8slbrp_ports_ip", "k8slbrp_service_name"),
        *(f"k8slbrp_service_backend_{leaf}" for leaf in ("name", "port", "weight")),
        *(f"k8slbrp_src_ip_rewrite_{leaf}" for leaf in ("ip_range", "new_ip_range")),
    ]
    expected = {"init", "data_model", "pyang_git", "swagger_codegen_git"}
    expected |= {f"{tree}_list_by_id_help" for tree in trees}
    expected |= {
        f"{operation}_{node}_by_id_handler"
        for node in (*trees, *lists, "k8slbrp_src_ip_rewrite")
        for operation in ("create", "replace", "delete", "read", "update")
    }
    expected |= {f"{operation}_k8slbrp_list_by_id_handler" for operation in ("read", "update")}
    expected |= {f"{operation}_{leaf}_by_id_handler" for leaf in leaves for operation in ("read", "update")}
    assert len(expected) == 68
    expected.add("read_k8slbrp_max_sessions_by_id_handler")
    operations = ("create", "replace", "delete", "read", "update")
    expected |= {f"{operation}_k8slbrp_timeouts_by_id_handler" for operation in operations}
    timeouts = (
        *("tcp_opening", "tcp_established", "tcp_half_closed", "tcp_closed"),
        *("udp_unanswered", "udp_answered", "udp_stream", "icmp"),
    )
    new = ["k8slbrp_service_backend_state", "k8slbrp_unserved_ports"]
    new += ("k8slbrp_service_session_affinity", "k8slbrp_service_affinity_timeout")
    for node in ("k8slbrp_service_source_range", "k8slbrp_service_source_range_list"):
        expected |= {f"{operation}_{node}_by_id_handler" for operation in operations}
    expected.add("k8slbrp_service_source_range_list_by_id_help")
    new += (f"k8slbrp_timeouts_{name}" for name in timeouts)
    expected |= {f"{operation}_{leaf}_by_id_handler" for leaf in new for operation in ("read", "update")}
    found = exported(SERVICE_LIBRARY)  # as make build has it: compiling it once more takes 16 s
    state = {
        symbol
        for symbol in found
        if re.search("k8slbrp(_service|_service_backend)?_(stats|sessions)_", symbol)
    }
    assert found - state == expected
    written = {symbol for symbol in state if not symbol.startswith("read_") and not symbol.endswith("_help")}
    assert written == {f"create_k8slbrp_sessions_{action}_by_id_handler" for action in ("find", "end")}
    assert {
        "read_k8slbrp_stats_by_id_handler",
        "read_k8slbrp_service_backend_stats_packets_in_by_id_handler",
        "k8slbrp_stats_table_list_by_id_help",
    } <= state


def test_list_symbols_are_made_by_editing_the_last_occurrence_of_the_name() -> None:
    module = schema.load(
        HEADER
        + "list bed { key k; leaf k { type string; } list bed { key j; leaf j { type uint8; } } "
        + "list by { key k; leaf k { type string; } } } }"
    )
    symbols = model.build(module).symbols
    assert {"create_m_bed_list_by_id_handler", "create_m_bed_bed_list_by_id_handler"} <= set(symbols)
    assert "create_m_bed_by_by_list_id_handler" in symbols  # so polycubed looks it up


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("leaf-list x { type string; }", "x: a leaf-list is not supported"),
        ("leaf x { type leafref { path '/m:y'; } } leaf y { type string; }", "leafref"),
        ("leaf x { type instance-identifier; }", "instance-identifier"),
        ("identity i; leaf x { type identityref { base i; } }", "identityref"),
        ("leaf name { type string; }", "name of the cube"),
        ("list l { config false; leaf x { type string; } }", "l: a list needs a key"),
        ("list l { key x; leaf x { type empty; } }", "x"),
        ("list l { key x; leaf x { type decimal64 { fraction-digits 1; } } }", "l/x: a key of this type"),
        ("leaf x { type enumeration { enum a-b; enum A_B; } }", "same value of X: AB"),
        (
            "leaf x-y { type enumeration { enum a; } } "
            "container x { leaf y { type enumeration { enum b; } } }",
            "same type: XY",
        ),
        ("container a-b { leaf x { type string; } } container a { container b { presence p; } }", "ABConfig"),
        (
            "list x { key k; leaf k { type string; } } list x-list { key k; leaf k { type string; } } ",
            "x_list",
        ),
        (
            "import polycube-base { prefix pb; } "
            "container c { pb:init-only-config; leaf x { type string; } }",
            "c/x must be init-only",
        ),
        ("rpc r { input { container c { presence p; } } }", "r/c: a container is not supported here"),
    ],
)
def test_models_that_cannot_be_served(body: str, problem: str) -> None:
    with pytest.raises(schema.SchemaError, match=problem):
        model.build(schema.load(f"{HEADER}{body} }}"))


def test_long_texts_are_split_at_line_ends() -> None:
    text = "".join(f'line {number} \\ " )\n' for number in range(20_000))
    literal = cpp.raw_string(text)
    parts = literal.split('\n)POLYCUBE"\nR"POLYCUBE(')
    assert len(parts) > 10 and max(map(len, parts)) < 16_000
    assert literal.replace(')POLYCUBE"\nR"POLYCUBE(', "") == f'R"POLYCUBE({text})POLYCUBE"'
    with pytest.raises(ValueError, match="ends its literal"):
        cpp.raw_string('a )POLYCUBE" b')
