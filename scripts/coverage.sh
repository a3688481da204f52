#!/bin/bash
# coverage.sh [MAKE]: runs all tests in the coverage build and prints the line coverage of each folder.
cd "$(dirname "$0")/.." || exit 1
make=${1:-make}
find build/coverage -name '*.gcda' -delete 2>/dev/null
$make --no-print-directory MODE=coverage check || echo "coverage: some tests failed; their lines are counted nevertheless"
gcovr --root . --object-directory build/coverage --exclude 'build/' --exclude 'tests/' --sort-uncovered \
  --gcov-ignore-parse-errors --print-summary 2>/dev/null | tee build/coverage/lines.txt
for folder in common model partition proto workers coordinator; do
  awk -v folder="$folder/" 'index($1, folder) == 1 && $2 ~ /^[0-9]+$/ { all += $2; hit += $3 }
    END { if (all) printf "%-12s %5.1f %% of %d lines\n", folder, 100 * hit / all, all }' build/coverage/lines.txt
done
