"""Paths and methods: which handler runs with which keys, and how its answer is passed on."""

from __future__ import annotations

import json
from urllib.parse import unquote

import pytest

from pcnhost.library import ErrorTag, Key
from tests.unit.rest.store_host import Asked, Host

SEAL = (Key("seal_row", "UINT8", 2), Key("row", "UINT16", 3), Key("side", "STRING", "left"))


@pytest.mark.parametrize(
    ("method", "path", "symbol", "keys", "status"),
    [
        ("GET", "store/s1", "read_store_by_id_handler", (), 200),
        ("PATCH", "store/s1/", "update_store_by_id_handler", (), 200),
        ("GET", "store/s1/mode/", "read_store_mode_by_id_handler", (), 200),
        ("POST", "store/s1/climate/", "create_store_climate_by_id_handler", (), 201),
        ("DELETE", "store/s1/alarm/", "delete_store_alarm_by_id_handler", (), 204),
        ("DELETE", "store/s1/ports/", "delete_store_ports_list_by_id_handler", (), 200),
        (
            "GET",
            "store/s1/ports/a%20b/",
            "read_store_ports_by_id_handler",
            (Key("ports_name", "STRING", "a b"),),
            200,
        ),
        ("PATCH", "store/s1/box/left/3/", "update_store_box_by_id_handler", SEAL[1:], 201),
        ("GET", "store/s1/box/left/3/seal", "read_store_box_seal_list_by_id_handler", SEAL[1:], 200),
        ("PUT", "store/s1/box/left/3/seal/2/", "replace_store_box_seal_by_id_handler", SEAL, 201),
        ("GET", "store/s1/box/left/3/seal/2/stamp/", "read_store_box_seal_stamp_by_id_handler", SEAL, 200),
    ],
)
def test_handlers_get_all_keys_innermost_first(
    host: Host, method: str, path: str, symbol: str, keys: tuple[Key, ...], status: int
) -> None:
    assert host.ask(method, path).status == status
    # After a list, its keys are asked for: the links lead to its elements.
    asked = next(asked for asked in reversed(host.library.asked) if not asked.symbol.endswith("_help"))
    assert (asked.symbol, asked.cube, asked.keys) == (symbol, "s1", keys)


def test_all_mandatory_symbols_are_required_at_load(host: Host) -> None:
    required = host.library.required
    assert required[0] == "init"
    assert len(required) == len(set(required))
    handlers = [
        f"{op}_store_box_seal{kind}_by_id_handler" for kind in ("", "_list") for op in ("create", "delete")
    ]
    assert {*handlers, "store_list_by_id_help", "store_box_seal_list_by_id_help"} <= set(required)
    assert "create_store_box_shake_by_id_handler" in required
    assert {s for s in required if "visit" in s} == {
        "read_store_visitors_by_id_handler",
        "read_store_visit_by_id_handler",
        "read_store_visit_list_by_id_handler",
        "store_visit_list_by_id_help",
    }
    assert "read_store_site_by_id_handler" in required  # init-only: read, never updated
    assert "update_store_site_by_id_handler" not in required
    assert not {s for s in required if "loglevel" in s or "uuid" in s or "peer" in s}  # the host's own


def test_slashes_do_not_count(host: Host) -> None:
    for path in ("store/s1/mode", "store//s1///mode//"):
        host.ask("GET", path)
        assert host.last() == Asked("read_store_mode_by_id_handler", "s1", (), None)


def test_unknown_method_names_the_known_ones(host: Host) -> None:
    answer = host.ask("PUT", "store/s1/mode/")
    assert (answer.status, answer.body) == (405, "Method Not Allowed")
    assert answer.headers == (("Allow", "GET, OPTIONS, PATCH"),)
    assert host.ask("GET", "store/s1/box/LEFT/").headers == (("Allow", "OPTIONS"),)
    assert host.ask("PATCH", "store/s1/visitors/", "1").status == 405
    assert host.ask("DELETE", "store/s1/visit/1/").status == 405
    assert host.ask("PATCH", "store/s1/site/", '"x"').status == 405


def test_keys_have_no_endpoint(host: Host) -> None:
    answer = host.ask("GET", "store/s1/box/LEFT/1/row/")
    assert (answer.status, answer.body, answer.content_type) == (404, "No cube found named store", None)


def test_short_cube_path_redirects_once(host: Host) -> None:
    answer = host.ask("POST", "s1/box/LEFT/1/?help=ADD&completion")
    assert (answer.status, answer.body, answer.content_type) == (308, "", None)
    assert answer.headers == (("Location", "/polycube/v1/store/s1/box/LEFT/1?help=ADD&completion="),)
    again = host.ask("POST", "s1/box/", referer=True)
    assert (again.status, again.body) == (404, "Cannot find a matching route.")


def test_unknown_first_segment(host: Host) -> None:
    assert host.ask("GET", "nothing/at/all").body == "No cube found named nothing"
    assert host.ask("GET", "../../etc").status == 404


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
@pytest.mark.parametrize("row", ["70000", "-1", "three", "1_0", "%D9%A1", "", "9" * 5000])
def test_key_that_is_no_number_is_explained(host: Host, method: str, row: str) -> None:
    answer = host.ask(method, f"store/s1/box/LEFT/{row or '+'}/", '{"content":"a"}')
    assert answer.status == 400
    assert answer.body.startswith("row: ")
    assert answer.body.endswith("allowed 0..65535")
    assert not host.library.asked


def test_keys_of_the_path_are_checked_below_an_entry_and_before_a_delete(host: Host) -> None:
    for method, path in (("GET", "box/UP/1/content"), ("DELETE", "box/UP/1"), ("POST", "box/UP/1/seal")):
        answer = host.ask(method, f"store/s1/{path}/")
        assert (answer.status, ":side" in answer.body) == (400, True)
    assert not host.library.asked
    assert '"side"' in host.ask("POST", "store/s1/box/UP/1/", '{"content":"a"}').body
    host.ask("GET", "store/s1/box/UP/1/")  # an entry read: the service knows best
    assert host.last().keys[1].value == "UP"


def test_delete_reads_first(host: Host) -> None:
    host.answering("read_store_box_by_id_handler", "no such box", ErrorTag.GENERIC_ERROR)
    answer = host.ask("DELETE", "store/s1/box/LEFT/1/")
    assert (answer.status, "data-missing" in answer.body) == (409, True)
    assert [asked.symbol for asked in host.library.asked] == ["read_store_box_by_id_handler"]


@pytest.mark.parametrize(
    ("tag", "text", "status", "body"),
    [
        (ErrorTag.OK, "x", 200, "x"),
        (ErrorTag.NO_CONTENT, "", 204, ""),
        (ErrorTag.BAD_REQUEST, "no", 400, "no"),
        (ErrorTag.GENERIC_ERROR, "oops", 500, "oops"),
        (ErrorTag.BAD_ELEMENT, "", 400, "bad-element"),
        (ErrorTag.DATA_EXISTS, "", 409, "data-exists"),
        (ErrorTag.DATA_MISSING, "Box 5 is gone", 409, "Box 5 is gone"),
        (ErrorTag.OPERATION_NOT_SUPPORTED, "", 405, "operation-not-supported"),
    ],
)
def test_tags_of_services_become_statuses(
    host: Host, tag: ErrorTag, text: str, status: int, body: str
) -> None:
    host.answering("read_store_mode_by_id_handler", text, tag)
    answer = host.ask("GET", "store/s1/mode/")
    if tag > ErrorTag.GENERIC_ERROR:
        body = json.dumps(
            {"ietf-restconf:errors": {"error": [{"error-type": "application", "error-tag": body}]}},
            separators=(",", ":"),
        )
    assert (answer.status, answer.body) == (status, body)


def test_cube_is_created_once_and_deleted_once(host: Host) -> None:
    assert host.ask("POST", "store/s2/").status == 201
    for method, path, body in (
        ("POST", "store/s2/", ""),
        ("PUT", "store/s2", ""),
        ("POST", "store", '{"name":"s2"}'),
    ):
        answer = host.ask(method, path, body)
        assert (answer.status, "data-exists" in answer.body) == (409, True)
    assert host.ask("DELETE", "store/s2/").status == 200
    assert host.ask("DELETE", "store/s2/").status == 409


@pytest.mark.parametrize("name", ["..", ".", "a:b", "a%2fb", "a%20b", "x" * 101, "a" + "." * 98 + "b"])
def test_name_that_cannot_be_used_is_refused(host: Host, name: str) -> None:
    answer = host.ask("POST", f"store/{name}/")
    shown = unquote(name) if len(name) <= 100 else f"{name[:100]}…"
    assert (answer.status, answer.body.startswith(f"name: '{shown}' is no name for a cube")) == (400, True)
    assert not host.library.asked


@pytest.mark.parametrize("name", ["a/b", "", " ", "a b", "../etc"])
def test_name_in_the_body_is_checked_too(host: Host, name: str) -> None:
    assert host.ask("POST", "store/", json.dumps({"name": name})).status == 400
    assert not host.library.asked


def test_cube_named_in_the_body(host: Host) -> None:
    assert host.ask("POST", "store/", '{"name":"s3"}').status == 201
    assert host.last().cube == "s3"
    assert '"error-tag":"name"' in host.ask("POST", "store", "{}").body
    assert '"error-tag":"name"' in host.ask("PATCH", "store", '{"name":5}').body


def test_base_leaves_come_from_the_host(host: Host) -> None:
    read = {
        leaf: host.ask("GET", f"store/s1/{leaf}/").body for leaf in ("uuid", "type", "loglevel", "shadow")
    }
    assert read == {"uuid": '"cube-uuid"', "type": '"TC"', "loglevel": '"INFO"', "shadow": '"false"'}
    assert host.ask("PATCH", "store/s1/loglevel/", '"debug"').status == 200
    assert host.engine.cubes["s1"].loglevel == "DEBUG"
    assert host.ask("GET", "store/s1/ports/p1/tcubes/").body == "[]"
    assert host.ask("PATCH", "store/s1/ports/p1/peer/", '"veth1"').status == 200
    assert host.engine.cubes["s1"].ports["p1"].peer == "veth1"
    assert host.ask("GET", "store/gone/uuid/").status == 204
    assert "Port gone does not exist" in host.ask("GET", "store/s1/ports/gone/uuid/").body
    assert not host.library.asked


def test_unloaded_service_is_gone_with_its_cubes(host: Host) -> None:
    library = host.library
    assert host.ask("DELETE", "services/store").status == 204
    assert not library.open
    assert host.engine.cubes == {}
    assert host.ask("GET", "store/").status == 404
    assert host.ask("DELETE", "services/store").body == "Service Controller does not exist"
    assert host.ask("POST", "services", '{"type":"lib","uri":"x.so","name":"store"}').status == 200
    assert host.ask("GET", "store/").status == 200


def test_service_that_does_not_delete_its_cubes_is_unloaded_nevertheless(host: Host) -> None:
    host.answering("delete_store_by_id_handler", "no", ErrorTag.GENERIC_ERROR)
    assert host.ask("DELETE", "services/store").status == 204
    assert host.engine.cubes == {}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ('{"type":"lib","uri":"x","name":"store"}', "Service Controller already exists"),
        ('{"type":"lib","uri":"x","name":"cubes"}', "cubes is a name of the host itself"),
        (
            '{"type":"lib","uri":"x","name":"shop"}',
            "Inconsistent module name, service-name, and request name.",
        ),
        ('{"type":"grpc","uri":"x","name":"shop"}', "GRPC support has not been compiled"),
        ("{", "body: malformed JSON at line 1, column 2: expecting property name enclosed in double quotes"),
    ],
)
def test_service_that_cannot_be_loaded(host: Host, body: str, text: str) -> None:
    answer = host.ask("POST", "services", body)
    assert (answer.status, answer.body, answer.content_type) == (400, text, None)
