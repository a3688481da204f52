#!/bin/bash
# TEST timeout=400
# Bad checkpoints, models, pictures, plans and options: one message that says what was found and what to try, exit code 2, no
# output, no temporary file, nothing of the scratch folder changed; on several ranks the message comes once.
. tests/support/tap.sh
export LC_ALL=C
m=weights/emoji
golden=tests/golden

# A launch mostly waits, so several run at the same time. Each check has its own output folder and its own scratch copy of the
# model; its output is kept in a file and printed at the end.
mkdir "$scratch/checks"
most=$((2 * $(nproc) + 2))
checks() { printf '%s/checks/%04d' "$scratch" "$1"; }

# refuses NAME WORDS COMMAND...: the command prints one line, which contains all WORDS (separated by '|').
refuses() { refuses_on 1 "$@"; }
refuses_on() { # RANKS NAME WORDS COMMAND...
  local n=$1 name=$2 words=$3 base
  shift 3
  [ "$n" = 1 ] || name="$name, on $n ranks"
  tap_n=$((tap_n + 1))
  base=$(checks $tap_n)
  while [ "$(jobs -rp | wc -l)" -ge $most ]; do wait -n; done
  {
    mkdir "$base.mpi" && export OMPI_MCA_orte_tmpdir_base=$base.mpi # a launch that ends removes its session's folders
    if is_refused "$base" "$n" "$words" "$@" >"$base.said" 2>&1; then echo "ok $tap_n - $name"; else echo "not ok $tap_n - $name"; fi
    sed 's/^#* */# /' "$base.said"
  } >"$base" &
  next_out
}
is_refused() { # BASE RANKS WORDS COMMAND...
  local base=$1 n=$2 words=$3 code lines word
  shift 3
  ranks "$n" "$@" >"$base.stdout" 2>"$base.stderr" </dev/null
  code=$?
  # mpirun adds its own paragraphs when an exit code is not 0.
  if [ "$n" = 1 ]; then lines=$(grep -c . "$base.stderr"); else lines=$(grep -c '^atelier: ' "$base.stderr"); fi
  head -5 "$base.stderr"
  [ $code = 2 ] || { echo "exit code $code, expected 2" && return 1; }
  [ "$lines" = 1 ] || { echo "$lines lines, expected 1" && return 1; }
  [ ! -s "$base.stdout" ] || { echo "it wrote to standard output" && return 1; }
  [ ! -e "$out" ] || { echo "it left $out" && return 1; }
  while read -r -d'|' word; do
    grep -qF -- "$word" "$base.stderr" || { echo "it does not say: $word" && return 1; }
  done <<<"$words|"
}
next_out() { out=$scratch/out-$tap_n; }
next_out
# Prints the output of the checks so far, in their order.
collect() {
  wait
  cat "$scratch"/checks/[0-9][0-9][0-9][0-9]
  grep -q '^not ok' "$scratch"/checks/[0-9][0-9][0-9][0-9] && tap_failed=1
}
convert() { refuses "convert refuses $1" "$2" "$ATELIER" convert "${@:3}" --out "$out"; }

# ---- checkpoints ----
convert "a missing file" "no-such.pt|No such file" no-such.pt
: >"$scratch/empty.pt"
convert "an empty file" "empty.pt" "$scratch/empty.pt"
n_bytes=$(wc -c <$golden/convert/good.pt)
for part in 1 2 3 4; do
  head -c $((n_bytes * part / 5)) $golden/convert/good.pt >"$scratch/$part-cut.pt"
  convert "cut after $part/5" "cut.pt" "$scratch/$part-cut.pt"
done
for at in 0 120 $((n_bytes - 22)); do # good.pt is a zip: a header, its first file, where it ends
  cp $golden/convert/good.pt "$scratch/$at-flipped.pt"
  printf '\377\377\377\377' | dd of="$scratch/$at-flipped.pt" bs=1 seek="$at" conv=notrunc 2>/dev/null
  convert "damaged at byte $at" "flipped.pt" "$scratch/$at-flipped.pt"
done
convert "a damaged checksum" "checksum.pt" $golden/torchfile/checksum.pt
convert "a text" "Makefile" Makefile
convert "a folder" "$golden" $golden
layer=transformer.layers.layers.1.0
convert "a missing tensor" "missing.pt|$layer|to_qkv.weight|missing" $golden/convert/missing.pt
convert "a misshapen tensor, with both shapes" "misshapen.pt|$layer|to_qkv.weight|[18, 4]|[4, 18]" $golden/convert/misshapen.pt
convert "NaN in weights" "nan.pt|$layer|to_qkv.weight|nan|item 7" $golden/convert/nan.pt
convert "integers for weights" "integer.pt|to_logits.0.bias" $golden/convert/integer.pt
convert "sparse attention" "sparse.pt|sparse" $golden/convert/sparse.pt
convert "an option that nobody knows" "option.pt|mixture_of_experts" $golden/convert/option.pt
convert "a tensor that nobody knows" "extra.pt|norm_out.weight" $golden/convert/extra.pt
convert "OpenAI's dVAE" "openai.pt|OpenAI" $golden/convert/openai.pt
convert "a checkpoint with OpenAI's dVAE" "openai-inside.pt|OpenAI" $golden/convert/openai-inside.pt
convert "a VQGAN" "vqgan.pt|VQGAN" $golden/convert/vqgan.pt
convert "a checkpoint with a VQGAN" "vqgan-inside.pt|VQGanVAE" $golden/convert/vqgan-inside.pt
convert "a DeepSpeed checkpoint" "deepspeed.pt|DeepSpeed" $golden/convert/deepspeed.pt
for name in run-system run-system-4 run-eval run-getattr run-legacy run-load run-inner; do
  convert "a pickle that asks for code, $name" "$name.pt|asks to run" $golden/torchfile/$name.pt
done
convert "a pickle that grows without end" "bomb.pt" $golden/torchfile/bomb.pt
convert "a pickle nested without end" "deep.pt" $golden/torchfile/deep.pt

# ---- model directories ----
generate() { # NAME WORDS MODEL OPTIONS...
  refuses "generate refuses $1" "$2" "$ATELIER" generate --model "$3" --prompt "red heart" --samples 2 --quiet --out "$out" "${@:4}"
}
generate_on() { # RANKS NAME WORDS MODEL OPTIONS...
  refuses_on "$1" "generate on $1 ranks refuses $2" "$3" "$ATELIER" generate --model "$4" --prompt "red heart" --samples 2 --quiet --out "$out" "${@:5}"
}
# copy FILE: makes $bad a new model directory, in which FILE is a copy and the other files are links.
copy() {
  bad=$scratch/m-$tap_n
  mkdir "$bad"
  ln -s "$PWD/$m"/* "$bad"
  cp --remove-destination "$m/$1" "$bad/$1"
}
# replace FILE FROM TO: replaces text by text of the same length.
replace() { copy "$1" && sed -i "s/$2/$3/" "$bad/$1"; }

generate "a model that is not there" "expected a model directory|atelier convert" "$scratch/none"
mkdir "$scratch/bare"
generate "a folder without model.json" "no model.json" "$scratch/bare"
generate "a checkpoint for a model" "expected a model directory|atelier convert" $golden/convert/good.pt
copy model.json && head -c 500 $m/model.json >"$bad/model.json"
generate "a cut model.json" "model.json: expected JSON" "$bad"
replace model.json '"width": 256' '"width": 512'
generate "a width that the file does not have" "to_logits.0.weight|[512]|[256]" "$bad"
replace model.json '"conv_like"' '"sparse"'
generate "attention that cannot be computed" "sparse" "$bad"
replace model.json '"n_tokens": 1024' '"n_tokens": 512'
generate "a dVAE of another size" "1024 image tokens|512" "$bad"
replace model.json '"format": 1' '"format": 9'
generate "a format of the future" "format|found 9" "$bad"
replace model.json '"transformer.safetensors"' '"..\/emoji\/transformer.safetensors"'
generate "a file outside the model" "plain name" "$bad"
for file in transformer vae clip; do
  path() { echo "$bad/$file.safetensors"; }
  copy $file.safetensors && rm "$(path)"
  generate "no $file.safetensors" "$file.safetensors" "$bad"
  copy $file.safetensors && truncate -s -8 "$(path)"
  generate_on 3 "a truncated $file.safetensors" "$file.safetensors|truncated or corrupt" "$bad"
  copy $file.safetensors && head -c 7 $m/$file.safetensors >"$(path)"
  generate "7 bytes of $file.safetensors" "$file.safetensors|7 bytes" "$bad"
  copy $file.safetensors && printf '\377\377\377\377\377\377\377\177' | dd of="$(path)" conv=notrunc 2>/dev/null
  generate "$file.safetensors with a header of 2^63 bytes" "$file.safetensors" "$bad"
  copy $file.safetensors && printf 'nonsense' | dd of="$(path)" bs=1 seek=8 conv=notrunc 2>/dev/null
  generate "$file.safetensors with a header that is no JSON" "$file.safetensors" "$bad"
  # The end of the last tensor: a NaN in F16 and in F32, then an infinity in F32.
  copy $file.safetensors && truncate -s -2 "$(path)" && printf '\377\177' >>"$(path)"
  generate_on 3 "NaN in $file.safetensors" "$file.safetensors: tensor |nan|finite" "$bad"
  copy $file.safetensors && truncate -s -4 "$(path)" && printf '\000\000\200\177' >>"$(path)"
  generate "infinity in $file.safetensors" "$file.safetensors: tensor |finite" "$bad"
done
replace transformer.safetensors to_logits.1.weight to_logits.1.weighs
generate_on 3 "a missing tensor" "transformer.safetensors: tensor to_logits.1.weight is missing" "$bad"
replace transformer.safetensors '\[2072,256\]' '[256,2072]'
generate_on 3 "a misshapen tensor" "text_emb.weight|[2072, 256]|[256, 2072]" "$bad"
replace vae.safetensors codebook.weight codebook.weighs
generate_on 3 "a missing tensor of the dVAE" "vae.safetensors: tensor codebook.weight is missing" "$bad"
replace clip.safetensors ln_final.weight ln_final.weighs
generate_on 3 "a missing tensor of CLIP" "clip.safetensors: tensor ln_final.weight is missing" "$bad"
copy tokenizer.bpe.txt && rm "$bad/tokenizer.bpe.txt"
generate "no tokenizer" "tokenizer.bpe.txt is missing|--tokenizer" "$bad"
copy tokenizer.bpe.txt && cp Makefile "$bad/tokenizer.bpe.txt"
generate "a tokenizer that is none" "tokenizer.bpe.txt: expected a tokenizer" "$bad"
copy tokenizer.bpe.txt && head -c 3000 $m/tokenizer.bpe.txt >"$bad/tokenizer.bpe.txt"
generate "a cut tokenizer" "tokenizer.bpe.txt" "$bad"
copy clip_tokenizer.bpe.txt && head -c 3000 $m/clip_tokenizer.bpe.txt >"$bad/clip_tokenizer.bpe.txt"
generate "a cut tokenizer of CLIP" "clip_tokenizer.bpe.txt" "$bad"

# ---- prompts ----
long=$(printf 'word %.0s' $(seq 200))
prompt() { # NAME WORDS OPTIONS...
  refuses "generate refuses $1" "$2" "$ATELIER" generate --model $m --samples 1 --quiet --out "$out" "${@:3}"
}
prompt "a prompt that is too long" "prompt 1|400 tokens|takes 24|--truncate" --prompt "$long"
check "generate --truncate accepts a prompt that is too long" "$ATELIER" generate --model $m --samples 1 --quiet --out "$scratch/cut" --prompt "$long" --truncate
check "generate --truncate draws it" test -s "$scratch/cut/1/rank-001.png"
prompt "a negative prompt that is too long" "--negative|400 tokens|--truncate" --prompt a --guidance 2 --negative "$long"
prompt "a negative prompt that is not UTF-8" "--negative|UTF-8|0xff" --prompt a --guidance 2 --negative $'\xff'
prompt "a negative prompt without guidance" "--guidance" --prompt a --negative b
refuses_on 3 "generate on 3 ranks refuses an empty prompt" "empty" "$ATELIER" generate --model $m --quiet --out "$out" --prompt ""
refuses_on 3 "generate on 3 ranks refuses a prompt that is not UTF-8" "UTF-8|0xff" "$ATELIER" generate --model $m --quiet --out "$out" --prompt $'a\xffb'

# ---- priming ----
picture=$scratch/cut/1/rank-001.png
option() { generate "$1" "$2" $m "${@:3}"; }
option "a missing priming picture" "none.png|No such file" --prime "$scratch/none.png"
option "a text file as priming picture" "Makefile: expected a PNG picture" --prime Makefile
option "a folder as priming picture" "found a folder" --prime $m
printf '\377\330\377\340\000\020JFIF' >"$scratch/photo.jpg"
option "a JPEG as priming picture" "found a JPEG|convert it first" --prime "$scratch/photo.jpg"
head -c 300 "$picture" >"$scratch/cut.png"
option "a truncated PNG as priming picture" "cut.png|damaged" --prime "$scratch/cut.png"
cp "$picture" "$scratch/flipped.png"
printf '\000\377\000\377' | dd of="$scratch/flipped.png" bs=1 seek=$(($(wc -c <"$picture") - 40)) conv=notrunc 2>/dev/null
option "a damaged PNG as priming picture" "flipped.png|damaged" --prime "$scratch/flipped.png"
option "a prime of all tokens" "--prime-tokens 64|1 to 63" --prime "$picture" --prime-tokens 64
option "a prime of all rows" "--prime-rows 8|1 to 7" --prime "$picture" --prime-rows 8
option "a prime of 2^63 - 1 rows" "--prime-rows 9223372036854775807" --prime "$picture" --prime-rows 9223372036854775807
option "a prime of -1 tokens" "--prime-tokens -1" --prime "$picture" --prime-tokens -1
option "--prime-rows together with --prime-tokens" "--prime-tokens or --prime-rows" --prime "$picture" --prime-tokens 5 --prime-rows 5
option "--prime-rows without --prime" "--prime IMAGE" --prime-rows 3
generate_on 3 "a text file as priming picture" "Makefile: expected a PNG picture" $m --prime Makefile

# ---- plans ----
option "more stages than layers" "5 stages for 4 layers|--stages 4" --stages 5
option "more stages than ranks" "need 2 ranks, there are 1" --stages 2
option "more decoders than ranks" "99 decoders|--decoders" --decoders 99
option "too little memory" "MiB|1.0 MiB|--dtype bf16" --memory 1M
generate_on 3 "more stages than layers" "5 stages for 4 layers" $m --stages 5
generate_on 3 "pipelines x stages beyond the ranks" "2 pipelines of 2 stages need 4 ranks, there are 3" $m --stages 2 --pipelines 2
generate_on 3 "too little memory" "MiB|1.0 MiB" $m --memory 1M
option "stages that are not an integer" "--stages|'x'" --stages x
option "a negative number of stages" "--stages -1" --stages -1
option "a number that is too large" "99999999999999999999" --slots 99999999999999999999
option "a microbatch that is too large" "100000000" --microbatch 100000000
"$ATELIER" plan --model $m --ranks 4 --json >"$scratch/4.json"
"$ATELIER" plan --model $m --ranks 1 --json >"$scratch/1.json"
"$ATELIER" plan --model "$("$ATELIER" convert --random tiny --out "$scratch/tiny" >/dev/null && echo "$scratch/tiny")" --ranks 1 --json >"$scratch/tiny.json"
option "a plan for other ranks" "for 4 ranks, there are 1|atelier plan" --plan "$scratch/4.json"
option "a plan for other layers" "layers, the model has 4" --plan "$scratch/tiny.json"
option "a missing plan" "none.json" --plan "$scratch/none.json"
option "a plan that is not JSON" "expected JSON" --plan Makefile
option "a plan together with --stages" "--plan|leave out --stages" --plan "$scratch/1.json" --stages 1
for change in 's/"slots": [0-9]*/"slots": 1000000/' 's/"prefixes": [0-9]*/"prefixes": 2147483647/' 's/"ranks"/"tanks"/' \
  's/"coordinator_rank": 0/"coordinator_rank": 1/' 's/"decoders": 1/"decoders": 0/' 's/"stages": 1/"stages": 2/'; do
  sed "$change" "$scratch/1.json" >"$scratch/$tap_n-changed.json"
  option "a plan changed by $change" "changed.json" --plan "$scratch/$tap_n-changed.json"
done
generate_on 3 "a plan for other ranks" "for 4 ranks, there are 3" $m --plan "$scratch/4.json"

# ---- options ----
option "an unknown dtype" "--dtype int8|f32 or bf16" --dtype int8
option "an unknown kind of cache" "--kv int4|auto, f32, bf16 or int8" --kv int4
option "a dtype for storage only" "--dtype f16|f32 or bf16" --dtype f16
option "unknown kernels" "'cuda'|openblas" --kernels cuda
option "temperature 0" "--temperature 0: |greedy" --temperature 0
option "a temperature whose inverse is infinite" "--temperature 1e-39: |greedy" --temperature 1e-39
for value in -1 nan inf x ''; do option "temperature '$value'" "--temperature" --temperature "$value"; done
for value in 0 -0.5 1.01 nan; do option "top-p $value" "--top-p" --top-p $value; done
for value in -1 1.5 2147483648; do option "top-k $value" "--top-k" --top-k $value; done
option "filter-thres 1" "--filter-thres" --filter-thres 1
option "guidance nan" "--guidance" --guidance nan
option "a seed that is not an integer" "--seed" --seed 1.5
option "PNG level 10" "--png-level 10|0 to 9" --png-level 10
option "an extra argument" "'extra'" extra
generate_on 3 "an unknown option" "did you mean --samples?" $m --sample 3
generate_on 3 "an unknown dtype" "--dtype int8" $m --dtype int8

# ---- pictures without pixels ----
header='{"clip_rgb":{"dtype":"U8","shape":[1,0,4,3],"data_offsets":[0,0]}}'
{ printf "\\x$(printf %02x ${#header})\\0\\0\\0\\0\\0\\0\\0" && printf %s "$header"; } >"$scratch/flat.safetensors"
refuses "probe refuses pictures without rows" "flat.safetensors|clip_rgb|found 4 x 0" "$ATELIER" probe --model $m --in "$scratch/flat.safetensors" --out "$out"

collect
no_leftovers() { [ -z "$(find "$scratch" -name '*.tmp.*' -o -name '*.old.*' | head -1)" ]; }
check "no temporary file is left over" no_leftovers
finish
