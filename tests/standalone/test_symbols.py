"""What the built libraries export and what they leave for the host to provide (docs/contract.md)."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from testbed.host import service_library

NAMES = ("k8slbrp", "lbrp")

# What polycubed has in its global scope.
FROM_THE_HOST = {
    *("bpf_lookup_elem", "bpf_update_elem", "bpf_delete_elem", "bpf_get_first_key", "bpf_get_next_key"),
    *("bpf_map_lookup_batch", "bpf_map_lookup_and_delete_batch", "bpf_map_update_batch"),
    *("bpf_map_lookup_and_delete_elem", "bpf_map_update_elem"),
    "_ZN4ebpf8BPFTable22get_possible_cpu_countEv",
    "_ZN8polycube9polycubed5utils20check_kernel_versionERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE",
}


def symbols(library: Path, *options: str) -> set[str]:
    command = ["nm", "-D", "--format=posix", *options, str(library)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return {line.split()[0].split("@")[0] for line in lines if line.split()[1] != "w"}


def needed(library: Path) -> list[Path]:
    """The libraries that the loader brings along."""
    said = subprocess.run(["ldd", str(library)], check=True, capture_output=True, text=True).stdout
    return [Path(path) for path in re.findall(r"(/\S+) \(0x", said)]


def unexpected(library: Path) -> set[str]:
    """Undefined symbols that neither the libraries it needs nor a Polycube host defines."""
    provided = set(FROM_THE_HOST)
    for other in needed(library):
        provided |= symbols(other, "--defined-only")
    return symbols(library, "--undefined-only") - provided


@pytest.mark.parametrize("name", NAMES)
def test_only_what_polycubed_provides_is_left_undefined(name: str) -> None:
    assert unexpected(service_library(name)) == set()


def test_another_undefined_symbol_is_noticed(tmp_path: Path) -> None:
    source, library = tmp_path / "more.c", tmp_path / "libmore.so"
    source.write_text(
        "int bpf_lookup_elem(void), pcnhost_only(void);\n"
        "int both(void) { return bpf_lookup_elem() + pcnhost_only(); }\n"
    )
    subprocess.run(["gcc", "-shared", "-fPIC", str(source), "-o", str(library)], check=True)
    assert unexpected(library) == {"pcnhost_only"}


def test_the_libraries_differ_in_the_name_only() -> None:
    """And export nothing besides what is looked up, so that both can be loaded in one process."""
    one, other = (symbols(service_library(name), "--defined-only") for name in NAMES)
    assert {
        re.sub(r"(?<![a-z0-9])k8slbrp(?![a-z0-9])", "lbrp", symbol.replace("_", " ")) for symbol in one
    } == {symbol.replace("_", " ") for symbol in other}
    assert {"init", "data_model", "create_lbrp_service_by_id_handler"} <= other
    assert not any("k8slbrp" in symbol for symbol in other)
