"""Builds services from generated code, among them the green house, which has a model unlike any real one."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from service_handlers import Handlers

from codegen import __main__ as cli
from codegen import schema

HERE = Path(__file__).parent
PROJECT = HERE.parents[2]
COMPILER = ["g++", "-std=c++17", "-O0", "-fPIC", "-shared", "-fvisibility=hidden"]
WARNINGS = ["-Wall", "-Wextra", "-Werror"]


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Generate a service from a model and compile it with further sources; returns the library."""

    def build_library(yang: Path, *sources: Path) -> Path:
        directory = tmp_path_factory.mktemp(yang.stem)
        cli.write(cli.generate(schema.load(yang.read_text()), ()), directory)
        library = directory / f"libpcn-{yang.stem}.so"
        subprocess.run(
            [
                *COMPILER,
                *WARNINGS,
                f"-Wl,--version-script={directory / 'exports.map'}",
                f"-I{PROJECT / 'pcnhost/sdk/include'}",
                f"-I{directory}",
                *map(str, sorted(directory.glob("*.cpp"))),
                *map(str, sources),
                "-o",
                str(library),
                "-lfmt",
            ],
            check=True,
        )
        return library

    return build_library


@pytest.fixture(scope="session")
def green_house_library(build: Callable[..., Path]) -> Path:
    return build(HERE / "greenhouse/green-house.yang", HERE / "greenhouse/green_house.cpp")


@pytest.fixture(scope="session")
def handlers(green_house_library: Path) -> Handlers:
    return Handlers(green_house_library)
