#!/bin/bash
# TEST timeout=300
# Compares the emoji model's fp32 checkpoint, from which weights/emoji was made, with the reference, within fp32 tolerances. The
# checkpoint is not in the repository (39 MB), so this test runs only when a developer names its folder:
#
#     ATL_EMOJI=/path/to/emoji make check T=emoji-fp32
#
# The folder holds dalle.pt, clip.pt, bpe.txt, in.safetensors, and want.safetensors with all logits.
. tests/support/tap.sh
emoji=${ATL_EMOJI:?expected the folder of the fp32 checkpoint; ATL_EMOJI=DIR make check T=emoji-fp32}
emoji=$(realpath "$emoji") || exit 1
export ATL_EMOJI=$emoji
probe() { "$ATELIER" probe --model "$scratch/$1" --in "$2" --out "$3" "${@:4}"; }
compare() { "$BUILD/tests/tools/compare" "$@"; }

check "the checkpoint is converted to f16, as it ships" "$ATELIER" convert "$emoji/dalle.pt" "$emoji/clip.pt" --tokenizer "$emoji/bpe.txt" \
  --clip-tokenizer "$emoji/bpe.txt" --name emoji --storage f16 --out "$scratch/f16"
for part in model.json transformer.safetensors vae.safetensors clip.safetensors tokenizer.bpe.txt clip_tokenizer.bpe.txt; do
  check "$part has the bytes that ship" cmp "$scratch/f16/$part" "weights/emoji/$part"
done

check "the checkpoint is converted in fp32" "$ATELIER" convert "$emoji/dalle.pt" --clip "$emoji/clip.pt" --out "$scratch/fp32"
check "probe runs with the fp32 model" probe fp32 "$emoji/in.safetensors" "$scratch/out"
check "probe --greedy runs with the fp32 model" probe fp32 "$emoji/in.safetensors" "$scratch/greedy" --greedy
# 1e-3: fp32 sums are added in another order than the reference's; trained weights give logits up to 40.
check "logits agree with the reference" compare "$emoji/want.safetensors" "$scratch/out" 1e-3 logits
check "greedy tokens equal the reference's" compare "$emoji/want.safetensors" "$scratch/greedy" 0 greedy
check "pixels agree with the reference" compare "$emoji/want.safetensors" "$scratch/out" 1e-4 pixels
check "probe runs with CLIP inputs" probe fp32 "$ATL_FIXTURES/emoji/clip-in.safetensors" "$scratch/clip"
check "CLIP features agree with the reference" compare "$ATL_FIXTURES/emoji/clip-want.safetensors" "$scratch/clip" 2e-5 image_features text_features
check "CLIP scores agree with the reference" compare "$ATL_FIXTURES/emoji/clip-want.safetensors" "$scratch/clip" 5e-3 scores
# These unit tests also run with the checkpoint when $ATL_EMOJI names it.
for test in transformer_golden clip; do
  check "unit/$test with the checkpoint" "$BUILD/tests/unit/$test"
done
finish
