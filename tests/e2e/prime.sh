#!/bin/bash
# TEST timeout=600
# Priming: every candidate begins with the tokens of a picture, and continues as the model would after these tokens.
. tests/support/tap.sh
tools=$BUILD/tests/tools
m=weights/emoji
side=8 width=64 # codes and pixels a side

generate() { # ranks, folder, options
  OMP_NUM_THREADS=1 ranks "$1" "$ATELIER" generate --model $m --quiet --out "$scratch/$2" "${@:3}"
}
n_primed() { grep -o '"n_prime": [0-9]*' "$scratch/$1/run.json"; }

# The priming picture is drawn by the model itself, so that its tokens are likely ones.
check "a picture to prime with is drawn" generate 1 first --prompt "red heart" --samples 1 --greedy
picture=$scratch/first/1/rank-001.png
check "the picture is encoded" "$ATELIER" encode --model $m "$picture" --out "$scratch/codes"
check "the picture's tokens are decoded" "$ATELIER" decode --model $m --tokens "$scratch/codes" --out "$scratch/again"

# The picture that generate draws must equal the decoded tokens that probe draws from the same prime.
ids=$("$ATELIER" tokenize --model $m "snowman" | sed 's/.*"ids":\[\([0-9,]*\)\].*/\1/')
primed() { # NAME CODES OPTIONS...: options of generate
  local name=$1 n=$2 in=$scratch/in.$1 greedy=$scratch/greedy.$1
  check "$name: primed greedily" generate 1 "$name" --prompt snowman --samples 1 --greedy --prime "$picture" "${@:3}"
  check "$name: run.json counts $n primed tokens" test "$(n_primed "$name")" = "\"n_prime\": $n"
  check "$name: the input for probe is written" "$tools/tensors" "$in" "text=1x24:$ids" "prime=$scratch/codes:codes@$n"
  check "$name: probe draws the rest" "$ATELIER" probe --model $m --greedy --in "$in" --out "$greedy"
  check "$name: the first $n tokens are extracted" \
    "$tools/tensors" "$scratch/head" "head=$greedy:greedy@$n"
  check "$name: the first tokens are exactly the picture's" "$tools/compare" "$in" "$scratch/head" 0 prime=head
  # The direct computation: the whole picture is given, and every token must be the likeliest after those before it.
  check "$name: the drawn picture becomes a forced input" "$tools/tensors" "$in.forced" "text=1x24:$ids" "image=$greedy:greedy"
  check "$name: probe gives the logits of the drawn picture" "$ATELIER" probe --model $m --in "$in.forced" --out "$scratch/logits.$name"
  check "$name: every token is the likeliest" "$tools/argmax" "$scratch/logits.$name" "$greedy" "$n"
  check "$name: probe's tokens decode" decode_greedy "$name"
  check "$name: probe's tokens decode to the picture that generate drew" "$tools/pixels" "$scratch/$name/1/rank-001.png" "$scratch/decoded.$name/00001.png"
}
decode_greedy() {
  "$tools/tensors" "$scratch/decode.$1" "codes=$scratch/greedy.$1:greedy" &&
    "$ATELIER" decode --model $m --tokens "$scratch/decode.$1" --out "$scratch/decoded.$1"
}
primed default 28
primed rows 56 --prime-rows 7
primed tokens 13 --prime-tokens 13
primed most 63 --prime-tokens 63
primed least 1 --prime-tokens 1

# A pixel depends on tokens up to 4 rows away (two 3x3 convolutions and three of stride 2), so with 7 primed rows of tokens, the
# pixels of 3 are as in the reconstruction, whatever is drawn below.
check "7 primed rows: the top is the dVAE's reconstruction" "$tools/pixels" "$scratch/rows/1/rank-001.png" "$scratch/again/00001.png" \
  $((3 * width / side))
differs() { ! "$tools/pixels" "$@"; }
check "1 primed token: the top is not the dVAE's reconstruction" differs "$scratch/least/1/rank-001.png" "$scratch/again/00001.png"
check "1 primed token and 7 primed rows give different pictures" differs "$scratch/least/1/rank-001.png" "$scratch/rows/1/rank-001.png"

# Guided greedy drawing from the same prime, compared with the direct computations with and without text.
check "guided: probe draws the rest" "$ATELIER" probe --model $m --greedy --guidance 2 --in "$scratch/in.default" --out "$scratch/greedy.guided"
check "guided: the drawn picture becomes a forced input" "$tools/tensors" "$scratch/in.guided" "text=1x24:$ids" "image=$scratch/greedy.guided:greedy"
check "guided: the drawn picture becomes a forced input without text" "$tools/tensors" "$scratch/in.null" text=1x24: "image=$scratch/greedy.guided:greedy"
check "guided: probe gives the logits" "$ATELIER" probe --model $m --in "$scratch/in.guided" --out "$scratch/logits.guided"
check "guided: probe gives the logits without text" "$ATELIER" probe --model $m --in "$scratch/in.null" --out "$scratch/logits.null"
check "guided: every token is the likeliest" "$tools/argmax" "$scratch/logits.guided" "$scratch/greedy.guided" 28 "$scratch/logits.null" 2

# The layout changes nothing: priming, guidance and a negative text together.
layout() { # NAME RANKS OPTIONS
  check "$1" generate "$2" "$1" --prompt "red heart" --prompt "flag, belgium" --samples 5 --top 5 --seed 3 --guidance 2 \
    --negative "blue face" --prime "$picture" --prime-rows 3 "${@:3}"
}
digests() { (cd "$scratch/$1" && find . -name '*.png' -o -name results.jsonl | sort | xargs sha256sum); }
layout ranks-1 1
check "primed, guided, with a negative text: ten pictures" test "$(digests ranks-1 | grep -c rank-)" = 10
for run in "ranks-2 2 --stages 2" "ranks-3 3 --stages 3 --microbatch 2" "ranks-4 4" "ranks-4-pipelines 4 --stages 2 --pipelines 2 --decoders 2" \
  "microbatch-1 1 --microbatch 1 --slots 3"; do
  # shellcheck disable=SC2086
  layout $run
  check "$run: the same pictures, scores and positions" test "$(digests "${run%% *}")" = "$(digests ranks-1)"
done

# The drawn tokens do not depend on the number of ranks either.
for n in 2 4; do
  check "primed probe runs on $n ranks" ranks $n "$ATELIER" probe --model $m --greedy --in "$scratch/in.default" --out "$scratch/greedy.$n"
  check "primed probe draws the same tokens on $n ranks" cmp "$scratch/greedy.default" "$scratch/greedy.$n"
done
finish
