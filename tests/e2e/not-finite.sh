#!/bin/bash
# TEST timeout=120
# A model with finite weights but NaN logits: the run stops with exit code 1, says where, and draws nothing.
. tests/support/tap.sh
export LC_ALL=C
m=$scratch/model
"$ATELIER" convert --random tiny,text_ids=600 --tokenizer tests/golden/tokenizer/bytes.json --out "$m" >"$scratch/convert.log" || exit 1

# The gains of the last norm become 3e38: their products with the normalised rows overflow.
file=$m/transformer.safetensors
header_bytes=$(($(od -An -t u8 -N 8 "$file")))
offsets=$(head -c $((8 + header_bytes)) "$file" | grep -ao '"to_logits.0.weight":{[^}]*}' | grep -o '\[[0-9]*,[0-9]*\]}' | tr -d '[]}')
first=${offsets%,*} end=${offsets#*,}
for ((i = 0; i < (end - first) / 4; i++)); do printf '\346\261\141\177'; done |
  dd of="$file" bs=1 seek=$((8 + header_bytes + first)) conv=notrunc 2>/dev/null

is_stopped() { # RANKS OPTIONS...
  local n=$1 code
  rm -rf "$scratch/out"
  ranks "$n" "$ATELIER" generate --model "$m" --prompt "a b" --samples 3 --quiet --out "$scratch/out" "${@:2}" >"$scratch/stdout" 2>&1 </dev/null
  code=$?
  grep -v "^ *at " "$scratch/stdout"
  [ $code = 1 ] || { echo "exit code $code, expected 1" && return 1; }
  grep -q 'prompt 1, sample [0-2], image position 0: [1-9][0-9]* of 64 logits are NaN or infinite.*dtype f32' "$scratch/stdout" || return 1
  [ -z "$(find "$scratch/out" -name '*.png')" ]
}
check "a model whose logits are NaN stops a run on 1 rank" is_stopped 1
check "a model whose logits are NaN stops a run on 3 ranks" is_stopped 3
check "a model whose logits are NaN stops a greedy run" is_stopped 1 --greedy
check "a model whose logits are NaN stops a guided run" is_stopped 1 --guidance 2
finish
