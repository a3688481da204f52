#!/bin/bash
# TEST timeout=300
# generate --trace writes JSON for a trace viewer: every role is there, arrows have both ends, and events of a thread do not overlap.
. tests/support/tap.sh

generate() { # FOLDER RANKS OPTIONS...
  OMP_NUM_THREADS=1 ranks "$2" "$ATELIER" generate --model weights/emoji --prompt "red heart" --prompt "blue pizza" --samples 4 \
    --seed 5 --quiet --out "$1" "${@:3}"
}
# query FILTER FILE: the filter's result is true.
query() { [ "$(jq -r "$1" "$2")" = true ] || { jq -c "$1" "$2" && false; }; }

if ! command -v jq >/dev/null; then
  skip "jq is not installed"
  finish
fi
t=$scratch/trace.json
check "a run with --trace succeeds" generate "$scratch/traced" 4 --stages 2 --slots 3 --microbatch 2 --trace "$t"
check "the trace is JSON" jq -e '.traceEvents | length > 100' "$t"
check "the trace has events of every role" query '[.traceEvents[] | select(.ph == "X") | .name] | unique |
  contains(["begin", "coordinate", "decode", "draw", "embed", "png", "prefill", "run", "score", "wait for input"])' "$t"
check "events are on named processes and threads" query '[.traceEvents[] | select(.ph == "M")] as $m |
  ([.traceEvents[] | select(.ph != "M") | "\(.pid) \(.tid)"] | unique) -
  [$m[] | select(.name == "thread_name") | "\(.pid) \(.tid)"] == []' "$t"
check "every arrow has exactly two ends" query '[.traceEvents[] | select(.ph == "s") | .id] as $s |
  [.traceEvents[] | select(.ph == "f") | .id] as $f |
  ($s | length) > 100 and ($s | sort) == ($f | sort) and ($s | unique | length) == ($s | length)' "$t"
check "the trace has a hop of every position" query '[.traceEvents[] | select(.ph == "s" and .name == "hop") | .args |
  select(.slot >= 0 and .position >= 0) | .position] | unique | length == 63' "$t"
check "no arrow goes back in time" query '[.traceEvents[] | select(.ph == "s")] as $s |
  ([.traceEvents[] | select(.ph == "f") | {key: .id, value: .ts}] | from_entries) as $f |
  [$s[] | select(.ts > $f[.id])] == []' "$t"
# Times are printed to the nanosecond; sums of them as doubles are exact to much less.
check "events of a thread do not overlap" query '[.traceEvents[] | select(.ph == "X")] | group_by([.pid, .tid]) |
  map(sort_by(.ts) | [.[1:], .[:-1]] | transpose | map(select(.[0].ts < .[1].ts + .[1].dur - 0.0005))) | flatten == []' "$t"
check "the trace counts waiting token grids" query '[.traceEvents[] | select(.ph == "C") | .name] | unique == ["grids waiting"]' "$t"

check "the same run without --trace succeeds" generate "$scratch/plain" 1
same() {
  (cd "$1" && find . -name '*.png' | sort | xargs sha256sum) >"$scratch/a"
  (cd "$2" && find . -name '*.png' | sort | xargs sha256sum) >"$scratch/b"
  [ "$(grep -c rank- "$scratch/a")" = 8 ] && diff "$scratch/a" "$scratch/b"
}
check "a trace changes no picture" same "$scratch/traced" "$scratch/plain"
generate "$scratch/refused" 1 --trace "$scratch/missing/trace.json" >"$scratch/said2" 2>&1
check "--trace in a missing folder is refused" grep -q "missing" "$scratch/said2"
finish
