#!/bin/bash
# TEST timeout=120 alone=1
# Measured costs: plan --measure stores them, later plans use them, and a damaged cache is ignored.
. tests/support/tap.sh
export XDG_CACHE_HOME=$scratch/cache OMP_NUM_THREADS=1
cache=$XDG_CACHE_HOME/atelier/costs.json
says() { # WORDS OPTIONS...: the plan says so.
  ${launch[@]+"${launch[@]}"} "$ATELIER" plan --model weights/emoji --ranks 4 --ranks-per-node 1 --samples 64 "${@:2}" >"$scratch/plan" 2>"$scratch/log"
  grep -q "$1" "$scratch/plan" || { cat "$scratch/plan" "$scratch/log" && false; }
}
check "without a cache, a plan is estimated" says "estimated from FLOPs and bytes"
check "an estimated plan writes no cache" test ! -e "$cache"
check "plan --measure measures" says "predicted from measured costs" --measure
check "the cache is JSON" jq -e 'length == 1' "$cache"
check "the next plan uses the measured costs" says "predicted from measured costs"
check "the reason of a plan says that costs are measured" says "costs are measured"
check "another number of ranks per node has no measured costs" says "costs are estimated" --ranks-per-node 2
launch=(ranks 2)
check "two ranks measure at once" says "predicted from measured costs" --ranks-per-node 2 --measure
check "only one of two measuring ranks prints" test "$(grep -c "2 ranks at once" "$scratch/log"):$(grep -c "predicted from" "$scratch/plan")" = 1:1
check "measuring with fewer ranks than --ranks-per-node is refused" test "$($MPIRUN -n 2 "$ATELIER" plan --model weights/emoji --ranks 4 --ranks-per-node 3 --measure >/dev/null 2>&1; echo $?)" = 2
launch=()
check "a plan without ranks uses what two ranks measured" says "predicted from measured costs" --ranks-per-node 2
check "another microbatch has no measured costs" says "costs are estimated" --microbatch 4
check "with --flops costs are estimated" says "costs are estimated" --flops 100
echo '{"torn' >"$cache"
check "a damaged cache is ignored" says "costs are estimated"
check "a damaged cache gives a warning" grep -q "is ignored" "$scratch/log"
rm "$cache"
draws() { ranks 2 "$ATELIER" generate --model weights/emoji --prompt heart --samples 512 --top 1 --no-rank --out "$scratch/out" 2>"$scratch/log"; }
check "a long job is drawn" draws
check "all ranks of a long job measure before it" grep "2 ranks at once" "$scratch/log"
check "a plan uses what the job's ranks measured" says "predicted from measured costs" --no-rank --ranks-per-node 2
check "--measure needs a model" test "$("$ATELIER" plan --shape layers=2 --measure >/dev/null 2>&1; echo $?)" = 2
finish
