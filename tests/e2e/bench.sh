#!/bin/bash
# TEST timeout=200
# atelier bench as a user runs it: what it prints and writes, not how fast anything is.
. tests/support/tap.sh
m=$scratch/model
"$ATELIER" convert --random tiny --out "$m" >"$scratch/convert.log" 2>&1 || cat "$scratch/convert.log"

says() { # WORDS: the last output has them
  grep -qF -- "$1" "$scratch/out" || { cat "$scratch/out" && return 1; }
}
bench() { "$ATELIER" bench --model "$m" --batch 3 --seconds 0.001 --working-set 16M "$@" >"$scratch/out" 2>&1 || { cat "$scratch/out" && return 1; }; }
now=$scratch/now.json
holds() { # WORDS: the JSON has them, whatever its spaces
  tr -d ' \n' <"$now" | grep -qF -- "$1" || { echo "not there: $1" && return 1; }
}
is_positive() { # NAME: every such number in the JSON is finite and above 0
  grep -o "\"$1\": [^,}]*" "$now" | awk '{ n++; if (!($2 > 0) || $2 ~ /inf|nan/) bad++ } END { exit !(n > 0 && !bad) }'
}

check "all but linear layers" bench --dtype bf16 --only ring,attention,steps,sampling,job --json "$now"
check "a ring alone is refused in words" says "ring: needs two ranks"
check "backends and what this CPU has of them" says "plain: built, this CPU has it"
check "the working set" says "working set 16 MiB"
check "attention" says "attention axial_row batch=3 position=15"
check "softmax" says "softmax rows=3"
check "draws as a share of a step" grep -q 'draw all codes=64 batch=3 .*% of a step' "$scratch/out"
check "a job's roofline" says "job batch=3"
check "whether the machine has changed" says "Memory read bandwidth at the end"
for field in machine cpu threads one_thread all_threads all_threads_at_end entries jobs model dtype; do
  check "JSON: $field" holds "\"$field\":"
done
check "JSON: what ceilings are of" holds '"bf16_instruction":"'
for field in read_bytes f32_flops bf16_flops seconds tokens_per_second seconds_per_image step_bytes processors; do
  check "JSON: $field is a number" is_positive "$field"
done
check "beside an earlier run" bench --dtype bf16 --only steps --compare "$now"
check "it is said" grep -q "step batch=3 position=0 .*%  *[0-9.][0-9.]*  *[0-9.][0-9.]*$" "$scratch/out"
check "own kernels and a library" bench --rows 1,2 --kernels plain,openblas --only linears
check "their ratio" says "openblas: its time divided by our fastest kernel's; rows"
check "--backends lists them and measures nothing" eval "'$ATELIER' bench --backends | grep -c : | grep -qx 6"
check "two ranks measure a ring" eval "ranks 2 '$ATELIER' bench --model '$m' --batch 3 --working-set 16M --only ring --json '$now' >'$scratch/out'"
check "its hop" says "ring hop ranks=2 rows=3"
check "printed once" [ "$(grep -c 'ring hop' "$scratch/out")" = 1 ]
check "JSON: its hop" holds '"name":"ringhopranks=2rows=3"'
finish
