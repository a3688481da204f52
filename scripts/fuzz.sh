#!/bin/bash
# fuzz.sh FOLDER SECONDS: runs each fuzzer in FOLDER for SECONDS, starting from the seeds in tests/fuzz/NAME if there are any.
# Inputs that crash a fuzzer are kept in build/fuzz/NAME and named in the output. The last line counts fuzzers: N passed, N failed.
cd "$(dirname "$0")/.." || exit 1
n_passed=0 n_failed=0
export ASAN_OPTIONS=${ASAN_OPTIONS:-fast_unwind_on_malloc=0:detect_leaks=1:allocator_may_return_null=1}
export LSAN_OPTIONS=suppressions=$PWD/tests/lsan.supp:print_suppressions=0
for fuzzer in "$1"/*; do
  if [ ! -x "$fuzzer" ] || [ ! -f "$fuzzer" ]; then continue; fi
  name=$(basename "$fuzzer")
  mkdir -p "build/fuzz/$name/corpus"
  seeds=()
  [ -d "tests/fuzz/$name" ] && seeds=("tests/fuzz/$name")
  if "$fuzzer" -max_total_time="$2" -rss_limit_mb=4096 -timeout=20 -artifact_prefix="build/fuzz/$name/" \
    "build/fuzz/$name/corpus" "${seeds[@]}" >"build/fuzz/$name/log" 2>&1; then
    n_passed=$((n_passed + 1))
    echo "fuzz: $name: $(grep -oE 'Done [0-9]+ runs' "build/fuzz/$name/log" | tail -1)"
  else
    n_failed=$((n_failed + 1))
    echo "fuzz: $name: FAILED" && tail -30 "build/fuzz/$name/log" | sed 's/^/    /'
  fi
done
echo "$n_passed passed, $n_failed failed"
[ $n_failed = 0 ]
