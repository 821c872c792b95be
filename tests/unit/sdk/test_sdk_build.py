"""What the SDK builds: the symbols on either side. (The checks of conformance.cpp fail the build itself.)"""

import re
import subprocess
from pathlib import Path

import pytest

from testbed.host import PROJECT

BRIDGE = PROJECT / "build" / "libpcnhost.so"
HOST_SYMBOLS = {
    *("bpf_lookup_elem", "bpf_update_elem", "bpf_delete_elem", "bpf_get_first_key", "bpf_get_next_key"),
    "_ZN4ebpf8BPFTable22get_possible_cpu_countEv",
    "_ZN8polycube9polycubed5utils20check_kernel_versionERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE",
}
LIBBPF_SYMBOLS = {
    *("bpf_map_lookup_batch", "bpf_map_lookup_and_delete_batch", "bpf_map_update_batch"),
    *("bpf_map_lookup_and_delete_elem", "bpf_map_update_elem"),
}


def symbols(library: Path, *options: str) -> list[tuple[str, str]]:
    """(kind, name without version) of the dynamic symbols."""
    text = subprocess.run(["nm", "-D", *options, library], check=True, capture_output=True, text=True).stdout
    return re.findall(r"^[0-9a-f ]* (\w) ([^@\s]+)", text, re.MULTILINE)


def test_service_leaves_only_the_known_symbols_to_the_host(test_services: Path) -> None:
    undefined = {name for _, name in symbols(test_services / "libpcn-counter.so", "-u")}
    wanted = {name for name in undefined if name.startswith("bpf_") or "polycubed" in name or "ebpf" in name}
    assert wanted == HOST_SYMBOLS | LIBBPF_SYMBOLS


def test_bridge_exports_its_functions_and_the_host_symbols() -> None:
    exported = {name for kind, name in symbols(BRIDGE, "--defined-only") if kind == "T"}
    own = {name for name in exported if name.startswith("pcnhost_")}
    assert exported - own == HOST_SYMBOLS
    assert own == {
        *("pcnhost_attach", "pcnhost_detach", "pcnhost_init", "pcnhost_invoke", "pcnhost_reply"),
        *("pcnhost_packet_in", "pcnhost_log_message", "pcnhost_log_level"),
        *("pcnhost_constant", "pcnhost_set_log", "pcnhost_log"),
    }


@pytest.mark.parametrize("library", ["libpcn-counter.so", "libpcn-revision1.so", BRIDGE])
def test_nothing_is_shared_with_a_library_loaded_before(test_services: Path, library: str | Path) -> None:
    assert [name for kind, name in symbols(test_services / library) if kind == "u"] == []


def run_checks(*program: str | Path) -> None:
    done = subprocess.run(program, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.root
def test_tables(test_services: Path) -> None:
    run_checks(test_services / "unit_sdk" / "tables")


@pytest.mark.parametrize("program", ["helpers", "events"])
def test_program(test_services: Path, program: str) -> None:
    run_checks(test_services / "unit_sdk" / program)


def test_no_packet_finds_half_a_cube(test_services: Path) -> None:
    # ThreadSanitizer wants addresses where it expects them, not at random.
    run_checks("setarch", "-R", test_services / "unit_sdk" / "construction")
