"""The state directory: it is the host's alone, and nothing else is ever touched."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pcnhost.engine import bpf, state

from .conftest import STATE_DIR, EngineFactory
from .programs import CABLE
from .support import create
from .wire import Wire

pytestmark = pytest.mark.root

NOBODY = 65534
_MAP = bpf.MapSpec(bpf.MAP_TYPE_ARRAY, 4, 4, 1)


def _as_nobody(action: Callable[[], object]) -> None:
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        action()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def _pin(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = bpf.create_map("foreign", _MAP)
    bpf.pin(fd, path)
    os.close(fd)


@pytest.fixture
def open_bpf_fs(tmp_path: Path) -> Iterator[Path]:
    """A BPF file system that everybody may write in, as plain `mount -t bpf` makes it."""
    place = tmp_path / "bpf"
    place.mkdir()
    subprocess.run(["mount", "-t", "bpf", "-o", "mode=1777", "none", str(place)], check=True)
    for parent in (place, *place.parents):
        if parent.is_relative_to("/tmp") and parent != Path("/tmp"):
            parent.chmod(parent.stat().st_mode | 0o011)
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_directory_that_a_user_has_prepared_is_refused(open_bpf_fs: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    (victim / "sub").mkdir(parents=True)
    root = open_bpf_fs / "S"

    def prepare() -> None:
        root.mkdir(mode=0o755)
        (root / "cubes").symlink_to(victim)
        (root / "layout").symlink_to("1")

    _as_nobody(prepare)
    with pytest.raises(OSError, match=f"{root} belongs to user {NOBODY}: remove it"):
        state.prepare(root)
    with pytest.raises(OSError, match=f"{root} belongs to user {NOBODY}: remove it"):
        state.prepare(root / "deeper")
    assert (victim / "sub").exists()


@pytest.mark.parametrize("linked", ["", "cubes", "netdevs", "public"])
def test_symbolic_links_are_not_followed(open_bpf_fs: Path, tmp_path: Path, linked: str) -> None:
    victim = tmp_path / "victim"
    (victim / "sub").mkdir(parents=True)
    root = open_bpf_fs / "S"
    if linked:
        root.mkdir(mode=0o700)
        (root / "layout").symlink_to("1")
    (root / linked).symlink_to(victim)
    with pytest.raises(OSError, match="is not a directory: remove it"):
        state.prepare(root)
    assert (victim / "sub").exists()


def test_a_directory_others_can_write_in_is_refused(open_bpf_fs: Path) -> None:
    (open_bpf_fs / "S").mkdir()
    (open_bpf_fs / "S").chmod(0o770)
    with pytest.raises(OSError, match="can be written by others: chmod go-w"):
        state.prepare(open_bpf_fs / "S")


def test_the_file_system_itself_is_no_state_directory(open_bpf_fs: Path) -> None:
    _pin(open_bpf_fs / "cilium" / "ct")
    open_bpf_fs.chmod(0o700)
    with pytest.raises(OSError, match=f"is a mount point: name a directory in it, as {open_bpf_fs}/pcnhost"):
        state.prepare(open_bpf_fs)
    assert (open_bpf_fs / "cilium" / "ct").exists()


def test_a_directory_with_the_pins_of_others_is_refused(start_engine: EngineFactory) -> None:
    _pin(STATE_DIR / "cilium" / "ct")
    with pytest.raises(OSError, match="holds cilium, which is not of pcnhost: choose another"):
        start_engine()
    assert (STATE_DIR / "cilium" / "ct").exists()


@pytest.mark.parametrize("path", ["relative", "/sys/fs/bpf/a/../b"])
def test_an_ambiguous_path_is_refused(path: str) -> None:
    with pytest.raises(OSError, match="must be an absolute path"):
        state.prepare(Path(path))


def test_nothing_is_made_outside_of_a_bpf_file_system(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="is not in a BPF file system"):
        state.prepare(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("layout", ["1", "0"])
def test_only_what_the_host_has_made_is_removed(start_engine: EngineFactory, layout: str) -> None:
    engine = start_engine()
    create(engine, CABLE)
    _pin(STATE_DIR / "others" / "map")
    engine.close(keep_datapath=True)
    state.write_note(STATE_DIR / "layout", layout)
    engine = start_engine()
    create(engine, CABLE)
    engine.close()
    assert [path.name for path in STATE_DIR.iterdir()] == ["others"]
    assert (STATE_DIR / "others" / "map").exists()


def test_a_start_that_gives_up_leaves_what_was_there(
    start_engine: EngineFactory, wires: Callable[[int], list[Wire]]
) -> None:
    wires(1)
    start_engine().give_up()
    assert not STATE_DIR.exists()
    engine = start_engine()
    create(engine, CABLE)[0].add_port("p", {"peer": "w0"})
    engine.close(keep_datapath=True)
    before = sorted(STATE_DIR.rglob("*"))
    start_engine().give_up()
    assert sorted(STATE_DIR.rglob("*")) == before


def test_the_bpf_file_system_is_mounted_for_root_alone() -> None:
    script = """
from pathlib import Path
from pcnhost.engine import state
print(state.prepare(Path("/sys/fs/bpf/x/y")), oct(Path("/sys/fs/bpf").stat().st_mode & 0o777))
"""
    bare = 'umount -l /sys/fs/bpf && exec "$0" "$@"'
    command = ["unshare", "--mount", "sh", "-c", bare, sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", oct(0o700)]


def test_a_note_that_a_kill_has_left_half_way_is_none(start_engine: EngineFactory) -> None:
    engine = start_engine()
    cube, _ = create(engine, CABLE)
    cube.add_port("p", {})
    engine.close(keep_datapath=True)
    ports = STATE_DIR / "cubes" / "c1" / "ports"
    (ports / "q%new").symlink_to("1")
    assert state.read_notes(ports) == {"p": "0"}
    cube, _ = create(start_engine(), CABLE)
    assert [cube.add_port(name, {}).index for name in "pr"] == [0, 1]
