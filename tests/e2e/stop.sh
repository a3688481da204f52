#!/bin/bash
# TEST timeout=300
# Runs that end early: by a signal, a full disk, a killed rank. Each ends in bounded time with the right exit code, and complete
# prompts are kept unchanged.
. tests/support/tap.sh
m=weights/emoji

for i in $(seq 300); do echo "red heart $i"; done >"$scratch/prompts"
# begin RANKS FOLDER OPTIONS...: starts a run in the background, too long to end by itself; $launch is its pid.
begin() {
  local command=("$ATELIER" generate --model "$m" --prompts "$scratch/prompts" --samples 8 --top 2 --seed 1 --quiet --out "$scratch/$2")
  [ "$1" = 1 ] || read -ra mpirun <<<"$MPIRUN -n $1"
  [ "$1" = 1 ] || command=("${mpirun[@]}" "${command[@]}")
  "${command[@]}" "${@:3}" >"$scratch/$2.out" 2>"$scratch/$2.err" </dev/null & # no subshell, which signals would end
  launch=$!
}
complete_prompts() { find "$scratch/$1" -name grid.png 2>/dev/null | wc -l; }
# Waits until a few prompts are complete.
wait_for_prompts() { # FOLDER
  for _ in $(seq 600); do
    [ "$(complete_prompts "$1")" -ge 3 ] && return 0
    kill -0 "$launch" 2>/dev/null || break
    sleep 0.2
  done
  cat "$scratch/$1.err"
  return 1
}
# Waits until the launch ends by itself; $code is its exit code.
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
# Each complete prompt has two readable pictures and a contact sheet, and the digest of its best picture is in the prompt's lines.
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
  check "$1: the run completes prompts" wait_for_prompts "$1"
  kill -"$3" "$launch"
  check "$1: the run ends" wait_for_end
  check "$1: exit code 3" ended_with 3
  check "$1: the message says that a signal stopped it" says "$1" "stopped by a signal"
  check "$1: the message comes once" test "$(grep -c "stopped by a signal" "$scratch/$1.err")" = 1
  check "$1: run.json says stopped" grep -q '"state": "stopped"' "$scratch/$1/run.json"
  check "$1: complete prompts are kept" is_intact "$1"
  check "$1: complete prompts have their lines" lines_match "$1"
  check "$1: no temporary file is left over" no_temporaries "$1"
  check "$1: the gallery is there" test -s "$scratch/$1/index.html"
}
stopped term 1 TERM
stopped usr1 1 USR1
stopped usr1-on-3-ranks 3 USR1

# A rank is killed: mpirun ends the others, and no rank hangs.
begin 3 killed --stages 2
check "killed: the run completes prompts" wait_for_prompts killed
victim=$(ps -o pid= --ppid "$launch" | tail -1 | tr -d ' ')
check "killed: the victim is a rank of this launch" test "$(ps -o ppid= -p "$victim" | tr -d ' ')" = "$launch"
kill -9 "$victim"
check "killed: the launch ends" wait_for_end
not_zero() { echo "exit code $code" && [ "$code" != 0 ]; }
check "killed: the exit code is not 0" not_zero
check "killed: run.json says stopped or failed" grep -q '"state": "\(stopped\|failed\)"' "$scratch/killed/run.json"
check "killed: complete prompts are kept" is_intact killed

# A full disk, by a limit of 32 KiB per file: pictures are smaller, contact sheets of 8 of them are larger.
full() { # NAME RANKS
  # The limit applies to the ranks only, and MPI must not use large files for shared memory, which would fail first.
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
  check "full disk on $n ranks: the message has the system's error" says "full-$n" "writing failed: File too large"
  check "full disk on $n ranks: the message names the file" says "full-$n" "$scratch/full-$n/"
  check "full disk on $n ranks: the message comes once" test "$(grep -c "writing failed" "$scratch/full-$n.err")" = 1
  check "full disk on $n ranks: run.json says failed" grep -q '"state": "failed"' "$scratch/full-$n/run.json"
  check "full disk on $n ranks: run.json says why" grep -q '"reason": ".*writing failed: File too large' "$scratch/full-$n/run.json"
  check "full disk on $n ranks: no temporary file is left over" no_temporaries "full-$n"
  pictures=$(find "$scratch/full-$n" -name '*.png' | wc -l)
  check "full disk on $n ranks: complete pictures are kept" test "$pictures" -ge 8
done
finish
