"""What outlives the host process: maps pinned in bpffs, and short notes beside them.

A note is a symbolic link whose target is the text: bpffs holds nothing else that could. It is replaced
atomically, and goes away together with the pins.

The root belongs to the host alone: only root may write in it, no symbolic link leads to it, and the note `layout`
marks it as a state directory. Only what the host itself makes there is ever removed.

    <root>/layout -> version of this layout
    <root>/<map of the host>                       <root>/public/<map>
    <root>/netdevs/<ifindex>/cube -> name          <root>/netdevs/<ifindex>/<place>, link or note (see attachment.py)
    <root>/cubes/<cube>/id, type -> …              <root>/cubes/<cube>/ports/<port> -> index
    <root>/cubes/<cube>/<map of the cube>          <root>/cubes/<cube>/shared/<map>
    <root>/cubes/<cube>/{ingress,egress}<program index>/<map>
"""

import ctypes
import fcntl
import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, unquote

_BPF_FS_MAGIC = 0xCAFE4A11
_BPF_FS = Path("/sys/fs/bpf")
_MARK = "layout"
_FRESH = "%new"  # at the end of a note that is about to replace one; no name ends so, as % is %25 in files
_DIRECTORIES = ("cubes", "netdevs", "public")
OWN = (*_DIRECTORIES, _MARK)
_STATFS_BYTES = 256  # more than any architecture's struct statfs, which begins with f_type


def file_name(name: str) -> str:
    """`name` as a file name of bpffs, where dots are forbidden and slashes would be directories."""
    return quote(name, safe="").replace(".", "%2E")


def prepare(root: Path) -> bool:
    """Makes `root` a directory of a BPF file system; mounts that on /sys/fs/bpf if it is missing.

    Answers whether it holds something already. Raises OSError with what to do when it is no place for the host:
    then nothing has been made."""
    if not root.is_absolute() or ".." in root.parts:
        raise OSError(f"the state directory {root} must be an absolute path without ..")
    if root.is_relative_to(_BPF_FS) and not _is_bpf_fs(_BPF_FS):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"bpf", os.fsencode(_BPF_FS), b"bpf", 0, b"mode=0700"):
            raise OSError(ctypes.get_errno(), f"cannot mount a BPF file system on {_BPF_FS}")
    missing = [path for path in (root, *root.parents) if not _exists(path)]
    for path in (*root.parents, root):
        if path not in missing:
            _check_private(path, is_root=path == root)
    existing = missing[-1].parent if missing else root
    if not _is_bpf_fs(existing):
        raise OSError(f"the state directory {root} is not in a BPF file system, such as {_BPF_FS}")
    if root.is_mount():
        raise OSError(
            f"the state directory {root} is a mount point: name a directory in it, as {root}/pcnhost"
        )
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
        _check_private(path, is_root=path == root)
    return _check_content(root)


def remove_own(root: Path, names: Iterable[str]) -> list[str]:
    """Removes these entries of the root, and the root when it is empty then; answers what else is there."""
    for name in names:
        remove(root / name)
    others = sorted(path.name for path in root.iterdir() if path.name != _MARK)
    remove(root / _MARK)
    if not others:
        root.rmdir()
    return others


def _check_private(path: Path, is_root: bool) -> None:
    """Nobody but root may put something else in the place of what is at `path` or, in the root, below."""
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise OSError(f"{path}, on the way to the state directory, is not a directory: remove it")
    others_write = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if others_write and (is_root or not found.st_mode & stat.S_ISVTX):
        raise OSError(
            f"{path} can be written by others: chmod go-w {path}, or choose another state directory"
        )
    if found.st_uid not in (0, os.geteuid()):
        raise OSError(f"{path} belongs to user {found.st_uid}: remove it, or choose another state directory")


def _check_content(root: Path) -> bool:
    names = {path.name for path in root.iterdir()}
    if names and read_note(root / _MARK) is None:
        raise OSError(
            f"the state directory {root} holds {min(names)}, which is not of pcnhost: choose another"
        )
    for name in names & set(_DIRECTORIES):
        _check_private(root / name, is_root=True)
    return bool(names)


def _exists(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


def lock(root: Path) -> int:
    """Makes this process the only one that works on `root`, until the answered fd is closed.

    Raises OSError if another one does."""
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as e:
        os.close(fd)
        raise OSError(e.errno, f"another host is at work on {root}") from None
    return fd


def _is_bpf_fs(path: Path) -> bool:
    buffer = ctypes.create_string_buffer(_STATFS_BYTES)
    failed = ctypes.CDLL(None).statfs(os.fsencode(path), buffer)
    return not failed and ctypes.c_long.from_buffer(buffer).value == _BPF_FS_MAGIC


def write_note(path: Path, text: str) -> None:
    """Sets the note, replacing an earlier one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + _FRESH)
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(text)
    fresh.rename(path)


def read_note(path: Path) -> str | None:
    try:
        return str(path.readlink())
    except OSError:
        return None


def read_notes(directory: Path) -> dict[str, str]:
    """All notes of a directory by their (unquoted) names, but for those that a kill has left half-way."""
    if not _is_directory(directory):
        return {}
    notes = (path for path in directory.iterdir() if path.is_symlink() and not path.name.endswith(_FRESH))
    return {unquote(path.name): str(path.readlink()) for path in notes}


def directories(directory: Path) -> list[str]:
    """The (unquoted) names of the directories in `directory`."""
    if not _is_directory(directory):
        return []
    return [unquote(path.name) for path in directory.iterdir() if _is_directory(path)]


def remove(path: Path) -> None:
    """Removes a pin, a note or a whole directory; a missing one is fine."""
    if _is_directory(path):
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _is_directory(path: Path) -> bool:
    """Whether it is one itself, and no symbolic link to one."""
    return path.is_dir() and not path.is_symlink()
