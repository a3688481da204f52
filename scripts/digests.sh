#!/bin/bash
# digests.sh [PROGRAM]: prints a line "NAME SHA256" for each output whose bytes a refactoring must not change: converted and random
# model directories, probe outputs, pictures and results.jsonl. Two builds agree if this script prints the same for both:
#
#     scripts/digests.sh OLD/build/release/atelier >before
#     scripts/digests.sh build/release/atelier >after
#     diff before after
#
# Digests depend on the processor and on the version of oneDNN (docs/model.md): compare them on one machine, and do not store them.
program=$(realpath "${1:-build/release/atelier}") || exit 1
cd "$(dirname "$0")/.." || exit 1
. scripts/mpi-env.sh
golden=tests/fixtures/golden
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
export XDG_CACHE_HOME=$scratch/cache OMP_NUM_THREADS=1

# digest NAME FILE...: prints the digest of the files' bytes.
digest() {
  local name=$1
  shift
  printf '%s %s\n' "$name" "$(cat "$@" 2>/dev/null | sha256sum | cut -d' ' -f1)"
}
ranks() { # N ARGUMENTS OF THE PROGRAM...
  local n=$1
  shift
  if [ "$n" = 1 ]; then "$program" "$@"; else ${MPIRUN:-mpirun} -n "$n" "$program" "$@"; fi
}
quietly() { "$@" >"$scratch/log" 2>&1 || { echo "digests.sh: failed: $*" >&2 && cat "$scratch/log" >&2; }; }

# model NAME ARGUMENTS OF CONVERT...
model() {
  quietly "$program" convert "${@:2}" --name "$1" --out "$scratch/$1"
  digest "model/$1" "$scratch/$1"/*
}
probe() { # NAME RANKS MODEL INPUT OPTIONS...
  quietly ranks "$2" probe --model "$scratch/$3" --in "$4" --out "$scratch/out" "${@:5}"
  digest "probe/$1" "$scratch/out"
  rm -f "$scratch/out"
}
pictures() { # NAME RANKS MODEL OPTIONS...
  quietly ranks "$2" generate --model "$3" --quiet --seed 5 --out "$scratch/run" "${@:4}"
  # shellcheck disable=SC2046 # one file per word; no name has blanks
  digest "pictures/$1" $(find "$scratch/run" -name '*.png' -o -name results.jsonl | sort)
  rm -rf "$scratch/run"
}

for name in full mixed stable-shared reversible; do
  model $name "$golden/$name/dalle.pt"
  for precision in "f32" "bf16" "bf16 --kv int8"; do
    for n in 1 3; do
      # shellcheck disable=SC2086 # options
      for more in "" "--greedy" "--greedy --guidance 3"; do
        probe "$name/$precision/$n/$more" $n $name "$golden/$name/in.safetensors" --dtype $precision $more
      done
    done
  done
done
model clip-vit --clip "$golden/clip-vit/clip.pt"
model clip-resnet tests/golden/clip-resnet/clip.safetensors
for size in 20x24 32x32 50x71; do probe "clip-vit/$size" 1 clip-vit "$golden/clip-vit/in-$size.safetensors"; done
probe clip-resnet 1 clip-resnet tests/golden/clip-resnet/in.safetensors

for precision in "f32" "bf16" "bf16 --kv int8"; do
  for layout in "1" "2 --stages 2" "4 --stages 2 --pipelines 2 --decoders 2" "3 --stages 2 --decoders 1 --microbatch 5"; do
    # shellcheck disable=SC2086 # options
    pictures "emoji/$precision/$layout" ${layout%% *} weights/emoji --prompt "red heart" --prompt "flag, belgium" --samples 6 --top 6 \
      --temperature 0.9 --guidance 2 --top-p 0.95 --dtype $precision ${layout#"${layout%% *}"}
  done
done

tokenizer=tests/golden/tokenizer/bytes.json
for attention in full axial_row axial_col conv_like full:axial_row:axial_col:conv_like; do
  for more in "" ,rotary=0,shift=0 ,stable=1,sandwich=1 ,reversible=1 ,share=1; do
    name=tiny,layers=4,text_ids=600,attention=$attention$more
    model "$name" --random "$name" --tokenizer $tokenizer
    for precision in "f32" "bf16" "bf16 --kv int8"; do
      for n in 1 3; do
        # shellcheck disable=SC2086 # options
        pictures "$name/$precision/$n" $n "$scratch/$name" --prompt "a b" --samples 3 --top 3 --dtype $precision
      done
    done
    rm -rf "${scratch:?}/$name"
  done
done
