"""A machine that systemd has booted: namespaces of all kinds, with a layer above this one's files that is thrown away.

What runs there is the service under test and nothing else: no journal, no login, no udev."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import TracebackType

# Outside: a cgroup for it, and the layer. It ends with standard input, and takes everything along.
_OUTER = r"""
mount -t tmpfs tmpfs "$1"
mkdir "$1/cgroup" "$1/upper" "$1/work" "$1/root"
mount -t cgroup2 cgroup2 "$1/cgroup"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
group=$1/cgroup/trial-$$
mkdir "$group"
(
  echo "$BASHPID" > "$group/cgroup.procs"
  exec unshare --cgroup --pid --fork --kill-child --net --uts --ipc --mount \
    bash -euc "$2" inner "$1/root" > "$1/console" 2>&1 < /dev/null
) &
keeper=$!
echo "$keeper"
read -r _ || true
kill -KILL "$keeper" || true
wait "$keeper" 2> /dev/null || true
for _ in $(seq 50); do
  find "$group" -depth -type d -exec rmdir {} + 2> /dev/null && break
  sleep 0.1
done
"""

# Inside: what a container gets. It waits until the machine has been furnished.
_INNER = r"""
root=$1
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t bpf -o mode=0700 bpf "$root/sys/fs/bpf"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
for directory in run dev; do mount -t tmpfs -o mode=0755 tmpfs "$root/$directory"; done
mount -t tmpfs tmpfs "$root/tmp"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/net" "$root/dev/shm" "$root/dev/pts"
mknod "$root/dev/net/tun" c 10 200
ln -s /proc/self/fd "$root/dev/fd"
ip link set lo up
printf '[Unit]\nDefaultDependencies=no\n' > "$root/etc/systemd/system/trial.target"
until [ -e "$root/tmp/furnished" ]; do sleep 0.05; done
exec chroot "$root" env -i container=trial PATH=/usr/sbin:/usr/bin \
  /lib/systemd/systemd --unit=trial.target --log-target=console --show-status=no
"""


class BootedMachine:
    """A context manager. `directory` is an empty one. It boots with boot(), until when packages can be installed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __enter__(self) -> BootedMachine:
        command = ["unshare", "--mount", "--propagation", "private", "bash", "-euc", _OUTER, "outer"]
        self._process = subprocess.Popen(
            [*command, self._directory, _INNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        keeper = int(self._process.stdout.readline())
        children = Path(f"/proc/{keeper}/task/{keeper}/children")
        while not (found := children.read_text().split()):
            assert self._process.poll() is None
        self._first = int(found[0])
        self._await(f"test -e {self._directory}/root/etc/systemd/system/trial.target", chroot=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def boot(self) -> None:
        self.run("touch", "/tmp/furnished")
        self._await("test -S /run/systemd/private")

    def run(self, *argv: str) -> str:
        """Run a command there; returns what it printed."""
        done = self._done(argv)
        assert done.returncode == 0, f"{argv} failed: {done.stdout}{done.stderr}"
        return done.stdout

    def sh(self, script: str) -> str:
        return self.run("bash", "-euc", script)

    def write(self, path: str, content: bytes) -> None:
        done = self._done(("tee", path), content)
        assert done.returncode == 0, done.stderr

    def _done(
        self, argv: tuple[str, ...], content: bytes = b"", *, chroot: bool = True
    ) -> subprocess.CompletedProcess[str]:
        command = ["nsenter", "--target", str(self._first), "--all", "--wd=/"]
        if chroot:
            command += ["chroot", str(self._directory / "root"), "env", "-i", "PATH=/usr/sbin:/usr/bin"]
        done = subprocess.run([*command, *argv], input=content, capture_output=True, timeout=300, check=False)
        return subprocess.CompletedProcess(
            argv, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        )

    def _await(self, condition: str, *, chroot: bool = True) -> None:
        script = f"for _ in $(seq 1200); do {condition} && exit 0; sleep 0.05; done; exit 1"
        done = self._done(("bash", "-c", script), chroot=chroot)
        assert done.returncode == 0, f"{condition}: {done.stderr}"
