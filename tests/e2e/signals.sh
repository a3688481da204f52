#!/bin/bash
# TEST timeout=300
# Signals of schedulers and terminals stop a run cleanly; a closed pipe behind its output does not end it.
. tests/support/tap.sh
m=weights/emoji
for i in $(seq 600); do echo "red heart $i"; done >"$scratch/prompts"
begin() { # FOLDER PREFIX...: a run in the background; $launch is its pid
  "${@:2}" "$ATELIER" generate --model $m --prompts "$scratch/prompts" --samples 8 --top 2 --quiet --out "$scratch/$1" >"$scratch/$1.out" 2>"$scratch/$1.err" </dev/null &
  launch=$!
  for _ in $(seq 1200); do
    [ -s "$scratch/$1/2/grid.png" ] && return 0
    sleep 0.1
  done
  cat "$scratch/$1.err" && return 1
}
ends_with() { # CODE
  wait $launch
  local code=$?
  echo "exit code $code" && [ $code = "$1" ]
}
state_is() { grep -E '"(state|reason)"' "$scratch/$1/run.json" && grep -q "\"state\": \"$2\"" "$scratch/$1/run.json"; }

for signal in HUP XCPU USR2; do
  check "SIG$signal: a run is under way" begin $signal
  kill -$signal $launch
  check "SIG$signal: the run ends with exit code 3" ends_with 3
  check "SIG$signal: run.json says that it was stopped" state_is $signal stopped
  check "SIG$signal: run.json names the signal" grep -q "\"reason\": \"a signal (SIG$signal)\"" "$scratch/$signal/run.json"
  check "SIG$signal: the message names the signal" grep -q "stopped by a signal (SIG$signal)" "$scratch/$signal.err"
  check "SIG$signal: complete prompts have their lines" test -s "$scratch/$signal/results.jsonl"
  check "SIG$signal: the lock is released" test ! -e "$scratch/$signal/.candidates/lock.json"
done

check "nohup: a run is under way" begin nohup nohup
kill -HUP $launch
sleep 0.5
check "nohup: SIGHUP does not end the run" kill -0 $launch
kill -TERM $launch
check "nohup: SIGTERM ends the run" ends_with 3

# The reader of both streams exits before the run prints anything; so short a run prints only at its end.
head -6 "$scratch/prompts" >"$scratch/few"
"$ATELIER" generate --model $m --prompts "$scratch/few" --samples 4 --top 2 --out "$scratch/pipe" 2>&1 </dev/null | true
check "closed pipe: the run completes" state_is pipe "done"
check "closed pipe: the gallery is written" test -s "$scratch/pipe/index.html"
check "closed pipe: results.jsonl is complete" test "$(wc -l <"$scratch/pipe/results.jsonl")" = 24

# A --trace path that cannot be written is refused before the run creates anything.
trace() { # WORDS PATH
  "$ATELIER" generate --model $m --prompt heart --out "$scratch/traced" --trace "$2" >"$scratch/out" 2>&1 </dev/null
  local code=$?
  echo "exit code $code" && cat "$scratch/out"
  [ $code = 2 ] && grep -q -- "$1" "$scratch/out" && [ ! -e "$scratch/traced" ]
}
check "--trace in a missing folder is refused before the run's folder is made" trace "--trace $scratch/none/t" "$scratch/none/t"
check "--trace that is a folder is refused before the run's folder is made" trace "found a folder" "$scratch"
finish
