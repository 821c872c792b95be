#!/bin/sh
# Installs what the project needs from Debian, as far as it is missing; needs root. Usage: install-packages.sh PACKAGE…
# Services of these packages (prometheus is one) are not started: the tests start what they need.
set -eu
missing=
for package in "$@"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
policy=/usr/sbin/policy-rc.d # asked by invoke-rc.d and deb-systemd-invoke; 101: no
if [ ! -e $policy ]; then
  trap 'rm -f $policy' EXIT
  printf '#!/bin/sh\nexit 101\n' > $policy
  chmod +x $policy
fi
apt-get update -q
# shellcheck disable=SC2086 # a list of words
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
