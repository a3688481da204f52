#!/bin/bash
# TEST timeout=200
# The commands that need no ranks, as a user runs them: --help, plan, bench, tokenize, inspect.
. tests/support/tap.sh
m=weights/emoji
export XDG_CACHE_HOME=$scratch/cache # plans from estimates alone, whatever other tests have measured

says() { # WORDS COMMAND...: the command succeeds and says WORDS
  local words=$1
  shift
  "$@" >"$scratch/out" 2>&1 || { cat "$scratch/out" && return 1; }
  grep -qF -- "$words" "$scratch/out" || { cat "$scratch/out" && echo "not said: $words" && return 1; }
}
refuses() { # WORDS COMMAND...: exits with code 2 and prints one line, which contains WORDS
  local words=$1 code
  shift
  "$@" >"$scratch/out" 2>"$scratch/err"
  code=$?
  [ $code = 2 ] && [ "$(grep -c . "$scratch/err")" = 1 ] && grep -qF -- "$words" "$scratch/err" && return 0
  echo "exit code $code, to say: $words" && cat "$scratch/err" && return 1
}

# ---- help ----
version=$(sed -n 's/^#define ATL_VERSION "\(.*\)"/\1/p' common/version.h)
check "--version prints the version" says "atelier $version" "$ATELIER" --version
check "--help lists the commands" says "usage: atelier COMMAND" "$ATELIER" --help
for command in $("$ATELIER" --help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
  check "$command --help prints its usage" says "usage: atelier $command " "$ATELIER" "$command" --help
  check "$command refuses an unknown option" refuses "no option --nonsense" "$ATELIER" "$command" --nonsense
done
check "an unknown command is refused" refuses "unknown command 'paint'" "$ATELIER" paint

# ---- plan ----
plan() { "$ATELIER" plan --model $m "$@"; }
compact() { tr -d ' \n' <"$1"; }
check "plan: prints a table" says "8 ranks: " plan --ranks 8
check "plan: --simulate simulates" says "simulated: " plan --ranks 8 --samples 64 --simulate --jitter 0.2
check "plan: --simulate with stages reports fill and drain" says "fill and drain" plan --ranks 6 --stages 3 --samples 64 --guidance 2 --simulate
check "plan: keeps the requested stages and pipelines" says "4 ranks: 2 pipelines of 2 stages" plan --ranks 4 --stages 2 --pipelines 2
plan --ranks 4 --stages 2 --pipelines 2 --decoders 2 --slots 3 --microbatch 5 --json >"$scratch/plan.json"
check "plan: --json prints the plan" grep -q '"pipelines":2,"stages":2,"decoders":2,"slots":3,"microbatch":5' <(compact "$scratch/plan.json")
plan --ranks 4 --plan "$scratch/plan.json" --json >"$scratch/again.json"
without_reason() { sed 's/,"reason".*//' <(compact "$1"); }
check "plan: a plan read back is the same" test "$(without_reason "$scratch/plan.json")" = "$(without_reason "$scratch/again.json")"
run_planned() { ranks 4 "$ATELIER" generate --model $m --prompt heart --samples 4 --quiet --out "$scratch/run" --plan "$scratch/plan.json"; }
check "plan: generate --plan runs" run_planned
check "plan: run.json of generate --plan has the plan" grep -q '"microbatch":5,.*as read from' <(compact "$scratch/run/run.json" | sed 's/asreadfrom/as read from/')
shape=layers=64,width=3968,heads=62,text=256,side=32,text-ids=16384,codes=8192
check "plan: --shape plans without a model" says "64 layers of width 3968" "$ATELIER" plan --shape $shape --ranks 256 --memory 64G --cores 32 --dtype bf16
check "plan: gives memory as the reason for stages" says "fewer stages need more memory than a rank has" "$ATELIER" plan --shape $shape --ranks 16 --memory 8G --cores 32 --dtype bf16
check "plan: refuses too little memory" refuses "and has 1024.0 MiB" "$ATELIER" plan --shape $shape --ranks 2 --memory 1G
# The paper's model on 4096 ranks. The bounds follow from its 12 billion parameters: each of 131072 images takes at least
# 2 x 12e9 x 1024 operations; on 4096 x 16 cores with 50e9 operations per second that is 16 minutes (980 s).
paper() { timeout 30 "$ATELIER" plan --shape dalle-12b --dtype bf16 --ranks 4096 --cores 16 --memory 16G --prompt-count 256 --samples 512 --simulate "$@"; }
check "plan: plans the paper's model on 4096 ranks" says "4096 ranks: " paper
check "plan: the paper's model, efficiency is printed" grep -q "efficiency: [0-9.]* % of the stages' time is work, [0-9.]* % of all ranks'" "$scratch/out"
check "plan: the paper's model, waiting is printed" grep -q "waiting: imbalance [0-9.]* %, slots [0-9.]* %, fill and drain [0-9.]* %, tail [0-9.]* %" "$scratch/out"
check "plan: the paper's model, bytes are printed" grep -q "fullest rank: 1[0-9.]* GiB; a candidate in flight takes 2[0-9.]* MiB" "$scratch/out"
paper --json >"$scratch/paper.json"
number() { sed -n "s/.*\"$1\": \([0-9.e+-]*\).*/\1/p" "$scratch/paper.json" | tail -1; }
check "plan: the paper's model, time is between 1 and 4 times the bound" awk -v s="$(number seconds)" 'BEGIN { exit !(s > 980 && s < 4 * 980) }'
check "plan: the paper's model, throughput fits the time" awk -v s="$(number seconds)" -v r="$(number images_per_second)" 'BEGIN { exit !(r * s > 131000 && r * s < 131144) }'
check "plan: the paper's model, efficiency is above 0.8" awk -v e="$(number rank_efficiency)" 'BEGIN { exit !(e > 0.8 && e < 1) }'
check "plan: --memory without a unit is refused" refuses "0.5G" plan --memory 0.5
check "plan: without a model or shape is refused" refuses "--model DIR" "$ATELIER" plan --ranks 2
check "plan: an unknown key in --shape is refused" refuses "heigth" "$ATELIER" plan --shape heigth=3 --ranks 2
printf 'a\nb\n' >"$scratch/prompts"
check "plan: --prompts counts the file's prompts" says "16 images of 2 prompts" plan --prompts "$scratch/prompts" --samples 8
check "plan: --ranks 0 is refused" refuses "--ranks 0" plan --ranks 0
check "plan: more stages than ranks are refused" refuses "need 3 ranks, there are 2" plan --ranks 2 --stages 3

# ---- convert --random ----
random() { "$ATELIER" convert --random "$@"; }
draw() { "$ATELIER" generate --model "$scratch/$1" --prompt heart --samples 1 --quiet --out "$scratch/$1.run" 2>/dev/null; }
check "random: converts a random model" says "model wild" random tiny,text_ids=2048 --tokenizer $m/tokenizer.bpe.txt --name wild --out "$scratch/wild"
check "random: the model draws" draw wild
check "random: --clip-tokenizer without CLIP is refused" refuses "--clip-tokenizer" random tiny --clip-tokenizer $m/tokenizer.bpe.txt --out "$scratch/none"
check "random: a tokenizer of another model is refused" refuses "another model" random tiny --tokenizer $m/tokenizer.bpe.txt --out "$scratch/none"
check "random: a checkpoint is refused" refuses "no checkpoint, found x.pt" random tiny --vae x.pt --out "$scratch/none"
check "random: --force is refused" refuses "--force" random tiny --force --out "$scratch/wild"
check "random: refused commands leave no folder" test ! -e "$scratch/none"

# ---- tokenize ----
check "tokenize: tokenizes its arguments" says '{"text":"red heart","ids":[761,582],"decoded":"red heart "}' "$ATELIER" tokenize --model $m "red heart"
check "tokenize: reads a tokenizer file" says '"ids":[761,582]' "$ATELIER" tokenize --tokenizer $m/tokenizer.bpe.txt "red heart"
check "tokenize: --clip uses CLIP's tokenizer" says '"ids":[761,582]' "$ATELIER" tokenize --model $m --clip "red heart"
lines() { # INPUT as printf takes it
  # shellcheck disable=SC2059
  printf "$1" | "$ATELIER" tokenize --model $m
}
check "tokenize: tokenizes lines of standard input" test "$(lines 'red heart\r\n\nred heart' | grep -c '"ids":\[761,582\]')" = 2
check "tokenize: an empty line has no ids" says '{"text":"","ids":[],"decoded":""}' lines 'red\n\nheart\n'
check "tokenize: a NUL byte is refused" refuses "line 2: expected text, found a NUL byte" lines 'red\na\0b\n'
check "tokenize: text that is not UTF-8 is refused" refuses "0xff" lines 'a\377b\n'
check "tokenize: without a tokenizer is refused" refuses "--model" "$ATELIER" tokenize red
check "tokenize: a file that is not a tokenizer is refused" refuses "Makefile" "$ATELIER" tokenize --tokenizer Makefile red

# ---- bench: its output, not its times ----
bench() { OMP_NUM_THREADS=1 "$ATELIER" bench --model $m --rows 1 --batch 1 --seconds 0.001 "$@"; }
check "bench: measures kernels" says "linear to_qkv plain rows=1" bench --only linears --kernels plain,openblas
check "bench: measures a step" says "step batch=1" bench --only steps --json "$scratch/bench.json"
check "bench: --json writes entries" grep -q '"entries"' "$scratch/bench.json"
check "bench: --compare reads an earlier file" says "step batch=1" bench --only steps --compare "$scratch/bench.json"
check "bench: measures images" says "dvae decode" bench --only images,sampling
check "bench: an unknown part of --only is refused" refuses "nonsense" bench --only nonsense
check "bench: --rows that are not integers are refused" refuses "--rows" bench --rows x

# ---- inspect ----
check "inspect: lists a model" says "transformer" "$ATELIER" inspect $m
check "inspect: lists a safetensors file" says "codebook.weight" "$ATELIER" inspect $m/vae.safetensors
check "inspect: lists a checkpoint" says "to_qkv" "$ATELIER" inspect tests/golden/convert/good.pt
check "inspect: a missing file is refused" refuses "none.pt" "$ATELIER" inspect none.pt
finish
