#!/bin/bash
# TEST np=1
# The files of a run, and the promise of the gallery's command: the same id, seed and sample give the same bytes in a shard, alone,
# and with other --samples and --top.
atelier=${ATELIER:-build/release/atelier}
model=${MODEL:-weights/emoji}
n=0 failed=0
export LC_ALL=C

check() { # NAME, then a command that must succeed
  n=$((n + 1))
  if "${@:2}"; then echo "ok $n - $1"; else echo "not ok $n - $1"; failed=1; fi
}

if [ ! -f "$model/model.json" ]; then
  echo "ok 1 # SKIP no model in $model"
  echo 1..1
  exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/prompts" <<'END'
{"prompt": "red heart", "samples": 4}
{"prompt": "snowman", "id": "../x", "seed": 9}
{"prompt": "cat </script>"}
END

generate() { "$atelier" generate --model "$model" --temperature 0.7 --quiet "$@" >"$folder/stdout" 2>"$folder/stderr" || sed 's/^/# /' "$folder/stderr"; }
# Prints "sample sha256" of a prompt's lines in a results.jsonl, sorted by sample.
digests() { grep -F "\"prompt_id\":\"$2\"" "$1" | sed 's/.*"sample":\([0-9]*\),.*"sha256":"\([0-9a-f]*\)".*/\1 \2/' | sort -n; }
# Is the first list not empty, and are all its lines in the second?
covers() { [ -n "$1" ] && [ -z "$(comm -23 <(sort <<<"$1") <(sort <<<"$2"))" ]; }
files() { (cd "$folder/$1" && find . -type f | sort | tr '\n' ' '); }
same_files() { # every line's file has the digest that the line says
  sed -n 's/.*"file":"\([^"]*\)","sha256":"\([0-9a-f]*\)".*/\2  \1/p' "$folder/$1/results.jsonl" | (cd "$folder/$1" && sha256sum --check --status)
}

generate --prompts "$folder/prompts" --samples 3 --top 2 --out "$folder/whole"
odd=$(cd "$folder/whole" && ls -d __*-*)
check "a run leaves its files, and no others" test "$(files whole)" = "./1/grid.png ./1/rank-001.png ./1/rank-002.png \
./3/grid.png ./3/rank-001.png ./3/rank-002.png ./$odd/grid.png ./$odd/rank-001.png ./$odd/rank-002.png \
./index.html ./report.txt ./results.jsonl ./run.json "
check "results.jsonl has one line per candidate" test "$(wc -l <"$folder/whole/results.jsonl")" = 10
check "files have the digests of their lines" same_files whole
check "run.json says done" grep -q '"state": "done"' "$folder/whole/run.json"
check "run.json names the kernels" grep -q '"kernels": "[a-z0-9]*-f32"' "$folder/whole/run.json"
cores() { sed -n 's/.*"cores": \([0-9.]*\).*/\1/p' "$1/run.json"; }
OMP_NUM_THREADS=1 generate --prompt heart --samples 1 --out "$folder/one"
check "run.json counts the cores of one rank" test "$(cores "$folder/one")" = 1.0
# Two ranks with one thread each have as many cores as their cpusets, at most two.
OMP_NUM_THREADS=1 ${MPIRUN:-mpirun} -n 2 "$atelier" generate --model "$model" --prompt heart --samples 2 --quiet --out "$folder/two" 2>"$folder/stderr"
check "run.json counts the cores of two ranks" grep -qx '[12]\.0' <(cores "$folder/two")
check "results.jsonl has the prompt's own seed" grep -q '"prompt_id":"../x","prompt":"snowman","seed":9,' "$folder/whole/results.jsonl"

generate --prompts "$folder/prompts" --samples 3 --top 2 --shard 3/3 --out "$folder/shard"
check "a shard draws the same bytes as the whole job" test "$(digests "$folder/shard/results.jsonl" 3)" = "$(digests "$folder/whole/results.jsonl" 3)"
check "a shard draws nothing else" test "$(wc -l <"$folder/shard/results.jsonl")" = 3

printf '%s\n' '{"id":"1","prompt":"red heart","seed":0,"samples":2}' >"$folder/again.jsonl"
generate --prompts "$folder/again.jsonl" --top 2 --out "$folder/again"
check "with fewer samples, these have the same bytes" covers "$(digests "$folder/again/results.jsonl" 1)" "$(digests "$folder/whole/results.jsonl" 1)"

generate --prompts "$folder/again.jsonl" --top 1 --no-rank --out "$folder/unranked"
check "without ranking the first sample is kept" grep -q '"sample":0,"score":null,"rank":1,"file":"1/rank-001.png"' "$folder/unranked/results.jsonl"
check "a --quiet run prints nothing" test ! -s "$folder/stderr"

${MPIRUN:-mpirun} -n 2 "$atelier" generate --model "$model" --prompt heart --samples 1 --stages 2 --quiet --verbose --out "$folder/verbose" 2>"$folder/log"
check "--verbose has a line of each rank about its threads" test "$(grep -c ' r[01] debug\] .*thread' "$folder/log")" = 2
check "--verbose names the role of rank 0 once it has loaded" grep -q ' r0 stage 0\.0 debug\] loaded in ' "$folder/log"
check "--verbose names the role of rank 1 once it has loaded" grep -q ' r1 stage 0\.1 debug\] loaded in ' "$folder/log"
negative=$(printf '%09000d' 1)
generate --prompt heart --samples 1 --guidance 2 --truncate --negative "$negative" --out "$folder/negative"
check "a negative prompt of 9000 bytes is whole in the command of run.json" grep -q "\"command\": \"[^\"]*--negative $negative [^\"]*\"" "$folder/negative/run.json"
echo 1..$n
exit $failed
