"""The README's build against an installed Polycube, on a machine that has nothing else.

The installed Polycube is one of headers: those in include/ declare exactly what docs/contract.md says, its
library is that of pcnhost's SDK. So what is built here compiles and links, but only the real thing can load it.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
HEADERS = Path(__file__).parent / "include"
LIBRARY = PROJECT / "build/pcnhost/sdk/libpolycube.a"
STRICT = "-O0 -Wall -Wextra -Werror"


def readme_commands() -> list[str]:
    """The shell lines that build against an installed Polycube, up to the one that loads the service."""
    section = (PROJECT / "README.md").read_text().split("## In a real polycubed")[1].split("\n## ")[0]
    lines = re.findall(r"^    (.+)$", section, re.MULTILINE)
    return lines[: next(i for i, line in enumerate(lines) if line.startswith("polycubectl"))]


@pytest.fixture(scope="module")
def polycube(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installed Polycube: its pkg-config directory."""
    prefix = tmp_path_factory.mktemp("polycube")
    (prefix / "pkgconfig").mkdir()
    (prefix / "pkgconfig/libpolycube.pc").write_text(
        "Name: libpolycube\nDescription: Polycube\nVersion:\n"
        f"Cflags: -I{HEADERS} -I{HEADERS}/polycube -DSPDLOG_COMPILED_LIB -DSPDLOG_FMT_EXTERNAL\n"
        f"Libs: -L{prefix} -lpolycube -luuid -ltins -lspdlog -lfmt\n"
    )
    (prefix / "libpolycube.a").symlink_to(LIBRARY)
    return prefix / "pkgconfig"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The project as git has it: no environment, no build."""
    files = subprocess.run(
        ["git", "ls-files", "-z", "CMakeLists.txt", "cmake", "codegen", "datamodel", "pcnhost", "src"],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, files.split("\0")):
        target = tmp_path / "checkout" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((PROJECT / name).read_bytes())
    return tmp_path / "checkout"


def run(command: str, directory: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited: Mapping[str, str] = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"}
    return subprocess.run(
        ["bash", "-c", command],
        cwd=directory,
        env={**inherited, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.long
def test_the_readmes_commands_build_the_library_without_a_warning(polycube: Path, checkout: Path) -> None:
    """With a Python that has what generates code, as an activated environment of the system's Python."""
    commands = readme_commands()
    assert commands and "K8SLBRP_HOST=installed" in commands[0]
    for command in commands:
        result = run(
            command,
            checkout,
            PKG_CONFIG_PATH=str(polycube),
            VIRTUAL_ENV=str(PROJECT / ".venv"),
            CXXFLAGS=STRICT,
            CMAKE_BUILD_TYPE="None",  # Release would optimize for minutes
            MAKEFLAGS="-j2",
        )
        assert result.returncode == 0, result.stdout[-4000:]
    library = checkout / "build-polycube/libpcn-k8slbrp.so"
    exported = run(f"nm -D --defined-only {shlex.quote(str(library))}", checkout).stdout
    assert "create_k8slbrp_service_backend_list_by_id_handler" in exported


def test_a_python_without_the_modules_is_said_to_lack_them(polycube: Path, checkout: Path) -> None:
    """Here it cannot get them either: there is no package index at that address."""
    result = run(
        "cmake -S . -B build-polycube -DK8SLBRP_HOST=installed -DPython3_EXECUTABLE=/usr/bin/python3",
        checkout,
        PKG_CONFIG_PATH=str(polycube),
        PIP_INDEX_URL="http://127.0.0.1:9/simple",
        PIP_RETRIES="0",
    )
    assert result.returncode != 0
    said = " ".join(result.stdout.split())
    assert "/usr/bin/python3 lacks pyang or jinja2" in said
    assert "Install them" in said and "-DPython3_EXECUTABLE=<a Python that has them>" in said
    assert not (checkout / "build-polycube/python").exists()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("-DK8SLBRP_HOST=elsewhere", "K8SLBRP_HOST is elsewhere, allowed: sdk, installed"),
        ("-DK8SLBRP_HOST=installed", "libpolycube"),
    ],
)
def test_a_build_that_cannot_be_says_why(checkout: Path, options: str, problem: str) -> None:
    result = run(
        f"cmake -S . -B build-polycube {options}",
        checkout,
        VIRTUAL_ENV=str(PROJECT / ".venv"),
        PKG_CONFIG_PATH="/nowhere",
    )
    assert result.returncode != 0 and problem in result.stdout
