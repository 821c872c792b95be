#!/bin/sh
# BCC compiles against the headers of the running kernel. Where the distribution has none for it, Debian's own headers
# serve: the datapath uses nothing but the stable user API. Debian splits them in two trees, which BCC finds as build and
# source. Needs root.
set -eu
modules=/lib/modules/$(uname -r)
[ -e "$modules/build" ] && exit 0
if apt-get install -q -y --no-install-recommends "linux-headers-$(uname -r)" 2>/dev/null && [ -e "$modules/build" ]; then
  exit 0
fi
"$(dirname "$0")/install-packages.sh" linux-headers-amd64
build=$(ls -d /usr/src/linux-headers-*-amd64 | sort -V | tail -n 1)
mkdir -p "$modules"
ln -sfn "$build" "$modules/build"
ln -sfn "${build%-amd64}-common" "$modules/source"
