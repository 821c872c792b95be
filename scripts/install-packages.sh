#!/bin/sh
# Installs what the project needs from Debian, as far as it is missing; needs root. Usage: install-packages.sh PACKAGE…
set -eu
missing=
for package in "$@"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
apt-get update -q
# shellcheck disable=SC2086 # a list of words
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
