#!/bin/bash
# TEST timeout=300
# The emoji model's fp32 checkpoint, from which weights/emoji was made, against the reference with fp32's bounds. It is no part of
# the repository (39 MB), so this test runs only when a developer names its folder:
#
#     ATL_EMOJI=/path/to/emoji make check T=emoji-fp32
#
# The folder has dalle.pt, clip.pt, bpe.txt, in.safetensors and want.safetensors with all logits.
. tests/support/tap.sh
emoji=${ATL_EMOJI:?expected the folder of the fp32 checkpoint; ATL_EMOJI=DIR make check T=emoji-fp32}
emoji=$(realpath "$emoji") || exit 1
export ATL_EMOJI=$emoji
probe() { "$ATELIER" probe --model "$scratch/$1" --in "$2" --out "$3" "${@:4}"; }
compare() { "$BUILD/tests/tools/compare" "$@"; }

check "the checkpoint is converted as it ships" "$ATELIER" convert "$emoji/dalle.pt" "$emoji/clip.pt" --tokenizer "$emoji/bpe.txt" \
  --clip-tokenizer "$emoji/bpe.txt" --name emoji --storage f16 --out "$scratch/f16"
for part in model.json transformer.safetensors vae.safetensors clip.safetensors tokenizer.bpe.txt clip_tokenizer.bpe.txt; do
  check "the bytes that ship: $part" cmp "$scratch/f16/$part" "weights/emoji/$part"
done

check "the checkpoint is converted in fp32" "$ATELIER" convert "$emoji/dalle.pt" --clip "$emoji/clip.pt" --out "$scratch/fp32"
check "probe runs" probe fp32 "$emoji/in.safetensors" "$scratch/out"
check "greedy runs" probe fp32 "$emoji/in.safetensors" "$scratch/greedy" --greedy
# 1e-3: fp32 sums in another order than the reference's; trained weights, logits up to 40.
check "logits" compare "$emoji/want.safetensors" "$scratch/out" 1e-3 logits
check "greedy codes" compare "$emoji/want.safetensors" "$scratch/greedy" 0 greedy
check "pixels" compare "$emoji/want.safetensors" "$scratch/out" 1e-4 pixels
check "CLIP runs" probe fp32 "$ATL_FIXTURES/emoji/clip-in.safetensors" "$scratch/clip"
check "features" compare "$ATL_FIXTURES/emoji/clip-want.safetensors" "$scratch/clip" 2e-5 image_features text_features
check "scores" compare "$ATL_FIXTURES/emoji/clip-want.safetensors" "$scratch/clip" 5e-3 scores
# The unit tests run the checkpoint when $ATL_EMOJI names it.
for test in transformer_golden clip; do
  check "unit/$test with the checkpoint" "$BUILD/tests/unit/$test"
done
finish
