#!/bin/bash
# TEST timeout=200
# atelier bench as a user runs it: its output and its JSON file. Times are not judged.
. tests/support/tap.sh
m=$scratch/model
"$ATELIER" convert --random tiny --out "$m" >"$scratch/convert.log" 2>&1 || cat "$scratch/convert.log"

says() { # TEXT: the last output contains it
  grep -qF -- "$1" "$scratch/out" || { cat "$scratch/out" && return 1; }
}
bench() { "$ATELIER" bench --model "$m" --batch 3 --seconds 0.001 --working-set 16M "$@" >"$scratch/out" 2>&1 || { cat "$scratch/out" && return 1; }; }
now=$scratch/now.json
holds() { # TEXT: the JSON contains it, ignoring spaces
  tr -d ' \n' <"$now" | grep -qF -- "$1" || { echo "missing: $1" && return 1; }
}
is_positive() { # NAME: every value of this name in the JSON is finite and above 0
  grep -o "\"$1\": [^,}]*" "$now" | awk '{ n++; if (!($2 > 0) || $2 ~ /inf|nan/) bad++ } END { exit !(n > 0 && !bad) }'
}

check "measures all but linear layers" bench --dtype bf16 --only ring,attention,steps,sampling,job --json "$now"
check "a ring on one rank is refused with a message" says "ring: needs two ranks"
check "prints backends and whether this CPU has them" says "plain: built, this CPU has it"
check "prints the working set" says "working set 16 MiB"
check "prints attention" says "attention axial_row batch=3 position=15"
check "prints softmax" says "softmax rows=3"
check "prints draws as a share of a step" grep -q 'draw all codes=64 batch=3 .*% of a step' "$scratch/out"
check "prints a job's roofline" says "job batch=3"
check "prints the ceilings of the end" says "Memory read bandwidth at the end"
for field in machine cpu threads one_thread all_threads all_threads_at_end entries jobs model dtype; do
  check "JSON: $field" holds "\"$field\":"
done
check "JSON: the instruction of a ceiling" holds '"bf16_instruction":"'
for field in read_bytes f32_flops bf16_flops seconds tokens_per_second seconds_per_image step_bytes processors; do
  check "JSON: $field is above 0" is_positive "$field"
done
check "compares with an earlier run" bench --dtype bf16 --only steps --compare "$now"
check "prints the ratio to the earlier run" grep -q "step batch=3 position=0 .*%  *[0-9.][0-9.]*  *[0-9.][0-9.]*$" "$scratch/out"
check "measures own kernels and a library" bench --rows 1,2 --kernels plain,openblas --only linears
check "prints their ratio" says "openblas: its time divided by our fastest kernel's; rows"
check "--backends lists them and measures nothing" eval "'$ATELIER' bench --backends | grep -c : | grep -qx 6"
check "two ranks measure a ring" eval "ranks 2 '$ATELIER' bench --model '$m' --batch 3 --working-set 16M --only ring --json '$now' >'$scratch/out'"
check "prints the ring's hop" says "ring hop ranks=2 rows=3"
check "prints it once" [ "$(grep -c 'ring hop' "$scratch/out")" = 1 ]
check "JSON: the ring's hop" holds '"name":"ringhopranks=2rows=3"'
finish
