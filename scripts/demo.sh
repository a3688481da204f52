#!/bin/bash
# demo.sh [MAKE]: from a fresh clone to ranked pictures. Installs libraries when some are missing, builds, draws 32 candidates of
# three prompts with the small model in weights/emoji on four ranks, and says where the gallery is: in $DEMO_OUT, out/demo when
# that is not set. A folder of an earlier run there is removed, anything else is left alone.
cd "$(dirname "$0")/.." || exit 1
make=${1:-make}
out=${DEMO_OUT:-out/demo}
if [ -e "$out" ] || [ -L "$out" ]; then
  if [ -L "$out" ] || ! grep -q '"program": "atelier"' "$out/run.json" 2>/dev/null; then
    echo "demo: $out exists and is not a folder that atelier has written; move it away, or set DEMO_OUT to another name" >&2
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
