#!/bin/bash
# TEST timeout=300
# Ranks with different models or different machine code are refused before anything is drawn: host-local copies of a model that
# differ, and processors or libraries that differ.
. tests/support/tap.sh
m=$PWD/weights/emoji ATELIER=$(realpath "$ATELIER")
MPIRUN="timeout 60 $MPIRUN"
mkdir "$scratch/a" "$scratch/b" && cp -r "$m" "$scratch/a/m"
options=(generate --model m --prompt heart --samples 2 --stages 2 --quiet --out "$scratch/out")
# both PREFIX...: runs rank 0 in folder a, rank 1 in folder b with the command prefix.
both() {
  rm -rf "$scratch/out"
  # shellcheck disable=SC2086 # words
  $MPIRUN -n 1 --wdir "$scratch/a" "$ATELIER" "${options[@]}" : -n 1 --wdir "$scratch/b" "$@" "$ATELIER" "${options[@]}" \
    >"$scratch/said.out" 2>"$scratch/said.err" </dev/null
}
refused() { # WORDS PREFIX...
  both "${@:2}"
  local code=$?
  echo "exit code $code" && cat "$scratch/said.err"
  [ $code = 2 ] && [ "$(grep -c -- "$1" "$scratch/said.err")" = 1 ] && grep -q "rank 1: " "$scratch/said.err" && [ ! -e "$scratch/out" ]
}
fresh() { rm -rf "$scratch/b/m" && cp -r "$m" "$scratch/b/m"; }
# set_byte FILE OFFSET BYTE: changes one byte of the copy in b.
set_byte() { printf "$3" | dd of="$scratch/b/m/$1" bs=1 seek="$2" conv=notrunc status=none; }

fresh
check "equal copies are accepted" both env
sed -i 's/"name": "[a-z]*"/"name": "other"/' "$scratch/b/m/model.json"
check "another model.json is refused with rank, host and file" refused "host $(hostname) has another model than rank 0: m/model.json"
fresh
size=$(stat -c %s "$m/transformer.safetensors")
set_byte transformer.safetensors $((size - 2)) '\x3c'
check "other weights of the same size are refused" refused "m/transformer.safetensors: expected $size bytes"
fresh
# A space at the end of the header, which is padded with spaces, becomes a tab.
header=$(od -An -tu8 -N8 "$m/vae.safetensors" | tr -d ' ')
set_byte vae.safetensors $((8 + header - 1)) '\x20'
if cmp -s "$m/vae.safetensors" "$scratch/b/m/vae.safetensors"; then set_byte vae.safetensors $((8 + header - 1)) '\t'; fi
check "another header is refused" refused "m/vae.safetensors: expected"
fresh
if [ "$(ONEDNN_MAX_CPU_ISA=SSE41 "$ATELIER" generate --model "$m" --prompt a --samples 1 --quiet --out "$scratch/sse" >/dev/null 2>&1 && sed -n 's/.*"onednn": "\([^"]*\)".*/\1/p' "$scratch/sse/run.json" | grep -c sse41)" = 1 ]; then
  check "a rank whose oneDNN uses other instructions is refused" refused "on host $(hostname) oneDNN is .* sse41, on rank 0's" env ONEDNN_MAX_CPU_ISA=SSE41
  check "run.json records what oneDNN uses" grep -q '"onednn": "[0-9.]* sse41"' "$scratch/sse/run.json"
else
  skip "this oneDNN does not heed ONEDNN_MAX_CPU_ISA"
fi
finish
