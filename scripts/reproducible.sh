#!/bin/bash
# reproducible.sh: build and package two copies of the tree, in folders of different names, and compare the bytes.
set -euo pipefail
cd "$(dirname "$0")/.."
project=$PWD
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

for tree in "$scratch/one" "$scratch/another-place"; do
  mkdir -p "$tree/build"
  git ls-files -z | xargs -0 cp --parents -t "$tree"
  ln -s "$project/.venv" "$tree/.venv"
  cp -r build/wheels "$tree/build"
  (cd "$tree" &&
    cmake -S . -B build -DPython3_EXECUTABLE="$project/.venv/bin/python" &&
    cmake --build build -j 2 &&
    scripts/package.sh dist) > "$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
done
for package in "$scratch"/one/dist/*; do
  cmp "$package" "$scratch/another-place/dist/$(basename "$package")"
  sha256sum "$package" | sed "s|$scratch/one/dist/||"
done
