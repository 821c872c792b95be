"""`python -m codegen.export`: make a service a complete contribution to a Polycube source tree.

It writes the service's folder (sources, generated sources, model, tests, examples), its page in the documentation,
and its entries in the lists of services, pages and known words. Running it again changes nothing; --check changes
nothing at all and says what differs.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codegen import cpp, datapath, names, rename, rst, schema
from codegen.__main__ import generate

_ADD_SERVICE = re.compile(r"^[ \t]*add_service\((\S+) .*\n", re.MULTILINE)
_PAGE = re.compile(r"^(?P<blanks>[ \t]+)(?P<page>pcn-\S+)[ \t]*\n", re.MULTILINE)
_SERVICES, _PAGES, _WORDS = (
    Path("src/services/CMakeLists.txt"),
    Path("Documentation/services/index.rst"),
    Path("Documentation/spelling_wordlist.txt"),
)
# What an export replaces as a whole. All else in the folder of a service that is there already stays.
_REPLACED = ("src", "generated", "datamodel")


class ExportError(ValueError):
    """The project or the Polycube tree is not laid out as it should be."""


@dataclass(frozen=True)
class Contribution:
    """Files of the Polycube tree, relative to its root: what they are to contain, and those that are to go."""

    folder: Path
    files: Mapping[Path, str]
    gone: Sequence[Path]

    def differences(self, polycube: Path) -> list[Path]:
        """The files of the tree that are not as they should be."""
        stale = [file for file, text in self.files.items() if _text(polycube / file) != text]
        return sorted([*stale, *self.gone])

    def apply(self, polycube: Path) -> None:
        for file in self.gone:
            (polycube / file).unlink()
        for file, text in self.files.items():
            target = polycube / file
            if _text(target) != text:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text)
                if file.suffix == ".sh":
                    target.chmod(0o755)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="codegen.export", description=__doc__)
    parser.add_argument("--polycube", type=Path, required=True, help="root of the Polycube tree")
    parser.add_argument(
        "--project", type=Path, default=Path(), help="has datamodel/ and src/ (default: here)"
    )
    parser.add_argument("--name", help="the service's name, one of those in datamodel/names.toml")
    parser.add_argument("--check", action="store_true", help="only say what an export would change")
    options = parser.parse_args(arguments)
    try:
        planned = contribution(options.project, options.polycube, options.name)
        if not options.check:
            planned.apply(options.polycube)
            print(options.polycube / planned.folder)
            return 0
        differences = planned.differences(options.polycube)
        print("".join(f"{file} is not what an export writes\n" for file in differences), end="")
        return 1 if differences else 0
    except (ExportError, schema.SchemaError, datapath.DatapathError, OSError) as problem:
        print(f"codegen.export: {problem}", file=sys.stderr)
        return 1


def contribution(project: Path, polycube: Path, name: str | None = None) -> Contribution:
    """What to write into a Polycube tree for the project's service, under a name.

    The project has one model in datamodel/, and in src/ the sources, of which *_dp.c are the datapath; upstream/
    may hold tests, examples and words, <folder of the model's name>.md is its manual. Raises ExportError,
    SchemaError, DatapathError or OSError."""
    if not (polycube / _SERVICES).is_file():
        raise ExportError(f"{polycube} is not a Polycube tree: it has no {_SERVICES}")
    model = _only(project / "datamodel", "*.yang")
    module, original = rename.load(model, name)
    known = rename.names(model).get(module.name)
    folder = Path("src/services") / (known.folder if known else f"pcn-{module.name}")
    _require_ours(polycube, folder, module.name)

    def named(text: str) -> str:
        for leaf, value in known.defaults.items() if known else ():
            text = re.sub(rf"(`{leaf}` is `)[^`]+(` unless given)", rf"\g<1>{value}\g<2>", text)
        return re.sub(rf"(?<!\w){original.name}(?!\w)", module.name, text)

    program = _only(project / "src", "*_dp.c")
    inside = {
        Path("CMakeLists.txt"): cpp.cmake_lists(module.name),
        Path(".swagger-codegen-ignore"): "# Nothing in this folder is made by swagger-codegen.\n**\n",
        Path("datamodel") / f"{module.name}.yang": module.text,
        **{
            Path("generated") / file: text
            for file, text in generate(module, [program], names.identifier(original.name)).items()
        },
        **{Path("src") / file: text for file, text in _tree(project / "src").items()},
        **{
            Path(part) / file: named(text)
            for part in ("test", "examples")
            for file, text in _tree(project / "upstream" / part).items()
        },
    }
    files = {folder / file: _formatted(polycube, folder / file, text) for file, text in inside.items()}
    files |= _documentation(project, polycube, folder.name, f"pcn-{original.name}.md", named)
    files[_SERVICES] = _with_service(_text(polycube / _SERVICES) or "", module.name, folder.name)
    gone = [
        file.relative_to(polycube)
        for part in _REPLACED
        for file in sorted((polycube / folder / part).rglob("*"))
        if file.is_file() and file.relative_to(polycube) not in files
    ]
    return Contribution(folder, files, gone)


def _documentation(
    project: Path, polycube: Path, folder: str, manual: str, named: Callable[[str], str]
) -> Mapping[Path, str]:
    """The page of the service, where there is a manual and the tree has pages, with its entries."""
    text = _text(project / manual)
    index = _text(polycube / _PAGES)
    if text is None or index is None:
        return {}
    page = f"{folder}/{folder.removeprefix('pcn-')}"
    files = {
        _PAGES.parent / f"{page}.rst": rst.from_markdown(named(text)),
        _PAGES: _with_page(index, page),
    }
    words = _text(polycube / _WORDS)
    more = _text(project / "upstream/words.txt")
    if words is not None and more is not None:
        files[_WORDS] = _with_words(words, named(more).split())
    return files


def _formatted(polycube: Path, file: Path, text: str) -> str:
    """C++ as the tree's own style wants it. What embeds a text or is part of the datapath stays as it is: the
    order of its includes matters."""
    style = polycube / ".clang-format"
    if (
        not style.is_file()
        or file.suffix not in (".cpp", ".h")
        or not {"src", "generated"} & set(file.parts[3:4])
    ):
        return text
    if "datapath" in file.parts or file.name in ("data_model.h", "datapath.h"):
        return text
    program = shutil.which("clang-format-14") or shutil.which("clang-format")
    if program is None:
        raise ExportError(f"{style} asks for clang-format, which is not installed")
    command = [program, f"--style=file:{style}", f"--assume-filename={file}"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def _text(file: Path) -> str | None:
    return file.read_text() if file.is_file() else None


def _tree(directory: Path) -> Mapping[Path, str]:
    files = sorted(file for file in directory.rglob("*") if file.is_file())
    return {file.relative_to(directory): file.read_text() for file in files}


def _only(directory: Path, pattern: str) -> Path:
    found = sorted(directory.glob(pattern))
    if len(found) != 1:
        raise ExportError(f"{directory} should contain exactly one {pattern}, but has {len(found)}")
    return found[0]


def _require_ours(polycube: Path, folder: Path, service: str) -> None:
    """Refuse to replace the folder of another service."""
    model = polycube / folder / "datamodel" / f"{service}.yang"
    if (polycube / folder).exists() and not model.is_file():
        raise ExportError(
            f"{polycube / folder} exists and is not the service {service}: it has no {model.name}"
        )


def _with_service(text: str, service: str, folder: str) -> str:
    """The list of services with one more, in the place of an earlier entry of that name or at the end."""
    line = f"add_service({service} {folder})\n"
    registered = list(_ADD_SERVICE.finditer(text))
    for match in registered:
        if match[1] == service:
            return text[: match.start()] + line + text[match.end() :]
    position = registered[-1].end() if registered else len(text)
    return text[:position] + line + text[position:]


def _with_page(text: str, page: str) -> str:
    """The list of pages, which is sorted, with one more."""
    pages = list(_PAGE.finditer(text))
    if not pages:
        raise ExportError(f"{_PAGES} lists no page of a service")
    if any(match["page"] == page for match in pages):
        return text
    line = f"{pages[0]['blanks']}{page}\n"
    before = [match for match in pages if match["page"] < page]
    position = before[-1].end() if before else pages[0].start()
    return text[:position] + line + text[position:]


def _with_words(text: str, words: Sequence[str]) -> str:
    known = {line.strip().lower() for line in text.splitlines()}
    missing = [word for word in words if word.lower() not in known]
    end = "" if text.endswith("\n") or not text else "\n"
    return text + end + "".join(f"{word}\n" for word in missing)


if __name__ == "__main__":
    sys.exit(main())
