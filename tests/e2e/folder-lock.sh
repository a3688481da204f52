#!/bin/bash
# TEST timeout=300
# Two runs never write into one folder. A run that finds a folder in use, or left by a killed run, says which run it belongs to,
# whether that run is still alive, and what can be done.
. tests/support/tap.sh
m=weights/emoji
for i in $(seq 400); do echo "red heart $i"; done >"$scratch/prompts"
generate() { "$ATELIER" generate --model $m --samples 4 --top 2 --quiet "$@"; }
ends_with() { # CODE LAUNCH
  wait "$2"
  local code=$?
  echo "exit code $code" && [ $code = "$1" ]
}
says() { grep -q -- "$2" "$scratch/$1" || { cat "$scratch/$1" && return 1; }; }
refused() { # WORDS
  generate --prompt x --out "$scratch/run" >"$scratch/again" 2>&1
  local code=$?
  echo "exit code $code" && cat "$scratch/again"
  [ $code = 2 ] && grep -q -- "$1" "$scratch/again"
}
state() { sed -n 's/.*"state": "\([a-z]*\)".*/\1/p' "$scratch/$1/run.json"; }
heartbeat() { sed -n 's/.*"heartbeat": "\([^"]*\)".*/\1/p' "$scratch/$1/run.json"; }
wait_for() { # COMMAND...: true within two minutes
  for _ in $(seq 600); do
    "$@" && return 0
    sleep 0.2
  done
  return 1
}

# While a run is alive, its folder is locked and the heartbeat in run.json advances.
"$ATELIER" generate --model $m --samples 4 --top 2 --quiet --prompts "$scratch/prompts" --out "$scratch/run" >"$scratch/first" 2>&1 </dev/null &
launch=$!
check "a run is under way" wait_for test -s "$scratch/run/1/grid.png"
check "a folder in use is refused with its holder's process" refused "in use by another run (process $launch on $(hostname), since 20"
first=$(heartbeat run)
moved() { [ -n "$first" ] && [ "$(heartbeat run)" != "$first" ]; }
check "the heartbeat in run.json advances" wait_for moved
check "run.json of a live run says running" test "$(state run)" = running
kill -9 $launch
check "the run is killed" ends_with 137 $launch
check "a killed run's folder is refused as such" refused "left by a run that was killed (process $launch on $(hostname), started 20"
check "the message says where the complete prompts are" says again "$scratch/run/.candidates/\*.jsonl"
sed -i 's/"host": "[^"]*"/"host": "elsewhere"/' "$scratch/run/.candidates/lock.json"
check "the folder of a run on another host is refused with its last heartbeat" refused "a run on elsewhere .* last heartbeat was at $(heartbeat run)"

# Two runs check the folder at the same time: mkdir is made slow, as on a network file system.
cat >"$scratch/slow.c" <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>
int mkdir(const char *path, mode_t mode) {
  usleep(700000);
  return ((int (*)(const char *, mode_t))dlsym(RTLD_NEXT, "mkdir"))(path, mode);
}
END
if ! cc -shared -fPIC -o "$scratch/slow.so" "$scratch/slow.c" -ldl 2>"$scratch/cc" || nm "$ATELIER" | grep -q __asan_init; then
  skip "no C compiler for a slow mkdir, or a sanitised build"
  finish
fi
mkdir "$scratch/both"
for i in 1 2; do
  (exec env LD_PRELOAD="$scratch/slow.so" "$ATELIER" generate --model $m --prompt "red heart" --seed $i --samples 4 --quiet --out "$scratch/both" \
    >"$scratch/both-$i" 2>&1 </dev/null) &
  pids[i]=$!
done
codes=''
for i in 1 2; do wait "${pids[i]}"; codes+="$? "; done
check "of two runs into one folder one is refused with exit code 2" grep -qx "0 2 \|2 0 " <(echo "$codes")
check "the refused run says that the folder is in use" grep -q "in use by another run" "$scratch/both-1" "$scratch/both-2"
check "the other run completes" test "$(state both)" = "done"
digests() { sed -n 's/.*"file":"\([^"]*\)","sha256":"\([0-9a-f]*\)".*/\2  \1/p' "$scratch/both/results.jsonl"; }
all_match() { [ "$(digests | wc -l)" = 4 ] && (cd "$scratch/both" && digests | sha256sum --check --status); }
check "the other run's pictures have the digests of its lines" all_match
finish
