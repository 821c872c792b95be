"""The handlers of a generated service, called through the C ABI like a host calls them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from service_handlers import (
    BAD_REQUEST,
    CREATED,
    EXISTS,
    GENERIC_ERROR,
    MISSING,
    OK,
    Handlers,
    Reply,
    exported,
)

from codegen import model, schema

MODEL = Path(__file__).parent / "greenhouse/green-house.yang"
BED = (("row", "uint8", 3), ("column", "int8", -2))
VALVE = (("valve_name", "string", "left"), *BED)
PLANT = (("plant_na", "string", "oak"), ("sunny", "boolean", True), ("kind", "string", "TREE"), *BED)


class Cube:
    """One cube, with the operations of a host on a node given as `bed_plant` and the like."""

    def __init__(self, handlers: Handlers, name: str) -> None:
        self.handlers = handlers
        self.name = name

    def __call__(self, operation: str, node: str = "", keys: Any = (), body: Any = None) -> Reply:
        path = "_".join(filter(None, (operation, "green_house", node, "by_id_handler")))
        text = None if body is None else json.dumps(body)
        return self.handlers.call(path, self.name, keys, text)

    def read(self, node: str = "", keys: Any = ()) -> Any:
        reply = self("read", node, keys)
        assert reply.tag == OK, reply
        return reply.json

    def helped(self, node: str, keys: Any = ()) -> Any:
        reply = self.handlers.call(f"green_house_{node}_list_by_id_help", self.name, keys)
        assert reply.tag == OK, reply
        return reply.json


@pytest.fixture
def cube(handlers: Handlers) -> Iterator[Cube]:
    cube = Cube(handlers, "house")
    assert cube("create", body={"name": "house", "loglevel": "INFO"}) == Reply(CREATED, "")
    yield cube
    assert cube("delete") == Reply(OK, "")


@pytest.fixture
def bed(cube: Cube) -> Cube:
    assert cube("create", "bed", BED, {"row": 3, "column": -2, "label": "1.2.3.4"}) == Reply(CREATED, "")
    return cube


@pytest.fixture
def plant(bed: Cube) -> Cube:
    reply = bed("create", "bed_plant", PLANT, {"na": "oak", "sunny": True, "kind": "tree", "planted": 1969})
    assert reply == Reply(CREATED, "")
    return bed


def test_data_model_is_the_source(handlers: Handlers) -> None:
    assert handlers.data_model() == MODEL.read_text()


def test_exports_are_what_polycubed_looks_up_and_nothing_else(green_house_library: Path) -> None:
    service = model.build(schema.load(MODEL.read_text()))
    symbols = exported(green_house_library)
    assert symbols == set(service.symbols)
    assert {
        "read_green_house_list_by_id_handler",
        "create_green_house_bed_watering_valve_list_by_id_handler",
        "read_green_house_roof_glass_type_by_id_handler",
        "create_green_house_open_roof_by_id_handler",
        "create_green_house_bed_plant_water_by_id_handler",
        "green_house_gnome_list_by_id_help",
        "read_green_house_serial_by_id_handler",
    } <= symbols
    assert (
        not {
            "update_green_house_serial_by_id_handler",
            "create_green_house_roof_by_id_handler",
            "update_green_house_roof_glass_type_by_id_handler",
            "delete_green_house_gnome_list_by_id_handler",
            "read_green_house_bed_row_by_id_handler",
            "read_green_house_loglevel_by_id_handler",
        }
        & symbols
    )


def test_missing_cube(handlers: Handlers) -> None:
    nobody = Cube(handlers, "nobody")
    absent = Reply(MISSING, "Cube nobody does not exist")
    assert nobody("read") == absent
    assert nobody("update", body={"name": "nobody"}) == absent
    assert nobody("delete") == absent
    assert nobody("read", "owner") == absent
    assert nobody("create", "bed", BED, {"row": 3, "column": -2}) == absent


def test_a_cube_is_created_once(cube: Cube) -> None:
    again = Reply(EXISTS, "There is already a cube with name house")
    assert cube("create", body={"name": "house"}) == again
    assert cube("replace", body={"name": "house"}) == again


def test_a_cube_that_cannot_be_made_leaves_nothing(handlers: Handlers) -> None:
    bad = Cube(handlers, "bad")
    assert bad("create", body={"name": "bad", "owner": "burglar"}) == Reply(GENERIC_ERROR, "no burglars")
    assert bad("create", body={"name": "bad", "owner": "ghost"}) == Reply(GENERIC_ERROR, "unknown error")
    duplicate = [{"row": 1, "column": 1}, {"row": 1, "column": 1}]
    assert bad("create", body={"name": "bad", "bed": duplicate}).tag == BAD_REQUEST
    assert bad("read").tag == MISSING
    assert bad("create", body={"name": "bad"}).tag == CREATED
    assert bad("delete").tag == OK


def test_cube_shows_base_members_first_then_own_ones_in_schema_order(handlers: Handlers) -> None:
    house = Cube(handlers, "full")
    body = {
        "bed": [{"row": 1, "column": 2, "plant": [{"na": "ivy", "sunny": False, "kind": "Shrub"}]}],
        "climate": {"night": {"target": 2**40}, "target": "19.25"},
        "locked": [None],
        "humidity": 80,
        "serial": "18446744073709551615",
        "roof": {"glass.type": "2x"},
        "name": "full",
    }
    assert house("create", body=body) == Reply(CREATED, "")
    shown = house.read()
    assert house("delete").tag == OK
    assert list(shown.items()) == [
        ("name", "full"),
        ("loglevel", "INFO"),
        ("serial", 2**64 - 1),
        ("humidity", 80),
        ("locked", [None]),
        ("climate", {"target": 19.25, "night": {"target": 2**40}}),
        (
            "weather",
            {
                "temperature": -3,
                "reading": [{"time": 1, "wind": "calm"}, {"time": 2**64 - 1, "wind": "gale-force"}],
            },
        ),
        ("roof", {"glass.type": "2x"}),
        ("bed", [{"column": 2, "row": 1, "plant": [{"na": "ivy", "sunny": False, "kind": "shrub"}]}]),
    ]


def test_all_cubes(cube: Cube, handlers: Handlers) -> None:
    assert handlers.call("update_green_house_list_by_id_handler", body='[{"name": "house", "owner": "Eve"}]')
    reply = handlers.call("read_green_house_list_by_id_handler")
    assert [(item["name"], item["owner"]) for item in reply.json] == [("house", "Eve")]
    assert handlers.call("green_house_list_by_id_help").json == [{"name": "house"}]


def test_update_passes_on_what_was_received(cube: Cube) -> None:
    assert cube("update", body={"name": "house", "loglevel": "DEBUG", "owner": "Bob"}) == Reply(OK, "")
    assert cube("create", "open_roof", body={}) == Reply(
        CREATED, '{"name":"house","loglevel":"DEBUG","owner":"Bob"}'
    )
    assert cube("update", "owner", body="Eve") == Reply(OK, "")
    assert cube("read", "owner") == Reply(OK, '"Eve"')
    assert cube("create", "open_roof", body={}).json == {"name": "house", "owner": "Eve"}


def test_leaf_without_a_value_shows_its_default(cube: Cube) -> None:
    assert cube("read", "owner") == Reply(OK, '"nobody"')


@pytest.mark.parametrize(
    ("leaf", "value", "problem"),
    [
        ("humidity", 61, "humidity: 61 is out of range, allowed 20..60, 80"),
        ("humidity", 300, "humidity: 300 is out of range, allowed 20..60, 80"),
        ("humidity", -1, "humidity: -1 is out of range, allowed 20..60, 80"),
        ("humidity", 50.0, "humidity: 50.0 is not a whole number, allowed 20..60, 80"),
        ("humidity", "50", 'humidity: "50" is not a whole number, allowed 20..60, 80'),
        ("owner", 5, "owner: 5 is not a string"),
        ("owner", None, "owner: null is not a string"),
        ("locked", True, "locked: true is not [null]"),
        ("climate", [], "climate: [] is not an object"),
        ("climate", {"switch": "on"}, 'climate.switch: "on" is not true or false'),
        ("climate", {"target": "warm"}, 'climate.target: "warm" is not a number'),
        ("climate", {"night": {"target": 2**63}}, f"climate.night.target: {2**63} is out of range, allowed "),
        ("climate", {"night": {"target": "1.5"}}, 'climate.night.target: "1.5" is not a whole number, '),
        ("serial", -1, "serial: -1 is out of range, allowed 0..18446744073709551615"),
        ("roof", {"glass.type": "3x"}, 'roof.glass.type: "3x" is not one of 2x, SINGLE_PANE'),
        ("roof", {"glass.type": 2}, "roof.glass.type: 2 is not a string"),
        ("bed", {}, "bed: {} is not a list"),
        ("bed", [7], "bed[0]: 7 is not an object"),
        ("bed", [{"row": 0}], "bed[0].column: missing, allowed: -5..5"),
        ("bed", [{"row": 0, "column": 6}], "bed[0].column: 6 is out of range, allowed -5..5"),
        (
            "bed",
            [{"row": 0, "column": 0}, {"row": 0, "column": 1}, {"row": 0, "column": 0}],
            "bed[2]: 0 0 is already given by bed[0]",
        ),
        (
            "bed",
            [{"row": 0, "column": 0, "watering": {"valve": [{"name": "a"}, {"name": "b", "position": "x"}]}}],
            'bed[0].watering.valve[1].position: "x" is not a whole number, allowed -2147483648..2147483647',
        ),
        (
            "bed",
            [{"row": 0, "column": 0, "plant": [{"na": "x", "sunny": True, "kind": "tree", "planted": {}}]}],
            "bed[0].plant[0].planted: {} is not a single value",
        ),
    ],
)
def test_bad_values(cube: Cube, leaf: str, value: Any, problem: str) -> None:
    reply = cube("update", body={"name": "house", leaf: value})
    assert reply.tag == BAD_REQUEST
    assert reply.text.startswith(problem)


@pytest.mark.parametrize("value", [20, 60, 80])
def test_bounds_belong_to_a_range(cube: Cube, value: int) -> None:
    assert cube("update", "humidity", body=value) == Reply(OK, "")
    assert cube.read("humidity") == value


def test_body_that_is_not_json(handlers: Handlers, cube: Cube) -> None:
    reply = handlers.call("update_green_house_by_id_handler", "house", (), "{")
    assert reply.tag == GENERIC_ERROR
    assert "parse error" in reply.text


def test_container(cube: Cube) -> None:
    assert cube("read", "climate") == Reply(MISSING, "no climate")
    assert cube("create", "climate", body={"target": 18, "switch": False}) == Reply(OK, "")
    assert cube.read("climate") == {"target": 18.0, "switch": False}
    assert cube("update", "climate_switch", body=True) == Reply(OK, "")
    assert cube.read("climate_switch") is True
    assert cube("replace", "climate", body={"switch": True}) == Reply(OK, "")
    assert cube("read", "climate_target") == Reply(OK, "21.5")
    assert cube("update", "climate_night_target", body=-7) == Reply(OK, "")
    assert cube.read("climate") == {"switch": True, "night": {"target": -7}}
    assert cube("delete", "climate_night") == Reply(OK, "")
    assert cube("read", "climate_night") == Reply(OK, "{}")
    assert cube("delete", "climate") == Reply(OK, "")
    assert cube("read", "climate").tag == MISSING


def test_read_only_list_in_a_read_only_container(cube: Cube) -> None:
    latest = (("time", "uint64", 2**64 - 1),)
    assert cube.read("weather_reading", latest) == {"time": 2**64 - 1, "wind": "gale-force"}
    assert cube.read("weather_reading_wind", latest) == "gale-force"
    assert cube.read("weather_temperature") == -3
    assert len(cube.read("weather_reading_list")) == 2
    assert cube.helped("weather_reading") == [{"time": "1"}, {"time": "18446744073709551615"}]
    assert cube("read", "weather_reading", (("time", "uint64", 5),)) == Reply(MISSING, "no reading at 5")
    assert cube.read("gnome_mood", (("id", "uint32", 7),)) == "grumpy"


def test_empty_list(cube: Cube) -> None:
    assert cube("read", "bed_list") == Reply(OK, "null")
    assert cube.helped("bed") == []
    assert "bed" not in cube.read()


def test_list_entry(bed: Cube) -> None:
    assert bed.read("bed", BED) == {"label": "1.2.3.4", "column": -2, "row": 3}
    assert bed("read", "bed_label", BED) == Reply(OK, '"1.2.3.4"')
    assert bed("update", "bed_label", BED, "::1") == Reply(OK, "")
    assert bed("update", "bed", BED, {"row": 3, "column": -2, "label": "::2"}) == Reply(OK, "")
    assert bed.read("bed_label", BED) == "::2"
    assert bed("replace", "bed", BED, {"row": 3, "column": -2}) == Reply(OK, "")
    assert bed.read("bed", BED) == {"column": -2, "row": 3}
    assert bed.helped("bed") == [{"row": "3", "column": "-2"}]
    assert bed("create", "bed", BED, {"row": 3, "column": -2}) == Reply(EXISTS, "3 -2 exists")
    assert bed("delete", "bed", BED) == Reply(OK, "")
    assert bed("read", "bed", BED) == Reply(MISSING, "no bed 3 -2")


def test_whole_list_is_all_or_nothing(bed: Cube) -> None:
    bad = [{"row": 1, "column": 0}, {"row": 2, "column": 9}]
    assert bed("create", "bed_list", body=bad) == Reply(
        BAD_REQUEST, "bed[1].column: 9 is out of range, allowed -5..5"
    )
    assert bed("create", "bed_list", body=[{"row": 1, "column": 0}, {"row": 3, "column": -2}]).tag == EXISTS
    assert [entry["row"] for entry in bed.read("bed_list")] == [3]
    assert bed("create", "bed_list", body=[{"row": 1, "column": 0}]) == Reply(CREATED, "")
    assert bed("update", "bed_list", body=[{"row": 1, "column": 0, "label": "::3"}]) == Reply(OK, "")
    assert bed.read("bed_label", (("row", "uint8", 1), ("column", "int8", 0))) == "::3"
    assert bed("replace", "bed_list", body=[{"row": 9, "column": 5}]) == Reply(OK, "")
    assert bed.read("bed_list") == [{"column": 5, "row": 9}]
    assert bed("delete", "bed_list") == Reply(OK, "")
    assert bed("read", "bed_list") == Reply(OK, "null")


def test_list_in_a_container_in_a_list(bed: Cube) -> None:
    assert bed("create", "bed_watering", BED, {"interval": 48}) == Reply(OK, "")
    assert bed("update", "bed_watering_interval", BED, 25) == Reply(
        BAD_REQUEST, "interval: 25 is out of range, allowed 1..24, 48"
    )
    left = {"name": "left", "position": -5}
    assert bed("create", "bed_watering_valve", VALVE, left) == Reply(CREATED, "")
    assert bed.read("bed_watering_valve", VALVE) == {**left, "stuck": True}
    assert bed.read("bed_watering_valve_stuck", VALVE) is True
    assert bed("update", "bed_watering_valve_position", VALVE, 12) == Reply(OK, "")
    assert bed.read("bed_watering", BED) == {"interval": 48, "valve": [{"name": "left", "position": 12}]}
    assert bed.helped("bed_watering_valve", BED) == [{"name": "left"}]
    right = (("valve_name", "string", "right"), *BED)
    assert bed("read", "bed_watering_valve", right) == Reply(MISSING, "no valve right")
    assert bed("delete", "bed_watering_valve", VALVE) == Reply(OK, "")
    assert bed("read", "bed_watering_valve_list", BED) == Reply(OK, "null")


def test_what_only_the_host_sets_is_not_parsed(bed: Cube) -> None:
    assert bed("create", "bed_watering_valve", VALVE, {"name": "left", "stuck": "maybe"}).tag == CREATED


def test_keys_of_many_types(plant: Cube) -> None:
    shown = {"na": "oak", "sunny": True, "kind": "tree", "planted": 1969}
    assert plant.read("bed_plant", PLANT) == shown
    assert plant("update", "bed_plant_planted", PLANT, "never") == Reply(OK, "")
    assert plant.read("bed_plant_planted", PLANT) == "never"
    assert plant.helped("bed_plant", BED) == [{"na": "oak", "sunny": "true", "kind": "tree"}]
    bush = (("plant_na", "string", "oak"), ("sunny", "boolean", True), ("kind", "string", "bush"), *BED)
    assert plant("read", "bed_plant", bush) == Reply(BAD_REQUEST, 'kind: "bush" is not one of Tree, shrub')


def test_key_missing_in_the_request(bed: Cube) -> None:
    assert bed("read", "bed", BED[:1]) == Reply(BAD_REQUEST, "column: key missing in the request")
    text = (("row", "string", "3"), BED[1])
    assert bed("read", "bed", text) == Reply(BAD_REQUEST, 'row: "3" is not a whole number, allowed 0..255')


@pytest.mark.parametrize("operation", ["read", "delete"])
def test_a_key_in_a_path_has_the_range_of_its_leaf(cube: Cube, operation: str) -> None:
    """As one in a body: the entry cannot be there, and a service may use the key as an index."""
    beyond = (BED[0], ("column", "int8", 6))
    assert cube(operation, "bed", beyond) == Reply(BAD_REQUEST, "column: 6 is out of range, allowed -5..5")
    assert cube("read", "bed", (BED[0], ("column", "int8", 5))).tag == MISSING


def test_a_key_does_not_wrap(cube: Cube) -> None:
    """Of a host that passes a wider type than the leaf has."""
    wide = (("row", "uint32", 256 + 3), BED[1])
    assert cube("read", "bed", wide) == Reply(BAD_REQUEST, "row: 259 is out of range, allowed 0..255")


def test_action(plant: Cube) -> None:
    assert plant("create", "bed_plant_water", PLANT, {"amount": 5}) == Reply(
        CREATED, '{"watered":"3 -2 / oak true tree","total":5,"note":"none","alive":true}'
    )
    refused = plant("create", "bed_plant_water", PLANT, {"note": "x"})
    assert refused == Reply(BAD_REQUEST, "amount: missing, allowed: 0..65535")


def test_deletion_waits_for_running_requests(handlers: Handlers) -> None:
    house = Cube(handlers, "busy")
    bed = {"row": 3, "column": -2}
    assert house("create", body={"name": "busy", "bed": [bed]}).tag == CREATED
    plant = {"na": "oak", "sunny": True, "kind": "tree"}
    assert house("create", "bed_plant", PLANT, plant).tag == CREATED
    replies: list[Reply] = []
    watering = threading.Thread(
        target=lambda: replies.append(house("create", "bed_plant_water", PLANT, {"amount": 1300}))
    )
    watering.start()
    while house("read", "locked").tag == MISSING:  # shown while somebody waters
        time.sleep(0.01)
    assert house("delete") == Reply(OK, "")
    watering.join()
    assert replies[0].json["alive"] is True
    assert house("read").tag == MISSING


def test_cubes_are_made_and_removed_concurrently(handlers: Handlers) -> None:
    tags: list[int] = []

    def churn() -> None:
        for _ in range(200):
            house = Cube(handlers, "shared")
            tags.extend(house(*step).tag for step in (("create", "", (), {"name": "shared"}), ("delete",)))

    threads = [threading.Thread(target=churn) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tags.count(CREATED) == tags.count(OK) > 0
    assert set(tags) <= {CREATED, OK, EXISTS, MISSING}
    assert Cube(handlers, "shared")("read").tag == MISSING


def test_a_leaf_and_a_key_cost_no_more_than_the_leaves(bed: Cube) -> None:
    def deep_reads() -> int:
        return int(bed.read("gnome_mood", (("id", "uint32", 8),)))

    assert deep_reads() == 0
    assert bed.read("bed_label", BED) == "1.2.3.4"
    assert bed.helped("bed") == [{"row": "3", "column": "-2"}]
    assert deep_reads() == 0
    bed.read("bed", BED)
    bed.read("bed_list")
    bed.read()
    assert deep_reads() == 3


def test_keys_may_be_numbers_in_strings(cube: Cube) -> None:
    """As in polycubed's dump, which takes the keys of entries from paths; other leaves are not meant."""
    assert cube("create", "bed_list", body=[{"row": "3", "column": "-2"}]) == Reply(CREATED, "")
    assert cube.read("bed_list") == [{"column": -2, "row": 3}]
    for row, problem in (
        ("x", '"x" is not a whole number, allowed 0..255'),
        ("256", '"256" is out of range, allowed 0..255'),
        ("", '"" is not a whole number, allowed 0..255'),
        ("1.5", '"1.5" is not a whole number, allowed 0..255'),
    ):
        reply = cube("create", "bed_list", body=[{"row": row, "column": "0"}])
        assert reply == Reply(BAD_REQUEST, f"bed[0].row: {problem}")


def test_several_cubes_are_not_changed_in_one_request(handlers: Handlers, cube: Cube) -> None:
    other = Cube(handlers, "other")
    assert other("create", body={"name": "other"}).tag == CREATED
    change = [{"name": "house", "owner": "Bob"}, {"name": "other", "humidity": 300}]
    both = handlers.call("update_green_house_list_by_id_handler", "", (), json.dumps(change))
    assert both == Reply(BAD_REQUEST, "body: 2 cubes cannot be changed in one request, allowed 1")
    assert cube.read("owner") == "nobody"
    one = handlers.call("update_green_house_list_by_id_handler", "", (), json.dumps(change[:1]))
    assert one == Reply(OK, "") and cube.read("owner") == "Bob"
    none = handlers.call("update_green_house_list_by_id_handler", "", (), "{}")
    assert none == Reply(BAD_REQUEST, "body: {} is not a list")
    assert other("delete").tag == OK


def test_deletion_is_not_held_up_by_requests_that_keep_coming(handlers: Handlers) -> None:
    """Three requests of 100 ms each at any time: there is no moment at which nobody uses the cube."""
    house = Cube(handlers, "popular")
    bed = {"row": 3, "column": -2}
    assert house("create", body={"name": "popular", "bed": [bed]}).tag == CREATED
    assert house("create", "bed_plant", PLANT, {"na": "oak", "sunny": True, "kind": "tree"}).tag == CREATED
    refused = threading.Event()

    def keep_watering(delay: float) -> None:
        time.sleep(delay)
        while not refused.is_set():
            if house("create", "bed_plant_water", PLANT, {"amount": 1100}).tag == MISSING:
                refused.set()

    threads = [threading.Thread(target=keep_watering, args=(0.03 * i,), daemon=True) for i in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    deletion = threading.Thread(target=lambda: house("delete"), daemon=True)
    deletion.start()
    deletion.join(timeout=20)
    starved = deletion.is_alive()
    refused.set()
    for thread in (*threads, deletion):
        thread.join(timeout=20)
    assert not starved
    assert house("read").tag == MISSING


def test_all_cubes_can_be_read_while_some_come_and_go(cube: Cube, handlers: Handlers) -> None:
    stop = threading.Event()

    def churn(name: str) -> None:
        while not stop.is_set():
            passing = Cube(handlers, name)
            passing("create", body={"name": name})
            passing("delete")

    threads = [threading.Thread(target=churn, args=(f"passing{i}",)) for i in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(1000):
            reply = handlers.call("read_green_house_list_by_id_handler")
            assert reply.tag == OK and "house" in {item["name"] for item in reply.json}
    finally:
        stop.set()
        for thread in threads:
            thread.join()
