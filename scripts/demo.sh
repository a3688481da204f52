#!/bin/bash
# demo.sh [MAKE]: goes from a fresh clone to ranked pictures. Installs missing libraries, builds, draws 32 candidates for each of
# three prompts with the small model in weights/emoji on four ranks, and prints the path of the gallery. The run folder is
# $DEMO_OUT [out/demo]. The run folder of an earlier demo is replaced; any other file or folder of that name is refused.
cd "$(dirname "$0")/.." || exit 1
make=${1:-make}
out=${DEMO_OUT:-out/demo}
if [ -e "$out" ] || [ -L "$out" ]; then
  if [ -L "$out" ] || ! grep -q '"program": "atelier"' "$out/run.json" 2>/dev/null; then
    echo "demo: $out exists and was not written by atelier; move it away, or set DEMO_OUT to another folder" >&2
    exit 2
  fi
fi
if ! scripts/check-deps.sh; then
  echo "demo: installing the libraries named above"
  scripts/deps.sh || exit 1
fi
echo "demo: building"
$make -s -j"$(nproc)" all || exit 1
# shellcheck source=scripts/mpi-env.sh
. scripts/mpi-env.sh
rm -rf "${out:?}"
read -ra launch <<<"${MPIRUN:-mpirun} -n 4"
echo "demo: ${launch[*]} build/release/atelier generate --model weights/emoji ..."
"${launch[@]}" build/release/atelier generate --model weights/emoji --prompt "red heart" --prompt "smiling sun" \
  --prompt "orange cat face" --samples 32 --top 6 --seed 1 --out "$out" </dev/null || exit 1
echo
echo "demo: the gallery is $PWD/$out/index.html; the best pictures are:"
ls "$out"/*/rank-001.png
