"""One model under several names."""

from __future__ import annotations

from pathlib import Path

import pytest

from codegen import rename
from codegen.schema import SchemaError

PROJECT = Path(__file__).resolve().parents[3]
MODEL = PROJECT / "datamodel/k8slbrp.yang"


def test_lbrp_differs_in_its_names_and_one_default() -> None:
    lbrp, original = rename.load(MODEL, "lbrp")
    assert (lbrp.name, lbrp.service_name, lbrp.namespace) == ("lbrp", "lbrp", "http://polycube.network/lbrp")
    old, new = original.text.splitlines(), lbrp.text.splitlines()
    changed = [(a.strip(), b.strip()) for a, b in zip(old, new, strict=True) if a != b]
    assert changed == [
        ("module k8slbrp {", "module lbrp {"),
        ('namespace "http://polycube.network/k8slbrp";', 'namespace "http://polycube.network/lbrp";'),
        ('prefix "k8slbrp";', 'prefix "lbrp";'),
        ('polycube-base:service-name "k8slbrp";', 'polycube-base:service-name "lbrp";'),
        ("default MULTI;", "default SINGLE;"),
    ]


def test_its_own_name_changes_nothing() -> None:
    for name in (None, "k8slbrp"):
        module, original = rename.load(MODEL, name)
        assert module is original and module.text == MODEL.read_text()


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("", "two is no name of one, allowed: one"),
        ('[two.defaults]\nabsent = "x"\n', "two: the model has no default for absent"),
        ('[two.defaults]\nplain = "x"\n', "two: the model has no default for plain"),
        ("[two]\n", "cannot be renamed to two"),
        ("[two\n", "names.toml: Expected"),
    ],
)
def test_what_cannot_be_renamed(tmp_path: Path, table: str, problem: str) -> None:
    model = tmp_path / "one.yang"
    name = "one" if table.strip() != "[two]" else "else"
    model.write_text(
        "module one { yang-version 1.1;\n"
        f' namespace "http://x/{name}";\n prefix one;\n'
        ' import polycube-base { prefix "pb"; }\n pb:service-name "one";\n'
        " leaf plain { type string; }\n leaf other { type string; default y; }\n}\n"
    )
    (tmp_path / "names.toml").write_text(table)
    with pytest.raises(SchemaError, match=problem):
        rename.load(model, "two")
