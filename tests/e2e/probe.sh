#!/bin/bash
# TEST timeout=300
# probe, with the reference implementation's checkpoints, gives the reference's values, and the same bytes on 1 to 4 ranks.
. tests/support/tap.sh
probe() { # ranks, model, input, output, options
  ranks "$1" "$ATELIER" probe --model "$2" --in "$3" --out "$4" "${@:5}"
}
compare() { "$BUILD/tests/tools/compare" "$@"; }

for name in full mixed stable-shared reversible; do
  golden=$ATL_FIXTURES/golden/$name
  m=$(model $name)
  for n in 1 2 3 4; do
    out=$scratch/$name.$n
    check "$name on $n ranks: probe runs" probe $n "$m" "$golden/in.safetensors" "$out"
    check "$name on $n ranks: probe runs without text" probe $n "$m" "$golden/in-null.safetensors" "$out.null"
    check "$name on $n ranks: greedy runs" probe $n "$m" "$golden/in.safetensors" "$out.greedy" --greedy
    check "$name on $n ranks: guided greedy runs" probe $n "$m" "$golden/in.safetensors" "$out.guided" --greedy --guidance 3
    for kind in '' .null .greedy .guided; do
      [ $n = 1 ] || check "$name on $n ranks: same bytes as on 1 rank${kind:+, $kind}" cmp "$scratch/$name.1$kind" "$out$kind"
    done
  done
  # 2e-4: fp32 sums of up to a few hundred terms are added in another order than the reference's; logits up to 12.
  check "$name: logits" compare "$golden/want.safetensors" "$scratch/$name.1" 2e-4 logits
  check "$name: logits without text" compare "$golden/want.safetensors" "$scratch/$name.1.null" 2e-4 null_logits=logits
  check "$name: greedy codes" compare "$golden/want.safetensors" "$scratch/$name.1.greedy" 0 greedy
  check "$name: guided greedy codes" compare "$golden/want.safetensors" "$scratch/$name.1.guided" 0 guided_greedy_3=greedy
  # 1e-4: pixels are of order 1 and come from a few convolutions.
  check "$name: pixels" compare "$golden/want.safetensors" "$scratch/$name.1" 1e-4 pixels
  check "$name: codes of pictures" compare "$golden/want.safetensors" "$scratch/$name.1" 0 rgb_codes
done

# The model that ships. Its matrices are rounded to f16, with a relative error of up to 2^-12 per weight, which changes logits by
# up to 0.017, pixels by 0.001, features by 0.0001 and scores by 0.006 (measured). The tolerances are three times that, twice for
# pixels. The smallest margin of the greedy tokens is 3.3. tests/extra/emoji-fp32.sh tests the fp32 checkpoint within fp32's
# tolerances.
emoji=$ATL_FIXTURES/emoji
m=weights/emoji
for n in 1 2 3 4; do
  check "emoji on $n ranks: probe runs" probe $n "$m" "$emoji/in.safetensors" "$scratch/emoji.$n"
  check "emoji on $n ranks: greedy runs" probe $n "$m" "$emoji/in.safetensors" "$scratch/emoji.$n.greedy" --greedy
  for kind in '' .greedy; do
    [ $n = 1 ] || check "emoji on $n ranks: same bytes as on 1 rank${kind:+, $kind}" cmp "$scratch/emoji.1$kind" "$scratch/emoji.$n$kind"
  done
done
check "emoji: every 12th row of the logits" "$BUILD/tests/tools/tensors" "$scratch/emoji.thin" "logits=$scratch/emoji.1:logits%12"
check "emoji: logits" compare "$emoji/want.safetensors" "$scratch/emoji.thin" 0.05 logits
check "emoji: greedy codes" compare "$emoji/want.safetensors" "$scratch/emoji.1.greedy" 0 greedy
check "emoji: pixels" compare "$emoji/want.safetensors" "$scratch/emoji.1" 2e-3 pixels
check "emoji: codes of pictures" compare "$emoji/want.safetensors" "$scratch/emoji.1" 0 rgb_codes
check "emoji: CLIP runs" probe 1 "$m" "$emoji/clip-in.safetensors" "$scratch/emoji.clip"
check "emoji: features" compare "$emoji/clip-want.safetensors" "$scratch/emoji.clip" 3e-4 image_features text_features
check "emoji: scores" compare "$emoji/clip-want.safetensors" "$scratch/emoji.clip" 0.02 scores

for file in clip.pt clip-torchscript.pt; do
  golden=$ATL_FIXTURES/golden/clip-vit
  check "$file is converted" "$ATELIER" convert --clip "$golden/$file" --out "$scratch/$file"
  for input in "$golden"/in-*.safetensors; do
    size=$(basename "$input" .safetensors | cut -c4-)
    out=$scratch/clip.$file.$size
    check "$file $size: probe runs" probe 1 "$scratch/$file" "$input" "$out"
    check "$file $size: preprocessing" compare "$golden/want-$size.safetensors" "$out" 1e-6 preprocessed
    check "$file $size: features" compare "$golden/want-$size.safetensors" "$out" 2e-5 image_features text_features
    check "$file $size: scores" compare "$golden/want-$size.safetensors" "$out" 5e-3 scores
  done
done
finish
