#!/bin/bash
# TEST timeout=200 alone=1
# A rank's planned bytes are within 10 % of its peak resident size (VmHWM): for a small model and one of 370 MB, on one rank and in
# two stages, with mostly weights and with mostly cache.
. tests/support/tap.sh
if nm "$ATELIER" 2>/dev/null | grep -q __asan_init; then
  skip "a sanitised program takes several times the memory"
  finish
fi
export OMP_NUM_THREADS=1 XDG_CACHE_HOME=$scratch/cache

# ranks_of FOLDER: prints "rank planned measured own" of every rank, from report.txt.
ranks_of() { awk '/^ *rank role/ { on = 1; next } on && $2 ~ /^(stage|decoder)/ { print $1, $(NF - 2), $(NF - 1), $NF } on && !NF { on = 0 }' "$1/report.txt" | sort -u; }
agrees() { # FOLDER RANKS
  ranks_of "$1" | awk -v want="$2" '
    { off = $3 / $2 - 1; print "rank " $1 ": planned " $2 " MiB, measured " $3 ", " $4 " of it own"; n++ }
    !($2 > 0 && off > -0.1 && off < 0.1) { bad = 1 }
    END { exit bad || n != want }'
}
memory() { # NAME RANKS MODEL OPTIONS...
  local name=$1 n=$2
  check "$name: the run succeeds" ranks "$n" "$ATELIER" generate --model "$3" --prompt heart --samples 2 --stages "$n" --quiet --no-rank --out "$scratch/$name" "${@:4}"
  check "$name: each rank takes the planned memory" agrees "$scratch/$name" "$n"
}

"$ATELIER" convert --random dalle-1024-full,layers=4,side=8 --tokenizer weights/emoji/tokenizer.bpe.txt --out "$scratch/model" >"$scratch/made"
for n in 1 2; do
  memory "emoji-$n" "$n" weights/emoji
  memory "weights-$n" "$n" "$scratch/model" --slots 1 --microbatch 2
  memory "cache-$n" "$n" "$scratch/model" --slots 2 --microbatch 64
  memory "bf16-$n" "$n" "$scratch/model" --dtype bf16 --slots 2 --microbatch 64
  memory "int8-$n" "$n" "$scratch/model" --dtype bf16 --kv int8 --slots 2 --microbatch 64
done

# 126 more candidates in flight take 126 times the planned bytes of one.
sample_bytes=$(sed -n 's/.*"sample_bytes": \([0-9]*\).*/\1/p' "$scratch/cache-1/run.json")
grows() {
  local few many
  few=$(ranks_of "$scratch/weights-1" | cut -d' ' -f4) many=$(ranks_of "$scratch/cache-1" | cut -d' ' -f4)
  awk -v few="$few" -v many="$many" -v each="$sample_bytes" 'BEGIN {
    planned = 126 * each / 1048576; print "planned " planned " MiB, measured " many - few
    exit !(many - few > 0.9 * planned && many - few < 1.1 * planned) }'
}
check "a candidate in flight takes the planned memory" grows
check "the report states the memory of a sample in flight" grep -q "a sample in flight takes [0-9.]* MiB" "$scratch/cache-1/report.txt"
finish
