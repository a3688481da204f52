#!/bin/bash
# TEST timeout=300
# Which rank prints, and with which exit code: a launcher's variables alone do not silence a command, and a rank that fails before
# MPI starts gives one message and one exit code for the whole launch.
. tests/support/tap.sh
m=$PWD/weights/emoji
MPIRUN="timeout 30 $MPIRUN" # a launch that hangs fails its check

# fails_with CODE WORDS COMMAND...: exits with CODE and prints WORDS in one line of stderr.
fails_with() {
  local code
  "${@:3}" >"$scratch/out" 2>"$scratch/err" </dev/null
  code=$?
  echo "exit code $code" && cat "$scratch/err"
  [ "$code" = "$1" ] && [ "$(grep -c -- "$2" "$scratch/err")" = 1 ]
}
for variable in SLURM_PROCID PMI_RANK PMIX_RANK OMPI_COMM_WORLD_RANK; do
  check "$variable=1: a local command says why it failed" fails_with 2 "nosuch.pt" env $variable=1 "$ATELIER" convert nosuch.pt --out "$scratch/m"
  check "$variable=1: an unknown command is refused" fails_with 2 "unknown command 'nosuch'" env $variable=1 "$ATELIER" nosuch
done
for variable in SLURM_PROCID PMI_RANK; do
  check "$variable=1: an unknown option is refused" fails_with 2 "no option --nosuch" env $variable=1 "$ATELIER" generate --nosuch
  check "$variable=1: a missing model is named" fails_with 2 "/nosuch" env $variable=1 "$ATELIER" generate --model /nosuch --prompt a --out "$scratch/o"
done
check "SLURM_PROCID=1: plan prints its plan" grep -q "1 pipeline of 1 stage" <(SLURM_PROCID=1 "$ATELIER" plan --shape tiny)

# On three ranks: one message, exit code 2, and no rank hangs.
check "3 ranks: an unknown option is refused once" fails_with 2 "no option --nosuch" ranks 3 "$ATELIER" generate --nosuch
cp -r "$m" "$scratch/here" # one rank alone has no such folder
rank_without() { # COMMAND...: on 3 ranks, the last with a working folder that has no model "here"
  mkdir -p "$scratch/empty"
  # shellcheck disable=SC2086 # words
  $MPIRUN -n 2 --wdir "$scratch" "$@" : -n 1 --wdir "$scratch/empty" "$@"
}
check "probe: an input that one rank lacks is one message" fails_with 2 "rank 2: here/vae.safetensors: expected a readable file" \
  rank_without "$ATELIER" probe --model "$m" --in here/vae.safetensors --out "$scratch/x"
check "bench: a model that one rank lacks is one message" fails_with 2 "rank 2: here: expected a model directory" \
  rank_without "$ATELIER" bench --model here --only ring
check "generate: a model that one rank lacks is one message" fails_with 2 "rank 2: here: expected a model directory" \
  rank_without "$ATELIER" generate --model here --prompt heart --out "$scratch/o"
check "generate: a model that one rank lacks leaves no folder" test ! -e "$scratch/o"
finish
