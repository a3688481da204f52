#!/bin/bash
# TEST timeout=120 alone=1
# Measured costs: plan --measure makes them, later plans use them, a damaged cache is no obstacle.
. tests/support/tap.sh
export XDG_CACHE_HOME=$scratch/cache OMP_NUM_THREADS=1
cache=$XDG_CACHE_HOME/atelier/costs.json
says() { # WORDS OPTIONS...: the plan says so.
  ${launch[@]+"${launch[@]}"} "$ATELIER" plan --model weights/emoji --ranks 4 --ranks-per-node 1 --samples 64 "${@:2}" >"$scratch/plan" 2>"$scratch/log"
  grep -q "$1" "$scratch/plan" || { cat "$scratch/plan" "$scratch/log" && false; }
}
check "a plan is estimated at first" says "estimated from FLOPs and bytes"
check "and leaves no cache" test ! -e "$cache"
check "--measure measures" says "predicted from measured costs" --measure
check "the cache is JSON" jq -e 'length == 1' "$cache"
check "the next plan knows" says "predicted from measured costs"
check "it says so in its reason" says "costs are measured"
check "how many ranks share the memory matters" says "costs are estimated" --ranks-per-node 2
launch=(ranks 2)
check "two ranks measure at once" says "predicted from measured costs" --ranks-per-node 2 --measure
check "and one of them says so" test "$(grep -c "2 ranks at once" "$scratch/log"):$(grep -c "predicted from" "$scratch/plan")" = 1:1
check "fewer than are to share it are refused" test "$($MPIRUN -n 2 "$ATELIER" plan --model weights/emoji --ranks 4 --ranks-per-node 3 --measure >/dev/null 2>&1; echo $?)" = 2
launch=()
check "a lone plan knows what they found" says "predicted from measured costs" --ranks-per-node 2
check "another microbatch is not known" says "costs are estimated" --microbatch 4
check "another machine is not this one" says "costs are estimated" --flops 100
echo '{"torn' >"$cache"
check "a damaged cache is ignored" says "costs are estimated"
check "with a warning" grep -q "is ignored" "$scratch/log"
rm "$cache"
draws() { ranks 2 "$ATELIER" generate --model weights/emoji --prompt heart --samples 512 --top 1 --no-rank --out "$scratch/out" 2>"$scratch/log"; }
check "a long job is drawn" draws
check "after all its ranks have measured" grep "2 ranks at once" "$scratch/log"
check "a plan knows what they found" says "predicted from measured costs" --no-rank --ranks-per-node 2
check "--measure needs a model" test "$("$ATELIER" plan --shape layers=2 --measure >/dev/null 2>&1; echo $?)" = 2
finish
