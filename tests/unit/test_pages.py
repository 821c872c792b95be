"""The pages point to what is there: links, headings, folders; and the lists of files have all of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*/*.md")])


def _links(page: Path) -> Iterator[tuple[str, str]]:
    """File and heading of each link that stays in the tree."""
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if not link.startswith(("http://", "https://")):
            file, _, heading = link.partition("#")
            yield file, heading


def _anchor(heading: str) -> str:
    """As GitHub makes it of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for file, heading in _links(page):
        target = page.parent / file if file else page
        assert target.exists(), file
        if heading:
            headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            assert heading in map(_anchor, headings), f"{file}#{heading}"


def test_the_architecture_names_all_of_the_control_plane() -> None:
    table = (ROOT / "docs" / "architecture.md").read_text()
    assert [path.stem for path in sorted(ROOT.glob("src/*.cpp")) if f"`{path.stem}`" not in table] == []


def test_all_folders_of_tests_are_explained() -> None:
    page = (ROOT / "docs" / "developing.md").read_text()
    folders = {path.parent.relative_to(ROOT / "tests").parts[0] for path in ROOT.glob("tests/*/**/test_*.py")}
    assert [folder for folder in sorted(folders) if f"`tests/{folder}/`" not in page] == []
