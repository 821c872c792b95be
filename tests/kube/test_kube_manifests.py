"""The manifests in k8s/ are what Kubernetes' own schemas allow, and agree with the project."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from pcnhost.config import load as config_of
from testbed.api import Api, ApiError
from testbed.host import SERVICE_LIBRARY, start_host
from testbed.lab import Lab

K8S = Path(__file__).resolve().parents[2] / "k8s"
VERSIONS = ["1.29", "1.37"]


def documents(path: Path) -> list[Any]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def manifests() -> list[Any]:
    return [
        pytest.param(document, id=f"{path.name}-{document['kind']}")
        for path in sorted(K8S.glob("*.yaml"))
        for document in documents(path)
    ]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("manifest", manifests())
def test_schema(manifest: Any, version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)


def test_the_check_finds_mistakes() -> None:
    daemon_set = next(d for d in documents(K8S / "host.yaml") if d["kind"] == "DaemonSet")
    daemon_set["spec"]["template"]["spec"]["hostNetwrok"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(daemon_set, VERSIONS[-1], strict=True)


def test_the_host_understands_its_options() -> None:
    daemon_set = next(d for d in documents(K8S / "host.yaml") if d["kind"] == "DaemonSet")
    arguments = daemon_set["spec"]["template"]["spec"]["containers"][0]["args"]
    config = config_of(arguments)
    assert config.cubes_dump == Path("/var/lib/polycube/cubes.json")
    assert config.compile_cache == Path("/var/lib/polycube/cache")
    assert [name for name, _ in config.services] == ["k8slbrp"]


def test_the_image_is_made_from_the_sources_alone() -> None:
    """A virtual environment or a build of another place would not work in it."""
    ignored = (K8S.parent / ".gitignore").read_text().split()
    left_out = {line.strip("*/") for line in (K8S.parent / ".dockerignore").read_text().splitlines()}
    assert {".git", ".venv", "build"} <= left_out
    assert {line.strip("*/") for line in ignored} - {".pyc"} <= left_out


def is_loaded(api: Api) -> bool:
    try:
        api.get("k8slbrp")
    except ApiError:
        return False
    return True


def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(300):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("nothing changed within 30 s")


@pytest.mark.root
def test_the_service_is_loaded_whenever_it_is_missing() -> None:
    """The script of the container beside polycubed, against a host that begins without a service."""
    (daemon_set,) = documents(K8S / "polycubed.yaml")
    container = daemon_set["spec"]["template"]["spec"]["containers"][1]
    (script,) = container["args"]
    with Lab() as lab:
        api, _ = start_host(lab)
        assert not is_loaded(api)
        for written, here in (
            ("http://127.0.0.1:9000/polycube/v1", api.url),
            ("/service/libpcn-k8slbrp.so", str(SERVICE_LIBRARY)),
            ("sleep 5", "sleep 0.1"),
        ):
            assert written in script
            script = script.replace(written, here)
        lab.start([*container["command"], script])
        wait_for(lambda: is_loaded(api))
        api.delete("services/k8slbrp")
        wait_for(lambda: is_loaded(api))
