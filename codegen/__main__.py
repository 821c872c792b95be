"""`python -m codegen`: write the C++ files of a service."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from codegen import cpp, datapath, names, rename, schema


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="codegen", description=__doc__)
    parser.add_argument("--yang", type=Path, required=True, help="model of the service")
    parser.add_argument("--yang-path", type=Path, nargs="*", help="directories of the modules it imports")
    parser.add_argument("--datapath", type=Path, nargs="*", default=[], help="C sources to embed, in order")
    parser.add_argument("--name", help="the service's name, one of those in names.toml beside the model")
    parser.add_argument("--out", type=Path, required=True, help="directory for the files")
    options = parser.parse_args(arguments)
    try:
        module, original = rename.load(options.yang, options.name, options.yang_path)
        namespace = names.identifier(original.name)  # one C++ source for all names
        write(generate(module, options.datapath, namespace), options.out)
    except (schema.SchemaError, datapath.DatapathError, OSError) as problem:
        print(f"codegen: {problem}", file=sys.stderr)
        return 1
    return 0


def generate(
    module: schema.Module, sources: Sequence[Path], namespace: str | None = None
) -> Mapping[str, str]:
    """The C++ files of a service and what they include, with the datapath made of `sources` if there are any."""
    program = datapath.join(sources) if sources else None
    return {**cpp.runtime(), **cpp.render(module, program, [source.name for source in sources], namespace)}


def write(files: Mapping[str, str], directory: Path) -> None:
    """Write the files that differ from what is there, so that a build sees only real changes."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        target = directory / name
        if not target.exists() or target.read_text() != text:
            target.write_text(text)


if __name__ == "__main__":
    sys.exit(main())
