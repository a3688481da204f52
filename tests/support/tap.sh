# shellcheck shell=bash
# Sourced by the scripts in tests/e2e and tests/extra: TAP for shell, a scratch folder that goes away, and the program's name.
ATELIER=${ATELIER:-build/release/atelier}
BUILD=${BUILD:-$(dirname "$ATELIER")}
MPIRUN=${MPIRUN:-mpirun}
ATL_FIXTURES=${ATL_FIXTURES:-tests/fixtures}
tap_n=0
tap_failed=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# check NAME COMMAND...: ok when the command succeeds; what it prints becomes comments.
check() {
  local name=$1
  shift
  tap_n=$((tap_n + 1))
  if "$@" >"$scratch/said" 2>&1; then
    echo "ok $tap_n - $name"
  else
    echo "not ok $tap_n - $name"
    tap_failed=1
  fi
  sed 's/^#* */# /' "$scratch/said"
}
skip() {
  tap_n=$((tap_n + 1))
  echo "ok $tap_n # SKIP $1"
}
finish() {
  echo "1..$tap_n"
  exit $tap_failed
}
# ranks N COMMAND...: through mpirun, or without when N is 1.
ranks() {
  local n=$1
  shift
  if [ "$n" = 1 ]; then "$@"; else $MPIRUN -n "$n" "$@"; fi
}
# model NAME: the model directory of a reference checkpoint in tests/fixtures/golden, made by tests/run, or converted here.
model() {
  local to=${ATL_MODELS:-$scratch/models}/$1
  if [ ! -f "$to/model.json" ]; then
    mkdir -p "$(dirname "$to")"
    "$ATELIER" convert "$ATL_FIXTURES/golden/$1/dalle.pt" --out "$to" >"$scratch/convert.log" 2>&1 || cat "$scratch/convert.log" >&2
  fi
  echo "$to"
}
