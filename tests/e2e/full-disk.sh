#!/bin/bash
# TEST timeout=300
# A disk that is really full: small tmpfs of several sizes. The run fails with the system's error message, and run.json says so
# although the disk stays full.
. tests/support/tap.sh
m=weights/emoji
for i in $(seq 400); do echo "red heart $i"; done >"$scratch/prompts"
mkdir "$scratch/disk"
if ! mount -t tmpfs -o size=64k tmpfs "$scratch/disk" 2>"$scratch/mount"; then
  skip "a small file system cannot be mounted here: $(head -1 "$scratch/mount")"
  finish
fi
umount "$scratch/disk"
trap 'umount "$scratch/disk" 2>/dev/null; rm -rf "$scratch"' EXIT
full() { # NAME OPTIONS OF TMPFS
  mount -t tmpfs -o "$2" tmpfs "$scratch/disk" || return 1
  "$ATELIER" generate --model $m --prompts "$scratch/prompts" --samples 8 --top 8 --quiet --out "$scratch/disk/run" >"$scratch/$1.out" 2>"$scratch/$1.err" </dev/null
  code=$?
  cat "$scratch/$1.err" && echo "exit code $code" && df "$scratch/disk" | tail -1
  cp "$scratch/disk/run/run.json" "$scratch/$1.json" 2>/dev/null
  [ $code = 1 ]
}
while_drawing() { # NAME OPTIONS OF TMPFS
  check "$1: the run fails with exit code 1" full "$1" "$2"
  check "$1: the message has the system's error" grep -q "No space left on device" "$scratch/$1.err"
  check "$1: every message names its file" test "$(grep -c "(null)" "$scratch/$1.err")" = 0
  check "$1: run.json says failed" grep -q '"state": "failed"' "$scratch/$1.json"
  check "$1: run.json says why" grep -q '"reason": ".*No space left on device' "$scratch/$1.json"
  check "$1: no lock and no reserve are left" test ! -e "$scratch/disk/run/.candidates/lock.json" -a ! -e "$scratch/disk/run/.candidates/reserve"
  umount "$scratch/disk"
}
while_drawing 400k size=400k
while_drawing inodes size=64M,nr_inodes=60
check "4k: a run that cannot write its first files fails with exit code 1" full 4k size=4k
check "4k: the message has the system's error" grep -q "run.json: writing failed: No space left on device\|lock.json: .*No space left on device" "$scratch/4k.err"
check "4k: every message names its file" test "$(grep -c "(null)" "$scratch/4k.err")" = 0
check "4k: nothing is left behind" test ! -e "$scratch/disk/run"
finish
