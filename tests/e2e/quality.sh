#!/bin/bash
# TEST timeout=200
# The cost of fewer bits: given the same prompt and the same tokens so far, the likeliest next token is that of fp32, and the
# logits are near fp32's. Compared over whole pictures of a trained model: those that fp32 draws greedily for the fixture's
# prompts, for captions the model has not seen, and for these with guidance, which gives other pictures.
. tests/support/tap.sh
emoji=$ATL_FIXTURES/emoji
m=weights/emoji
text_length=24 image_length=64 n_unseen=26
probe() { "$ATELIER" probe --model "$m" --in "$1" --out "$2" "${@:3}"; }
tensors() { "$BUILD/tests/tools/tensors" "$@"; }

# Ids of the unseen captions, one row each, padded with zeros.
head -$n_unseen $m/heldout.txt | "$ATELIER" tokenize --model "$m" |
  sed 's/.*"ids":\[\([0-9,]*\)\].*/\1/' | tr , ' ' >"$scratch/ids"
ids=$(awk -v n=$text_length '{ for (i = 1; i <= n; i++) printf "%d,", $i }' "$scratch/ids")
check "$n_unseen captions are tokenized" test "$(wc -l <"$scratch/ids")" = $n_unseen
tensors "$scratch/unseen.in" "text=${n_unseen}x$text_length:$ids"

# draw SET TEXTS OPTIONS...: draws pictures, and computes their logits in fp32.
sets=()
draw() {
  sets+=("$1")
  check "$1 pictures: fp32 draws" probe "$2" "$scratch/$1.greedy" --greedy "${@:3}"
  tensors "$scratch/$1.forced" "text=$2:text" "image=$scratch/$1.greedy:greedy"
  check "$1 pictures: fp32 logits" probe "$scratch/$1.forced" "$scratch/$1.f32"
}
draw known "$emoji/in.safetensors"
draw unseen "$scratch/unseen.in"
draw guided "$scratch/unseen.in" --guidance 3

# quality NAME PERCENT ERROR OPTIONS...: the likeliest token agrees in at least PERCENT of the positions, and the relative error
# of the logits is at most ERROR.
quality() {
  for set in "${sets[@]}"; do
    check "$1, $set pictures: logits" probe "$scratch/$set.forced" "$scratch/$set.logits" "${@:4}"
    check "$1, $set pictures: agrees with fp32" "$BUILD/tests/tools/agreement" "$scratch/$set.f32" "$scratch/$set.logits" \
      $image_length "$2" "$3"
  done
}
# bf16 keeps 8 bits. A product of two rounded values has an error of 2^-9 sqrt(2/3) = 0.16 % (root mean square), a sum of many
# products no more, and the independent errors of 8 sublayers add up to sqrt(8) times that: 0.46 %. Twice that is allowed.
quality bf16 97 0.0092 --dtype bf16
# int8 stores a key or value to within 1/254 of the largest of its head's 64 values, which is about 2.5 times their root mean
# square: an error of 2.5/254/sqrt(3) = 0.57 %. Scores and sums average over many of them, so the remaining error must stay below
# that of bf16, 0.46 %; together with bf16's own error it is the root of the sum of both squares.
quality "int8 beside f32" 97 0.0046 --kv int8
quality "int8 beside bf16" 97 0.0103 --dtype bf16 --kv int8
finish
