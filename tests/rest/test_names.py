"""Whatever name is accepted can be read, linked to, changed and deleted; the others are refused, for cubes and
ports alike."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from testbed.api import Api
from tests.rest.conftest import CUBE
from tests.rest.daemon import Daemon

pytestmark = pytest.mark.root

GOOD = ["é", "naïve-日本", "a" * 100, "🙂" * 16, "a+b", "a&b=c", "ns_1.x", "(x)", "'q'", "..."]
BAD = [
    "",
    ".",
    "..",
    "a b",
    "a/b",
    "a:b",
    "a?b",
    "a#b",
    "a%41",
    "a\0b",
    "a\nb",
    "a\x85b",
    "a" * 101,
    "🙂" * 17,
]


@pytest.mark.parametrize("name", GOOD)
def test_ports_of_any_good_name(api: Api, name: str) -> None:
    ports = f"k8slbrp/{CUBE}/ports"
    api.post(ports, [{"name": name, "type": "BACKEND"}])
    try:
        port, links = api.get(ports)
        assert port["name"] == name
        href = links[1][1]["href"]
        assert api.get(href.partition("/polycube/v1/")[2])["name"] == name
        assert api.get(f"{ports}/{quote(name, safe='')}")["type"] == "backend"
        api.patch(f"{ports}/{quote(name, safe='')}", {"name": name})
    finally:
        api.delete(f"{ports}/{quote(name, safe='')}")
    assert api.get(ports) in (None, [])


@pytest.mark.parametrize("name", ["é", "🙂" * 16, "a&b=c+d"])
def test_cubes_of_any_good_name(daemon: Daemon, name: str) -> None:
    encoded = quote(name, safe="")
    created = daemon.request("POST", "/polycube/v1/k8slbrp", f'{{"name": "{name}"}}')
    assert created.status_code == 201, created.text
    try:
        *_, links = daemon.request("GET", "/polycube/v1/k8slbrp").json()
        href = next(link["href"] for link in links[1] if link["rel"] == name)
        assert daemon.request("GET", f"/{href.split('/', 3)[3]}").json()["name"] == name
        assert daemon.request("GET", f"/polycube/v1/k8slbrp/{encoded}").json()["name"] == name
        assert daemon.request("GET", f"/polycube/v1/cubes/{encoded}").json()["name"] == name
        assert daemon.request("GET", f"/polycube/v1/{encoded}/uuid").headers["Location"] == (
            f"/polycube/v1/k8slbrp/{encoded}/uuid"
        )
        assert daemon.request("POST", f"/polycube/v1/k8slbrp/{encoded}", "{}").status_code == 409
    finally:
        assert daemon.request("DELETE", f"/polycube/v1/k8slbrp/{encoded}").status_code == 200


@pytest.mark.parametrize("name", BAD)
def test_bad_names_change_nothing(daemon: Daemon, api: Api, name: str) -> None:
    def refused(method: str, path: str, body: object) -> None:
        answer = api._session.request(method, f"{api.url}/{path}", json=body, timeout=60)
        assert answer.status_code == 400, (path, answer.status_code, answer.text)
        assert "/sys/fs/bpf" not in answer.text and "Errno" not in answer.text

    cube = api.get(f"k8slbrp/{CUBE}")
    refused("POST", f"k8slbrp/{CUBE}/ports", [{"name": name, "type": "BACKEND"}])
    refused("PUT", f"k8slbrp/{CUBE}/ports", [{"name": name, "type": "BACKEND"}])
    refused("POST", "k8slbrp/other", {"ports": [{"name": name, "type": "BACKEND"}]})
    refused("POST", "k8slbrp", {"name": name})
    refused("POST", "cubes", [{"name": name, "service-name": "k8slbrp"}])
    if name not in ("", ".", ".."):
        refused("POST", f"k8slbrp/{CUBE}/ports/{quote(name, safe='')}", {"type": "BACKEND"})
        refused("POST", f"k8slbrp/{quote(name, safe='')}", {})
    assert api.get(f"k8slbrp/{CUBE}") == cube
    assert [cube["name"] for cube in api.get("cubes")["k8slbrp"]] == [CUBE]
