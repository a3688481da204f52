#!/bin/bash
# TEST timeout=120
# The program's surroundings: its process name, loaders and valgrind, output that cannot be written, environment variables,
# hostile text in messages, and what make demo may remove.
. tests/support/tap.sh
. scripts/mpi-env.sh
m=weights/emoji
unset GOMP_SPINCOUNT OMP_WAIT_POLICY SLURM_JOB_ID # so that the program starts itself once more

# ---- name and loader ----
mkfifo "$scratch/input"
"$ATELIER" tokenize --model $m <"$scratch/input" >"$scratch/tokens" &
pid=$!
exec 7>"$scratch/input"
echo heart >&7
name_is() { # PID NAME, once it has printed
  for _ in $(seq 100); do
    [ "$(cat "/proc/$1/comm")" = "$2" ] && return 0
    sleep 0.1
  done
  cat "/proc/$1/comm"
  return 1
}
check "the process is called atelier" name_is $pid atelier
exec 7>&-
check "the process reads its input to the end" wait $pid
loader=$(readelf -p .interp "$ATELIER" 2>/dev/null | sed -n 's/.* \(\/.*\)$/\1/p')
loaded() { "$loader" "$ATELIER" --version | grep -q '^atelier '; }
if [ -x "$loader" ]; then check "the program runs when started through the loader" loaded; else skip "no loader is found"; fi
on_valgrind() { valgrind -q --tool=none "$ATELIER" --version | grep -q '^atelier '; }
if ! command -v valgrind >/dev/null; then
  skip "no valgrind here"
elif nm "$ATELIER" 2>/dev/null | grep -q __asan_init; then
  skip "a sanitised program does not run on valgrind"
else
  check "the program starts on valgrind" on_valgrind
fi

# ---- standard output that cannot be written ----
"$ATELIER" generate --model $m --prompt heart --samples 1 --quiet --out "$scratch/run" >/dev/null
picture=$scratch/run/1/rank-001.png
full() { # NAME COMMAND...: fails with exit code 1 and a message
  check "$1 on a full disk fails" is_full "${@:2}"
}
is_full() {
  "$@" >/dev/full 2>"$scratch/stderr"
  local code=$?
  cat "$scratch/stderr"
  [ $code = 1 ] && grep -q "standard output cannot be written" "$scratch/stderr"
}
full "--help" "$ATELIER" --help
full "--version" "$ATELIER" --version
full "plan --help" "$ATELIER" plan --help
full "plan" "$ATELIER" plan --model $m --ranks 2
full "inspect" "$ATELIER" inspect $m
full "encode" "$ATELIER" encode --model $m "$picture"
full "score" "$ATELIER" score --model $m --text heart --image "$picture"
full "tokenize" "$ATELIER" tokenize --model $m heart
full "convert" "$ATELIER" convert $m --out "$scratch/converted"

# ---- environment ----
says() { # CODE WORDS COMMAND...
  local code=$1 words=$2
  shift 2
  "$@" >"$scratch/stdout" 2>"$scratch/stderr"
  local found=$?
  head -3 "$scratch/stderr"
  [ $found = "$code" ] && grep -qF -- "$words" "$scratch/stderr"
}
check "too many threads are refused" says 2 "OMP_NUM_THREADS" env OMP_NUM_THREADS=100000 "$ATELIER" tokenize --model $m a
check "an endless line of NUL bytes is refused" says 2 "NUL byte" "$ATELIER" tokenize --model $m </dev/zero
head -c 1000000 /dev/zero | tr '\0' a >"$scratch/long"
check "a line of more than 65536 bytes is refused" says 2 "at most 65536 bytes" "$ATELIER" tokenize --model $m <"$scratch/long"

# A million prompts take memory on every rank before anything is drawn; the plan must count it.
counts() {
  "$ATELIER" plan --model $m --ranks 1 --prompt-count 1000000 --samples 1 --json >"$scratch/plan.json"
  [ "$(sed -n 's/.*"process_bytes": \([0-9]*\).*/\1/p' "$scratch/plan.json")" -gt 1000000000 ]
}
check "the plan counts the memory of a million prompts" counts

# ---- terminals ----
escape=$'\033]0;title\a' c1=$'\302\2331m' override=$'\342\200\256'
cleaned() { # COMMAND...: fails, and its message has no control character
  "$@" >"$scratch/stdout" 2>"$scratch/stderr" && return 1
  cat -v "$scratch/stderr"
  ! LC_ALL=C grep -q $'[\001-\011\013-\037\177]\\|\302[\200-\237]\\|\342\200\256' "$scratch/stderr"
}
check "control characters in a missing file's name are replaced" cleaned "$ATELIER" inspect "$scratch/no$escape$c1$override"
cp -r $m "$scratch/m" && sed -i "s/to_logits.1.bias/to_logits$c1$override/" "$scratch/m/transformer.safetensors"
inspects() {
  "$ATELIER" inspect "$scratch/m/transformer.safetensors" >"$scratch/stdout"
  grep -q 'to_logits?1m?' "$scratch/stdout"
}
check "control characters in a tensor's name are replaced" inspects

# The first byte of a safetensors file with a header of 123 bytes is '{', as in JSON.
header='{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}'
printf '{\0\0\0\0\0\0\0%-123sab' "$header" >"$scratch/123.safetensors"
knows() { "$ATELIER" inspect "$scratch/123.safetensors" | grep -q safetensors; }
check "a safetensors file whose header has 123 bytes is recognised" knows

# ---- make demo removes only a folder that atelier has written ----
demo() { MPIRUN=false scripts/demo.sh true; } # builds nothing and draws nothing
mkdir "$scratch/mine" && touch "$scratch/mine/thesis" && ln -s run "$scratch/link"
spares() { # PATH FILE VARIABLE: demo leaves FILE in the folder that VARIABLE names
  (export "$3=$1" && demo)
  [ -e "$2" ]
}
check "make demo does not remove the folder that OUT names" env DEMO_OUT="$scratch/none" bash -c '
  export OUT=$1 && MPIRUN=false scripts/demo.sh true; [ -e "$1/thesis" ]' - "$scratch/mine"
check "make demo does not remove a DEMO_OUT that atelier has not written" spares "$scratch/mine" "$scratch/mine/thesis" DEMO_OUT
check "make demo does not remove the target of a link" spares "$scratch/link" "$scratch/run/run.json" DEMO_OUT
removes() { DEMO_OUT=$scratch/run demo; [ ! -e "$scratch/run" ]; }
check "make demo removes an earlier run" removes
finish
