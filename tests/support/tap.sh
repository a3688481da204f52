# shellcheck shell=bash
# Sourced by the scripts in tests/e2e and tests/extra: TAP for shell, a scratch folder that is removed at exit, and the path of the
# program.
ATELIER=${ATELIER:-build/release/atelier}
BUILD=${BUILD:-$(dirname "$ATELIER")}
MPIRUN=${MPIRUN:-mpirun}
ATL_FIXTURES=${ATL_FIXTURES:-tests/fixtures}
tap_n=0
tap_failed=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# check NAME COMMAND...: passes if the command succeeds; its output is printed as TAP comments.
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
# skip REASON: prints a skipped check.
skip() {
  tap_n=$((tap_n + 1))
  echo "ok $tap_n # SKIP $1"
}
# finish: prints the plan and exits with 1 if any check failed.
finish() {
  echo "1..$tap_n"
  exit $tap_failed
}
# ranks N COMMAND...: runs the command on N ranks, without mpirun if N is 1.
ranks() {
  local n=$1
  shift
  if [ "$n" = 1 ]; then "$@"; else $MPIRUN -n "$n" "$@"; fi
}
# model NAME: prints the model directory of the checkpoint tests/fixtures/golden/NAME. tests/run has converted it, or it is converted
# here.
model() {
  local to=${ATL_MODELS:-$scratch/models}/$1
  if [ ! -f "$to/model.json" ]; then
    mkdir -p "$(dirname "$to")"
    "$ATELIER" convert "$ATL_FIXTURES/golden/$1/dalle.pt" --out "$to" >"$scratch/convert.log" 2>&1 || cat "$scratch/convert.log" >&2
  fi
  echo "$to"
}
