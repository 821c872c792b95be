"""What outlives the host process: maps pinned in bpffs, and short notes beside them.

A note is a symbolic link whose target is the text: bpffs holds nothing else that could. It is replaced
atomically, and goes away together with the pins.

    <root>/layout -> version of this layout
    <root>/<map of the host>                       <root>/public/<map>
    <root>/netdevs/<netdev> -> what is attached there
    <root>/cubes/<cube>/id, type -> …              <root>/cubes/<cube>/ports/<port> -> index
    <root>/cubes/<cube>/<map of the cube>          <root>/cubes/<cube>/shared/<map>
    <root>/cubes/<cube>/{ingress,egress}<program index>/<map>
"""

import ctypes
import fcntl
import os
import shutil
from pathlib import Path
from urllib.parse import quote, unquote

_BPF_FS_MAGIC = 0xCAFE4A11
_BPF_FS = Path("/sys/fs/bpf")
_STATFS_BYTES = 256  # more than any architecture's struct statfs, which begins with f_type


def file_name(name: str) -> str:
    """`name` as a file name of bpffs, where dots are forbidden and slashes would be directories."""
    return quote(name, safe="").replace(".", "%2E")


def prepare(root: Path) -> None:
    """Makes `root` a directory of a BPF file system; mounts that on /sys/fs/bpf if it is missing."""
    if root.is_relative_to(_BPF_FS) and not _is_bpf_fs(_BPF_FS):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"bpf", os.fsencode(_BPF_FS), b"bpf", 0, None):
            raise OSError(ctypes.get_errno(), f"cannot mount a BPF file system on {_BPF_FS}")
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _is_bpf_fs(root):
        raise OSError(f"{root} is not in a BPF file system")


def lock(root: Path) -> int:
    """Makes this process the only one that works on `root`, until the answered fd is closed.

    Raises OSError if another one does."""
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
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
    fresh = path.with_name(f"{path.name}%new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(text)
    fresh.rename(path)


def read_note(path: Path) -> str | None:
    try:
        return str(path.readlink())
    except OSError:
        return None


def read_notes(directory: Path) -> dict[str, str]:
    """All notes of a directory by their (unquoted) names."""
    if not directory.is_dir():
        return {}
    return {unquote(path.name): str(path.readlink()) for path in directory.iterdir() if path.is_symlink()}


def directories(directory: Path) -> list[str]:
    """The (unquoted) names of the directories in `directory`."""
    if not directory.is_dir():
        return []
    return [unquote(path.name) for path in directory.iterdir() if path.is_dir() and not path.is_symlink()]


def remove(path: Path) -> None:
    """Removes a pin, a note or a whole directory; a missing one is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
