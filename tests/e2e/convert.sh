#!/bin/sh
# convert and inspect, as a user runs them: every good fixture becomes a model directory that verifies; bad checkpoints are
# refused with exit code 2 and leave nothing. TAP; run from the repository root.
atelier=${ATELIER:-build/release/atelier}
fixtures=${ATL_FIXTURES:-tests/fixtures}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
n=0
failed=0

check() { # check WHAT COMMAND...: the command succeeds; what it printed is kept for `says`
  what=$1
  shift
  n=$((n + 1))
  if "$@" >"$work/out" 2>"$work/err"; then
    echo "ok $n - $what"
    [ -s "$work/out" ] && cp "$work/out" "$work/printed"
  else
    echo "not ok $n - $what"
    sed 's/^/# /' "$work/out" "$work/err"
    failed=1
  fi
}

refuses() { # refuses WHAT WORDS COMMAND...: the command exits with 2, says WORDS in one line, and nothing on stdout
  what=$1
  words=$2
  shift 2
  n=$((n + 1))
  "$@" >"$work/out" 2>"$work/err"
  code=$?
  if [ $code -eq 2 ] && grep -q -- "$words" "$work/err" && [ ! -s "$work/out" ] && [ "$(wc -l <"$work/err")" -eq 1 ]; then
    echo "ok $n - $what"
  else
    echo "not ok $n - $what (exit code $code)"
    sed 's/^/# /' "$work/err"
    failed=1
  fi
}

says() { grep -q -- "$1" "$work/printed"; }
absent() { [ ! -e "$1" ]; }
no_leftovers() { ! ls "$work"/*.tmp.* "$work"/*.old.* >/dev/null 2>&1; }
same_file() { cmp -s "$1" "$2"; }

golden=tests/golden/convert
check "a checkpoint is converted" "$atelier" convert $golden/good.pt --out "$work/tiny" --name little
check "converting prints the model's name" says "model little"
check "a converted model verifies" "$atelier" inspect --verify "$work/tiny"
check "inspect --verify lists the model's tensors" says "transformer/to_logits.1.weight"
refuses "an existing directory is left alone" "exists already" "$atelier" convert $golden/good.pt --out "$work/tiny"
check "an existing directory is replaced with --force" "$atelier" convert $golden/good.pt --out "$work/tiny/" --force --storage bf16
check "--storage bf16 is recorded in model.json" grep -q '"storage": "BF16"' "$work/tiny/model.json"

# --force replaces the files that the old model.json names and nothing else.
list() { find "$1" -printf '%P %s %T@\n' | sort; }
unchanged() { list "$1" | cmp -s - "$work/before"; }
cp -r "$work/tiny" "$work/v3" && ln -s v3 "$work/current" && list "$work/v3" >"$work/before"
refuses "--force does not replace a symbolic link" "symbolic link" "$atelier" convert $golden/good.pt --out "$work/current" --force
check "the model that a refused symbolic link points to is unchanged" unchanged "$work/v3"
check "a refused symbolic link is still a link" test -L "$work/current"
ln -s nowhere "$work/dangling"
refuses "--force does not replace a link that leads nowhere" "symbolic link" "$atelier" convert $golden/good.pt --out "$work/dangling" --force
mkdir "$work/v3/logs" && echo loss >"$work/v3/training.log" && list "$work/v3" >"$work/before"
refuses "--force does not replace a model directory with a subdirectory" "folder logs" "$atelier" convert $golden/good.pt --out "$work/v3" --force
check "a refused model directory with a subdirectory is unchanged" unchanged "$work/v3"
rmdir "$work/v3/logs"
force() { "$atelier" convert $golden/good.pt --out "$work/v3" --force --storage f16 2>"$work/said"; }
check "--force replaces a model directory with a file of another's" force
check "--force says that it keeps the other file" grep -q 'training.log is not part of the old model and is kept' "$work/said"
check "--force keeps the other file" grep -qx loss "$work/v3/training.log"
check "--force writes the new model" grep -q '"storage": "F16"' "$work/v3/model.json"
check "a model written with --force verifies" "$atelier" inspect --verify --brief "$work/v3"
echo mine >"$work/v3/tokenizer.bpe.txt" && list "$work/v3" >"$work/before"
refuses "--force does not overwrite a file of another's" "tokenizer.bpe.txt is not part of the old model" "$atelier" convert weights/emoji --out "$work/v3" --force
check "a model directory that --force refused is unchanged" unchanged "$work/v3"

cp "$work/tiny/vae.safetensors" "$work/keep"
printf 'x' | dd of="$work/tiny/vae.safetensors" bs=1 seek=2000 conv=notrunc 2>/dev/null
refuses "a changed file does not verify" "SHA-256" "$atelier" inspect --verify "$work/tiny"
cp "$work/keep" "$work/tiny/vae.safetensors"
check "with its file put back the model verifies" "$atelier" inspect --verify "$work/tiny"
for name in vqgan-inside openai-inside openai vqgan deepspeed sparse conv-old rotary-old option extra nan missing misshapen integer; do
  refuses "$name.pt is refused" "$golden/$name.pt" "$atelier" convert $golden/$name.pt --out "$work/bad"
done
check "refused checkpoints leave no directory" absent "$work/bad"
head -c 9000 $golden/good.pt >"$work/cut.pt"
refuses "a truncated checkpoint is refused" "cut.pt" "$atelier" convert "$work/cut.pt" --out "$work/bad"
refuses "a missing checkpoint is refused" "no-such.pt" "$atelier" convert no-such.pt --out "$work/bad"
refuses "a text file is refused as a checkpoint" "first bytes" "$atelier" convert Makefile --out "$work/bad"
mkdir "$work/dalle-ds-cp" && touch "$work/dalle-ds-cp/auxiliary.pt"
refuses "a DeepSpeed folder is refused by that name" "DeepSpeed" "$atelier" convert "$work/dalle-ds-cp" --out "$work/bad"
refuses "convert without --out is refused" "--out" "$atelier" convert $golden/good.pt
refuses "convert without a checkpoint is refused" "nothing to convert" "$atelier" convert --out "$work/bad"
refuses "an unknown --storage is refused" "f32, f16 or bf16" "$atelier" convert $golden/good.pt --out "$work/bad" --storage int8
refuses "a tokenizer with more ids than the model is refused" "knows only 3" "$atelier" convert $golden/good.pt --out "$work/bad" --tokenizer weights/emoji/tokenizer.bpe.txt
refuses "inspect without a file is refused" "expected a file" "$atelier" inspect
refuses "inspect refuses a file of unknown kind" "none that atelier can read" "$atelier" inspect Makefile
check "inspect reads a tokenizer" "$atelier" inspect weights/emoji/tokenizer.bpe.txt
check "inspect counts a tokenizer's ids" says "ids: 2048"
check "the shipped model verifies" "$atelier" inspect --verify --brief weights/emoji

for name in full mixed stable-shared reversible; do
  check "golden $name is converted" "$atelier" convert "$fixtures/golden/$name/dalle.pt" --out "$work/$name"
  check "golden $name verifies" "$atelier" inspect --verify "$work/$name"
done
check "CLIP's state dict is converted" "$atelier" convert "$fixtures/golden/clip-vit/clip.pt" --out "$work/clip"
check "CLIP's TorchScript archive is converted" "$atelier" convert "$fixtures/golden/clip-vit/clip-torchscript.pt" --out "$work/clip-script"
check "state dict and TorchScript archive become the same bytes" same_file "$work/clip/clip.safetensors" "$work/clip-script/clip.safetensors"
check "a CLIP in safetensors is converted" "$atelier" convert "$work/clip/clip.safetensors" --out "$work/clip-again"
check "a CLIP in safetensors becomes the same bytes" same_file "$work/clip/clip.safetensors" "$work/clip-again/clip.safetensors"
check "a DALLE and a CLIP are converted into one model in f16" "$atelier" convert "$fixtures/golden/mixed/dalle.pt" \
  --clip "$fixtures/golden/clip-vit/clip.pt" --storage f16 --out "$work/f16"
check "the model of DALLE and CLIP in f16 verifies" "$atelier" inspect --verify "$work/f16"
check "inspect reads a DALLE-pytorch checkpoint" "$atelier" inspect "$fixtures/golden/mixed/dalle.pt"
check "inspect prints its hyperparameters" says "attn_types: full, axial_row, axial_col, conv_like"
check "no temporary file is left over" no_leftovers
echo "1..$n"
exit $failed
