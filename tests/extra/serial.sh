#!/bin/bash
# TEST timeout=300
# The program built without MPI draws what the one with MPI draws. Needs both builds, so it runs only when named:
#
#     make && make MPI=0 check T=serial
. tests/support/tap.sh
with=build/release/atelier
draw() { # PROGRAM FOLDER
  "$1" generate --model weights/emoji --prompt "red heart" --prompt snowman --samples 4 --top 2 --seed 3 --guidance 2 --quiet --out "$2"
}
has_no_mpi() { ! ldd "$ATELIER" | grep -i 'libmpi'; }
digests() { (cd "$scratch/$1" && find . -name '*.png' -o -name results.jsonl | sort | xargs sha256sum); }
check "without MPI: the program is linked with no MPI library" has_no_mpi
check "without MPI: generate draws" draw "$ATELIER" "$scratch/without"
check "with MPI: generate draws" draw "$with" "$scratch/with"
check "without MPI: six pictures" test "$(digests without | grep -c png)" = 6
check "without MPI: pictures, scores and ranking are those of the build with MPI" test "$(digests without)" = "$(digests with)"
check "without MPI: plan works for other machines" "$ATELIER" plan --model weights/emoji --ranks 8
check "without MPI: probe runs" "$ATELIER" probe --model weights/emoji --in "$ATL_FIXTURES/emoji/in.safetensors" --out "$scratch/out"
finish
