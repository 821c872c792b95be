#!/bin/bash
# test-as.sh NAME [PYTEST ARGUMENT…]: the tests for the service under another of its names, lbrp.
# They are the same tests: a copy of the tree, in which tests, testbed, bench and manifests call the service NAME. The
# Python package and the model's file keep their name. What is about both names at once is not run again.
set -euo pipefail
cd "$(dirname "$0")/.."
name=$1
shift
copy=build/as-$name
rm -rf "$copy"
mkdir -p "$copy/build"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents --no-dereference -t "$copy" 2> /dev/null || true
ln -s "$PWD/.venv" "$copy/.venv"
cp build/*.so "$copy/build/"
[ ! -d build/compiled ] || cp -a build/compiled "$copy/build/"
grep -rlZ k8slbrp "$copy"/{k8s,testbed,bench,tests/{rest,e2e,kube}} --include="*.py" --include="*.yaml" |
  xargs -0 sed -Ei "
    s/k8slbrp/$name/g
    s/(from|import) $name\b/\1 k8slbrp/
    s/(polycubed-|datamodel\" \/ \"|datamodel\/)$name\.(jsonl|yang)/\1k8slbrp.\2/g"
sed "s/k8slbrp/$name/g" pcn-k8slbrp.md > "$copy/pcn-$name.md"
cd "$copy"
exec scripts/test.sh --ignore tests/rest/test_replay.py --ignore tests/e2e/test_e2e_lbrp.py "$@"
