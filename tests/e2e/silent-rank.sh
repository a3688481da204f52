#!/bin/bash
# TEST timeout=300
# Rank 0 names a rank that stops, hangs or dies, with its process and host, while the run waits for it and in run.json.
. tests/support/tap.sh
m=weights/emoji
export OMPI_MCA_odls_base_sigkill_timeout=4 # seconds that mpirun gives ranks to end; a busy machine may need more than its 1
for i in $(seq 400); do echo "red heart $i"; done >"$scratch/prompts"
begin() { # FOLDER OPTIONS...: on 3 ranks; $launch is mpirun's pid, ${ranks[@]} those of the ranks in order
  read -ra mpirun <<<"$MPIRUN -n 3"
  "${mpirun[@]}" "$ATELIER" generate --model $m --prompts "$scratch/prompts" --samples 4 --top 2 --quiet --stages 1 --pipelines 3 --out "$scratch/$1" "${@:2}" \
    >"$scratch/$1.out" 2>"$scratch/$1.err" </dev/null &
  launch=$!
  for _ in $(seq 900); do
    [ -s "$scratch/$1/1/grid.png" ] && break
    sleep 0.2
  done
  mapfile -t ranks < <(ps -o pid= --ppid $launch | tr -d ' ' | sort -n)
  [ -s "$scratch/$1/1/grid.png" ] && [ ${#ranks[@]} = 3 ]
}
# pid_of RANK: finds the rank's process by its environment.
pid_of() { for pid in "${ranks[@]}"; do tr '\0' '\n' <"/proc/$pid/environ" | grep -qx "OMPI_COMM_WORLD_RANK=$1" && echo "$pid"; done; }
says_within() { # SECONDS FOLDER WORDS
  for _ in $(seq $((5 * $1))); do
    grep -q -- "$3" "$scratch/$2.err" && return 0
    sleep 0.2
  done
  cat "$scratch/$2.err" && return 1
}
ended() { # FOLDER CODE
  wait $launch
  local code=$?
  echo "exit code $code" && cat "$scratch/$1.err" && [ $code = "$2" ]
}

check "a run on 3 ranks is under way" begin patient --patience 10
victim=$(pid_of 2)
kill -STOP "$victim"
check "a stopped rank is named, with process and host" says_within 120 patient "rank 2 (process $victim on $(hostname)) has not been heard from for \\([5-9]\\|[1-9][0-9][0-9]*\\) s"
kill -CONT "$victim"
check "a rank that continues is heard again" says_within 120 patient "rank 2 (process $victim on $(hostname)) is heard again"
kill -STOP "$victim"
check "a rank silent for longer than --patience ends the run" says_within 120 patient "has not been heard from for [0-9]* s, the --patience of this run"
check "a silent rank: exit code 1" ended patient 1
check "a silent rank: run.json names it" grep -q "\"reason\": \"rank 2 (process $victim on " "$scratch/patient/run.json"
check "a silent rank: run.json says failed" grep -q '"state": "failed"' "$scratch/patient/run.json"

check "another run on 3 ranks is under way" begin dead
victim=$(pid_of 1)
kill -9 "$victim"
wait $launch
check "a dead rank: run.json says failed" grep -q '"state": "failed"' "$scratch/dead/run.json"
check "a dead rank: run.json names it" grep -q "\"reason\": \"rank 1 (process $victim on .*) has died" "$scratch/dead/run.json"
check "a dead rank: the message names it" says_within 1 dead "rank 1 (process $victim on .*) has died"

check "a third run on 3 ranks is under way" begin term
kill -TERM $launch
wait $launch
check "SIGTERM to mpirun: run.json says stopped" grep -q '"state": "stopped"' "$scratch/term/run.json"
check "SIGTERM to mpirun: run.json names the signal" grep -q '"reason": "a signal (SIGTERM)"' "$scratch/term/run.json"
# Lines are in results.jsonl, or still in .candidates when mpirun killed the ranks before.
lines() { cat "$scratch/term/results.jsonl" "$scratch/term/.candidates/"*.jsonl 2>/dev/null | wc -l; }
pictured() { find "$scratch/term" -name grid.png | wc -l; }
check "SIGTERM to mpirun: complete prompts have their lines" test "$(lines)" -ge $((4 * $(pictured)))
finish
