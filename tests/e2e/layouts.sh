#!/bin/bash
# TEST timeout=600
# The program's main promise: tokens, PNG bytes, scores and ranking do not depend on the layout.
. tests/support/tap.sh

# generate FOLDER RANKS THREADS OPTIONS...
generate() {
  OMP_NUM_THREADS=$3 ranks "$2" "$ATELIER" generate --model weights/emoji --prompt "red heart" --prompt "flag, belgium" \
    --prompt "blue pizza" --samples 10 --top 10 --seed 5 --temperature 1 --guidance 2 --quiet --out "$1" "${@:4}"
}
# same FOLDER FOLDER: all pictures' bytes, scores and positions are the same.
same() {
  (cd "$1" && find . -name '*.png' -o -name results.jsonl | sort | xargs sha256sum) >"$scratch/a"
  (cd "$2" && find . -name '*.png' -o -name results.jsonl | sort | xargs sha256sum) >"$scratch/b"
  [ "$(grep -c rank- "$scratch/a")" = 30 ] && diff "$scratch/a" "$scratch/b"
}

i=0
layout() { # NAME RANKS THREADS OPTIONS...
  i=$((i + 1))
  check "$1: runs" generate "$scratch/$i" "${@:2}"
  [ $i = 1 ] || check "$1: the same pictures, scores and positions" same "$scratch/1" "$scratch/$i"
}
layout "1 rank" 1 1
layout "1 rank, 2 threads" 1 2
layout "2 ranks" 2 1
layout "2 ranks, 2 stages" 2 1 --stages 2
layout "4 ranks, 1 stage" 4 1 --stages 1
layout "4 ranks, 2 stages" 4 1 --stages 2
layout "4 ranks, 3 stages" 4 1 --stages 3
layout "4 ranks, 2 pipelines of 2 stages, 2 decoders" 4 1 --stages 2 --pipelines 2 --decoders 2
layout "7 ranks, 2 pipelines of 2 stages, 2 decoders with their own ranks" 7 1 --stages 2 --pipelines 2 --decoders 2
layout "3 ranks, 2 stages that decode at the end, 1 decoder" 3 1 --stages 2 --decoders 1 --microbatch 30
layout "microbatch 1" 2 1 --stages 2 --microbatch 1
layout "microbatch 3" 1 1 --microbatch 3
layout "microbatch 8, 2 threads" 2 2 --microbatch 8
layout "4 stages, 7 slots of 2" 4 1 --stages 4 --slots 7 --microbatch 2

# The same in the other precisions, on the most different layouts.
precision() { # NAME OPTIONS...
  check "$1: 1 rank runs" generate "$scratch/$1" 1 1 "${@:2}"
  check "$1: 4 ranks, 2 stages, microbatches of 3 run" generate "$scratch/$1.4" 4 1 --stages 2 --microbatch 3 "${@:2}"
  check "$1: 2 threads, microbatches of 8 run" generate "$scratch/$1.2" 1 2 --microbatch 8 "${@:2}"
  check "$1: the same pictures on 4 ranks" same "$scratch/$1" "$scratch/$1.4"
  check "$1: the same pictures on 2 threads" same "$scratch/$1" "$scratch/$1.2"
}
precision bf16 --dtype bf16
precision int8 --dtype bf16 --kv int8

# The comparison can fail: another seed gives other pictures.
check "another seed runs" generate "$scratch/other" 1 1 --seed 6
if same "$scratch/1" "$scratch/other" >/dev/null; then other=false; else other=true; fi
check "another seed gives other pictures" $other
# A sample does not depend on which others are drawn with it.
check "fewer samples run" generate "$scratch/fewer" 1 1 --samples 3
first() { grep "\"flag, belgium\"" "$1/results.jsonl" | grep '"sample":[012],' | grep -o '"sample":.*"score":[^,]*' | sort; }
check "a sample does not depend on the number of samples" test "$(first "$scratch/1")" = "$(first "$scratch/fewer")"
finish
