#!/bin/bash
# TEST timeout=600
# The program without MPI (make MPI=0) builds without mpicc, writes the same bytes as the MPI program, says in --version what it
# is, and refuses to be one of several processes of a launch. The test needs both builds, so it runs only when named:
#
#     make && make MPI=0 check T=serial
. tests/support/tap.sh
serial=$PWD/build/release-serial/atelier with=$PWD/build/release/atelier
unset MAKEFLAGS MFLAGS MAKELEVEL BUILD # or make would build into another build's folder

# An mpicc and an mpirun that fail, first in PATH.
mkdir "$scratch/bin"
for name in mpicc mpirun; do printf '#!/bin/sh\necho "$0 was called" >&2\nexit 1\n' >"$scratch/bin/$name"; done
chmod +x "$scratch/bin"/*
check "without MPI: an object and the program are built where mpicc fails" \
  env PATH="$scratch/bin:$PATH" make -s MPI=0 -W partition/comm_serial.c all
check "without MPI: the program needs no MPI library" test -z "$(ldd "$serial" | grep -i mpi)"
check "without MPI: check-deps.sh asks for nothing of MPI" \
  test -z "$(PATH=$scratch/bin:$PATH MPI=0 MPICC=gcc scripts/check-deps.sh | grep -i mpi)"
check "without MPI: --version says so" grep -q "without MPI" <("$serial" --version)
check "with MPI: --version does not say \"without MPI\"" test -z "$("$with" --version | grep "without MPI")"

generate() { # FOLDER RANKS PROGRAM OPTIONS...
  OMP_NUM_THREADS=1 ranks "$2" "$3" generate --model weights/emoji --prompt "red heart" --prompt "blue pizza" --samples 4 --seed 5 --guidance 2 \
    --quiet --out "$1" "${@:4}"
}
digests() { (cd "$1" && find . -name '*.png' -o -name results.jsonl | sort | xargs sha256sum); }
same() { diff <(digests "$1") <(digests "$2") && [ "$(digests "$1" | wc -l)" -ge 9 ]; }
check "a run without MPI succeeds" generate "$scratch/serial" 1 "$serial" --slots 2 --microbatch 3 --trace "$scratch/trace.json"
check "the same run with MPI succeeds" generate "$scratch/mpi" 1 "$with"
check "the same run on 3 ranks succeeds" generate "$scratch/three" 3 "$with" --stages 2
check "pictures and results have the same bytes as the MPI program's" same "$scratch/serial" "$scratch/mpi"
check "pictures and results have the same bytes as on 3 ranks" same "$scratch/serial" "$scratch/three"
check "the trace of a run without MPI has events" grep -q '"name":"draw"' "$scratch/trace.json"
check "run.json says that there was no MPI" grep -q '"mpi": "none"' "$scratch/serial/run.json"
check "bench --only ring runs without MPI" "$serial" bench --model weights/emoji --only ring
check "plan for 8 ranks runs without MPI" "$serial" plan --model weights/emoji --ranks 8
check "probe runs without MPI" "$serial" probe --model weights/emoji --in "$ATL_FIXTURES/emoji/in.safetensors" --out "$scratch/out.safetensors"

# refused VARIABLE=VALUE...: generate exits with code 2 and one message, and writes nothing.
refused() {
  env "$@" "$serial" generate --model weights/emoji --prompt "red heart" --out "$scratch/refused" >"$scratch/out" 2>&1
  [ $? = 2 ] && cat "$scratch/out" && [ "$(grep -c "built without MPI" "$scratch/out")" = 1 ] && [ ! -e "$scratch/refused" ]
}
check "one of 4 processes of mpirun is refused" refused OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_RANK=0
check "one of 4 processes of a PMI launcher is refused" refused PMI_SIZE=4 PMI_RANK=0
check "one of 4 tasks of srun is refused" refused SLURM_PROCID=0 SLURM_STEP_NUM_TASKS=4
launched() {
  $MPIRUN -n 2 "$serial" generate --model weights/emoji --prompt "red heart" --out "$scratch/refused" >"$scratch/out" 2>&1 && return 1
  cat "$scratch/out"
  [ "$(grep -c "built without MPI" "$scratch/out")" = 1 ] && [ ! -e "$scratch/refused" ]
}
check "two processes of mpirun print the refusal once and write nothing" launched
check "a batch job of one task is not refused" env SLURM_JOB_ID=1 SLURM_NTASKS=1 SLURM_PROCID=0 SLURM_STEP_NUM_TASKS=1 \
  "$serial" generate --model weights/emoji --prompt "red heart" --samples 1 --quiet --out "$scratch/batch"
finish
