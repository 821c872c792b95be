#!/bin/bash
# test.sh [PYTEST ARGUMENT…]: the tests marked `serial` one by one, then all others in JOBS (default 3, because they
# wait for a good part of their time) workers. Those marked `long` are left out.
# Each worker has network and mount namespaces of its own. Ends with pytest's line about the parallel part, or with that
# of the serial part when nothing else is selected.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
python=.venv/bin/python
no_tests=5 # pytest's exit status when the arguments select none
status=$no_tests

part() {
  "$@"
  local result=$?
  if [ $result != $no_tests ] && { [ $status = $no_tests ] || [ $status = 0 ]; }; then
    status=$result
  fi
}

part scripts/isolated.sh $python -m pytest -q -m "serial and not long" "$@"
serial=$status
part $python -m pytest -q -m "not serial and not long" --dist loadfile --no-loadscope-reorder \
  --tx "${JOBS:-3}*popen//python=scripts/isolated.sh $python" "$@"
if [ $serial != 0 ] && [ $serial != $no_tests ]; then
  echo "Tests of the serial part failed, see above." >&2
fi
exit $status
