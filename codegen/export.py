"""`python -m codegen.export`: put a service into a Polycube source tree, ready for the build of that tree."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from codegen import cpp, datapath, schema
from codegen.__main__ import generate, write

_ADD_SERVICE = re.compile(r"^[ \t]*add_service\(.*\n", re.MULTILINE)


class ExportError(ValueError):
    """The project or the Polycube tree is not laid out as it should be."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="codegen.export", description=__doc__)
    parser.add_argument("--polycube", type=Path, required=True, help="root of the Polycube tree")
    parser.add_argument(
        "--project", type=Path, default=Path(), help="has datamodel/ and src/ (default: here)"
    )
    options = parser.parse_args(arguments)
    try:
        print(export(options.project, options.polycube))
    except (ExportError, schema.SchemaError, datapath.DatapathError, OSError) as problem:
        print(f"codegen.export: {problem}", file=sys.stderr)
        return 1
    return 0


def export(project: Path, polycube: Path) -> Path:
    """Write the service as src/services/pcn-<module> and register it there; returns that directory.

    The project has one model in datamodel/, and in src/ the sources, of which *_dp.c are the datapath. An
    earlier export is replaced. Raises ExportError, SchemaError, DatapathError or OSError.
    """
    yang = _only(project / "datamodel", "*.yang")
    module = schema.load(yang.read_text())
    files = generate(module, [_only(project / "src", "*_dp.c")])
    services = polycube / "src" / "services"
    listing = services / "CMakeLists.txt"
    if not listing.is_file():
        raise ExportError(f"{polycube} is not a Polycube tree: it has no src/services/CMakeLists.txt")
    target = services / f"pcn-{module.name}"
    if target.exists():
        _require_own(target)
        shutil.rmtree(target)
    shutil.copytree(project / "src", target / "src")
    write({yang.name: yang.read_text()}, target / "datamodel")
    write(files, target / "generated")
    write({"CMakeLists.txt": cpp.cmake_lists(module.name)}, target)
    _register(listing, f"add_service({module.name} {target.name})\n")
    return target


def _only(directory: Path, pattern: str) -> Path:
    found = sorted(directory.glob(pattern))
    if len(found) != 1:
        raise ExportError(f"{directory} should contain exactly one {pattern}, but has {len(found)}")
    return found[0]


def _require_own(target: Path) -> None:
    """Refuse to replace a directory that did not come from here."""
    listing = target / "CMakeLists.txt"
    if not listing.is_file() or cpp.MARK not in listing.read_text():
        raise ExportError(f"{target} exists and was not written by codegen.export")


def _register(listing: Path, line: str) -> None:
    text = listing.read_text()
    registered = list(_ADD_SERVICE.finditer(text))
    if any(match.group().strip() == line.strip() for match in registered):
        return
    position = registered[-1].end() if registered else len(text)
    listing.write_text(text[:position] + line + text[position:])


if __name__ == "__main__":
    sys.exit(main())
