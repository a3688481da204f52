#!/bin/bash
# TEST np=1
# Bad prompts and output folders: one clear message on stderr, exit code 2, no output folder, no crash.
atelier=${ATELIER:-build/release/atelier}
model=${MODEL:-weights/emoji}
n=0 failed=0

if ! "$atelier" generate --help >/dev/null 2>&1; then
  echo "ok 1 # SKIP $atelier has no generate"
  echo 1..1
  exit 0
fi
if [ ! -f "$model/model.json" ]; then
  echo "ok 1 # SKIP no model in $model"
  echo 1..1
  exit 0
fi
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT

report() { # SUCCESS NAME
  n=$((n + 1))
  if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; failed=1; fi
}

# refuses NAME WORDS ARGUMENTS...: generate ARGUMENTS exits with code 2 and prints one line, which contains WORDS.
refuses() {
  local name=$1 words=$2 code
  shift 2
  "$atelier" generate --model "$model" "$@" >"$folder/stdout" 2>"$folder/stderr" </dev/null
  code=$?
  local lines
  lines=$(grep -c . "$folder/stderr")
  if [ $code = 2 ] && [ "$lines" = 1 ] && grep -qF -- "$words" "$folder/stderr" && [ ! -e "$folder/out" ]; then
    report 0 "generate refuses $name"
  else
    report 1 "generate refuses $name"
    echo "# exit code $code (2 expected), $lines lines (1 expected) with: $words"
    sed 's/^/# /' "$folder/stderr" | head -5
  fi
}

# prompts FORMAT: writes the file of prompts.
prompts() { printf "$1" >"$folder/prompts"; }
out="$folder/out"

refuses "no prompt at all" "--prompt TEXT or --prompts FILE" --out "$out"
refuses "an empty prompt" "expected a prompt, found an empty one" --prompt "" --out "$out"
refuses "a prompt that is not UTF-8" "expected UTF-8, found byte 0xff" --prompt $'a\xffb' --out "$out"
refuses "a missing file of prompts" "$folder/missing" --prompts "$folder/missing" --out "$out"
refuses "a folder as file of prompts" "$folder" --prompts "$folder" --out "$out"
prompts ''
refuses "an empty file" "found an empty file" --prompts "$folder/prompts" --out "$out"
prompts '\n  \n'
refuses "a file of empty lines" "found only empty lines" --prompts "$folder/prompts" --out "$out"
prompts 'good\nb\xc3d\n'
refuses "a file that is not UTF-8" "line 2: expected UTF-8" --prompts "$folder/prompts" --out "$out"
prompts '{"prompt": "a"}\n{"prompt": }\n'
refuses "a line that is not valid JSON" "line 2: expected JSON" --prompts "$folder/prompts" --out "$out"
prompts '{"prompt": "a", "sampels": 3}\n'
refuses "an unknown key" 'found "sampels"' --prompts "$folder/prompts" --out "$out"
prompts '{"prompt": "a", "samples": 0}\n'
refuses "a prompt line with 0 samples" "samples" --prompts "$folder/prompts" --out "$out"
prompts '{"prompt": "a", "id": "x"}\n{"prompt": "b", "id": "x"}\n'
refuses "two equal ids" "expected a distinct id for every prompt" --prompts "$folder/prompts" --out "$out"
prompts 'a\nb\n'
refuses "a shard beyond the number of shards" "--shard" --prompts "$folder/prompts" --shard 3/2 --out "$out"
refuses "a shard without prompts" "expected a prompt for every shard" --prompts "$folder/prompts" --shard 3/3 --out "$out"
refuses "--samples 0" "samples" --prompt a --samples 0 --out "$out"
refuses "--top 0" "--top" --prompt a --top 0 --out "$out"
refuses "a negative seed" "--seed -1: expected 0 or more" --prompt a --seed -1 --out "$out"
refuses "a negative prompt that is not UTF-8" "--negative: expected UTF-8, found byte 0xff" --prompt a --guidance 2 --negative $'a\xffb' --out "$out"
refuses "a negative prompt above 64 KiB" "--negative: expected at most 65536 bytes" --prompt a --guidance 2 --truncate \
  --negative "$(printf '%070000d' 1)" --out "$out"
refuses "a priming picture's path that is not UTF-8" "--prime: expected UTF-8" --prompt a --prime $'a\xffb.png' --out "$out"
cp -rL "$model" "$folder"/$'m\xff'
refuses "a model directory's path that is not UTF-8" "--model: expected UTF-8" --prompt a --model "$folder"/$'m\xff' --out "$out"
"$atelier" convert --random tiny,layers=2,text_ids=600 --tokenizer tests/golden/tokenizer/bytes.json --out "$folder/other" >/dev/null
cp "$model/tokenizer.bpe.txt" "$folder/other/tokenizer.json"
refuses "a tokenizer with more ids than the transformer" "has 2048 ids but the transformer knows only 600" --model "$folder/other" --prompt a --no-rank --out "$out"
refuses "an unknown option" "did you mean --samples?" --prompt a --sample 3 --out "$out"

mkdir "$folder/full"
touch "$folder/full/file"
refuses "an output folder that exists" "expected a new or empty folder" --prompt a --out "$folder/full"
refuses "an output folder that is a file" "found a file of that name" --prompt a --out "$folder/full/file"
refuses "an output folder in a file" "is a file" --prompt a --out "$folder/full/file/out"
ln -s "$folder/nowhere" "$folder/dangling"
refuses "an output folder that is a dangling link" "leads nowhere" --prompt a --out "$folder/dangling"
refuses "an output folder below a dangling link" "leads nowhere" --prompt a --out "$folder/dangling/out"
refuses "an output folder in /proc" "cannot be created in /proc" --prompt a --out /proc/x
name=$(printf '%0256d' 0)
refuses "an output folder whose name has 256 bytes" "expected names of at most 255 bytes, found one of 256" --prompt a --out "$folder/$name"
refuses "a long name deep down" "expected names of at most 255 bytes" --prompt a --out "$folder/new/$name/out"
refuses "an output folder whose path is too long" "expected a path of at most" --prompt a --out "$folder$(printf '/%0200d' {1..20})"
report "$([ ! -e "$folder/nowhere" ] && [ ! -e "$folder/new" ] && [ -z "$(ls -d "$folder"/000* 2>/dev/null)" ] && [ -z "$(find "$folder" -mindepth 1 -maxdepth 1 -name '.*' -print -quit)" ]; echo $?)" \
  "bad output folders leave nothing behind"
if [ "$(id -u)" = 0 ]; then
  n=$((n + 1))
  echo "ok $n - an output folder without permission # SKIP root may write everywhere"
else
  mkdir "$folder/locked"
  chmod a-w "$folder/locked"
  refuses "an output folder without permission" "choose another --out" --prompt a --out "$folder/locked/out"
fi
report "$([ "$(ls -A "$folder/full")" = file ]; echo $?)" "nothing was written into a folder that exists"
echo 1..$n
exit $failed
