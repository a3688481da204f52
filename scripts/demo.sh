#!/bin/bash
# demo.sh [MAKE]: from a fresh clone to ranked pictures. Installs libraries when some are missing, builds, draws 32 candidates of
# three prompts with the small model in weights/emoji on four ranks, and says where the gallery is.
cd "$(dirname "$0")/.." || exit 1
make=${1:-make}
out=${OUT:-out/demo}
if ! scripts/check-deps.sh; then
  echo "demo: installing the libraries named above"
  scripts/deps.sh || exit 1
fi
echo "demo: building"
$make -s -j"$(nproc)" all || exit 1
# shellcheck source=scripts/mpi-env.sh
. scripts/mpi-env.sh
rm -rf "$out"
read -ra launch <<<"${MPIRUN:-mpirun} -n 4"
echo "demo: ${launch[*]} build/release/atelier generate --model weights/emoji ..."
"${launch[@]}" build/release/atelier generate --model weights/emoji --prompt "red heart" --prompt "smiling sun" \
  --prompt "orange cat face" --samples 32 --top 6 --seed 1 --out "$out" </dev/null || exit 1
echo
echo "demo: the gallery is $PWD/$out/index.html; the best pictures are:"
ls "$out"/*/rank-001.png
