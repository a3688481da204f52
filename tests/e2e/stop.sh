#!/bin/bash
# TEST timeout=300
# What ends a run early: signals, a full disk, a killed rank. Each ends in bounded time with the right exit code, and what was
# complete stays as it was.
. tests/support/tap.sh
m=weights/emoji

for i in $(seq 300); do echo "red heart $i"; done >"$scratch/prompts"
# begin RANKS FOLDER OPTIONS...: a run that is too long to end by itself, in the background; $launch is its pid.
begin() {
  local command=("$ATELIER" generate --model "$m" --prompts "$scratch/prompts" --samples 8 --top 2 --seed 1 --quiet --out "$scratch/$2")
  [ "$1" = 1 ] || read -ra mpirun <<<"$MPIRUN -n $1"
  [ "$1" = 1 ] || command=("${mpirun[@]}" "${command[@]}")
  "${command[@]}" "${@:3}" >"$scratch/$2.out" 2>"$scratch/$2.err" </dev/null & # not in a shell that signals would end
  launch=$!
}
complete_prompts() { find "$scratch/$1" -name grid.png 2>/dev/null | wc -l; }
# A few prompts are complete: the run is under way.
wait_for_prompts() { # FOLDER
  for _ in $(seq 600); do
    [ "$(complete_prompts "$1")" -ge 3 ] && return 0
    kill -0 "$launch" 2>/dev/null || break
    sleep 0.2
  done
  cat "$scratch/$1.err"
  return 1
}
# The launch must end by itself; $code is its exit code.
wait_for_end() {
  for _ in $(seq 300); do
    kill -0 "$launch" 2>/dev/null || break
    sleep 0.2
  done
  if kill -0 "$launch" 2>/dev/null; then
    kill -9 "$launch"
    echo "still running after a minute" && return 1
  fi
  wait "$launch"
  code=$?
}
# Each complete prompt has its two pictures, readable, and their digests where the prompt's lines are.
is_intact() { # FOLDER
  local grid folder n=0
  for grid in "$scratch/$1"/*/grid.png; do
    folder=$(dirname "$grid") n=$((n + 1))
    for file in "$folder/rank-001.png" "$folder/rank-002.png" "$grid"; do
      "$BUILD/tests/tools/pixels" "$file" "$file" >"$scratch/pixels" || { cat "$scratch/pixels" && return 1; }
    done
    cat "$scratch/$1/results.jsonl" "$scratch/$1/.candidates/"*.jsonl 2>/dev/null |
      grep -q "$(sha256sum <"$folder/rank-001.png" | cut -d' ' -f1)" || { echo "no line for $folder/rank-001.png" && return 1; }
  done
  echo "$n complete prompts"
  [ $n -ge 1 ]
}
no_temporaries() { [ -z "$(find "$scratch/$1" -name '*.tmp.*' | head -3 | tee /dev/stderr)" ]; }
says() { grep -q -- "$2" "$scratch/$1.err" || { cat "$scratch/$1.err" && return 1; }; }
lines_match() { # results.jsonl has the 8 lines of every complete prompt and no other
  [ "$(wc -l <"$scratch/$1/results.jsonl")" = $((8 * $(complete_prompts "$1"))) ]
}
ended_with() { echo "exit code $code" && [ "$code" = "$1" ]; }

stopped() { # NAME RANKS SIGNAL
  begin "$2" "$1"
  check "$1: it runs" wait_for_prompts "$1"
  kill -"$3" "$launch"
  check "$1: it ends" wait_for_end
  check "$1: with exit code 3" ended_with 3
  check "$1: and says what is done" says "$1" "stopped by a signal"
  check "$1: once" test "$(grep -c "stopped by a signal" "$scratch/$1.err")" = 1
  check "$1: run.json says so" grep -q '"state": "stopped"' "$scratch/$1/run.json"
  check "$1: complete prompts are kept" is_intact "$1"
  check "$1: with their lines" lines_match "$1"
  check "$1: no temporary is left over" no_temporaries "$1"
  check "$1: the gallery is there" test -s "$scratch/$1/index.html"
}
stopped term 1 TERM
stopped usr1 1 USR1
stopped usr1-on-3-ranks 3 USR1

# A rank dies: mpirun ends the others; nobody waits for ever.
begin 3 killed --stages 2
check "killed: it runs" wait_for_prompts killed
victim=$(ps -o pid= --ppid "$launch" | tail -1 | tr -d ' ')
check "killed: a rank of ours" test "$(ps -o ppid= -p "$victim" | tr -d ' ')" = "$launch"
kill -9 "$victim"
check "killed: the launch ends" wait_for_end
not_zero() { echo "exit code $code" && [ "$code" != 0 ]; }
check "killed: not with success" not_zero
check "killed: run.json does not say that it runs" grep -q '"state": "\(stopped\|failed\)"' "$scratch/killed/run.json"
check "killed: complete prompts are kept" is_intact killed

# The disk is full: a file may not grow beyond 32 KiB, which pictures do not and contact sheets of 8 of them do.
full() { # NAME RANKS
  # The limit is set for the ranks alone, and MPI's own big files, for shared memory, must not be the ones that fail.
  # shellcheck disable=SC2016
  PMIX_MCA_gds=hash OMPI_MCA_btl=self,tcp ranks "$2" bash -c 'ulimit -f 32; exec "$@"' limited "$ATELIER" generate --model $m \
    --prompts "$scratch/few" --samples 8 --top 8 --seed 1 --quiet --out "$scratch/$1" --png-level 0 \
    >"$scratch/$1.out" 2>"$scratch/$1.err" </dev/null
  code=$?
  ended_with 1
}
head -20 "$scratch/prompts" >"$scratch/few"
for n in 1 3; do
  check "full disk on $n ranks: exit code 1" full "full-$n" $n
  check "full disk on $n ranks: the message" says "full-$n" "writing failed: File too large"
  check "full disk on $n ranks: names the file" says "full-$n" "$scratch/full-$n/"
  check "full disk on $n ranks: once" test "$(grep -c "writing failed" "$scratch/full-$n.err")" = 1
  check "full disk on $n ranks: run.json says so" grep -q '"state": "failed"' "$scratch/full-$n/run.json"
  check "full disk on $n ranks: and why" grep -q '"reason": ".*writing failed: File too large' "$scratch/full-$n/run.json"
  check "full disk on $n ranks: no temporary is left over" no_temporaries "full-$n"
  pictures=$(find "$scratch/full-$n" -name '*.png' | wc -l)
  check "full disk on $n ranks: pictures that were done are kept" test "$pictures" -ge 8
done
finish
