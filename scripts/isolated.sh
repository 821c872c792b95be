#!/bin/bash
# isolated.sh COMMAND…: run a command in network and mount namespaces of its own, with a private /run and /sys/fs/bpf.
# Each worker of `make test` runs in one, so that workers do not see each other's interfaces, ports and pinned maps, and
# nothing stays behind. Without root the command runs as it is.
set -euo pipefail
if [ "$(id -u)" != 0 ]; then
  exec "$@"
fi
# shellcheck disable=SC2016 # expanded by the inner shell
exec unshare --net --mount --propagation private bash -euc '
mount -t tmpfs tmpfs /run
mkdir /run/netns /run/lock
mount -t sysfs sysfs /sys # shows the interfaces of this namespace
mount -t bpf -o mode=0700 bpf /sys/fs/bpf
mount -t tracefs tracefs /sys/kernel/tracing
mount -t debugfs debugfs /sys/kernel/debug
ip link set lo up
exec "$@"' isolated "$@"
