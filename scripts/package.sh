#!/bin/bash
# package.sh OUT [VERSION]: put a wheel, a source distribution and a .deb of what is built into the folder OUT. VERSION is
# that of the .deb when it is not the project's. The same sources and libraries make the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."
python=.venv/bin/python
mkdir -p "$1"
out=$(realpath "$1")
project_version=$($python -c 'import pcnhost; print(pcnhost.__version__)')
version=${2:-$project_version}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}
export SOURCE_DATE_EPOCH LC_ALL=C
umask 022
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

$python -m build --no-isolation --outdir "$stage/dist" . > "$stage/log" 2>&1 || { cat "$stage/log"; exit 1; }
$python -m pip install -q --disable-pip-version-check --no-compile --no-warn-conflicts --ignore-installed --prefix "$stage/python" \
  --no-index --find-links build/wheels "$stage"/dist/*.whl
rm -rf "$stage/python/bin"
# What tells where and how they were installed. The RECORDs stay: by them programs find the data of a package.
find "$stage/python" \( -name direct_url.json -o -name INSTALLER -o -name REQUESTED \) -delete
find "$stage/python" -name RECORD -exec sed -i -E '/(bin\/|direct_url.json,|INSTALLER,|REQUESTED,)/d' {} +

manual() { # program, section, what it is
  mkdir -p "$stage/man/man$2" "$stage/help"
  # help2man knows the headings of GNU programs.
  printf '#!/bin/sh\n.venv/bin/%s --help | sed "s/^usage:/Usage:/; s/^options:/Options:/"\n' "$1" > "$stage/help/$1"
  chmod +x "$stage/help/$1"
  help2man --no-info --section "$2" --name "$3" --version-string "$project_version" "$stage/help/$1" |
    gzip -9n > "$stage/man/man$2/$1.$2.gz"
}
manual pcnhost 8 "embedded host for Polycube services"
manual pcnctl 1 "command line of a Polycube host"
manual k8slbrp-codegen 1 "C++ side of a Polycube service from its YANG model"
mkdir -p "$stage/completions"
.venv/bin/pcnctl --completion-script > "$stage/completions/pcnctl"

mkdir "$stage/libraries" "$stage/debian"
cp build/libpcnhost.so build/libpcn-*.so "$stage/libraries"
strip --strip-unneeded "$stage"/libraries/*.so
# CPack would look into each of the many files for this.
touch "$stage/debian/control"
shared=$(cd "$stage" && dpkg-shlibdeps -O --ignore-missing-info libraries/*.so 2> "$stage/log") || { cat "$stage/log"; exit 1; }

(cmake -S packaging -B "$stage/cmake" -DLIBRARIES="$stage/libraries" -DSTAGE="$stage" -DVERSION="$version" \
  -DSHARED="${shared#shlibs:Depends=}" &&
  cd "$stage/cmake" && cpack) > "$stage/log" 2>&1 || { cat "$stage/log"; exit 1; }
cp "$stage"/dist/* "$stage"/cmake/*.deb "$out"
