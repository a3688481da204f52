#!/bin/bash
# lint.sh: checks formatting, include rules, warnings of two compilers, static analysis of C and shell, examples in headers, names
# in comments and documents, and spelling. Runs all steps even if one fails. A missing tool fails its step.
# The last line counts the steps: N passed, N failed.
cd "$(dirname "$0")/.." || exit 1
n_passed=0 n_failed=0
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

step() { # NAME COMMAND...
  local name=$1
  shift
  if "$@" >"$scratch/log" 2>&1; then
    n_passed=$((n_passed + 1))
    echo "lint: $name: ok"
  else
    n_failed=$((n_failed + 1))
    echo "lint: $name: FAILED"
    head -60 "$scratch/log" | sed 's/^/    /'
  fi
}

mapfile -t files < <(git ls-files --cached --others --exclude-standard -- '*.c' '*.h' | while read -r f; do [ -f "$f" ] && echo "$f"; done)
mapfile -t sources < <(printf '%s\n' "${files[@]}" | grep '\.c$')
mapfile -t scripts < <(git ls-files --cached --others --exclude-standard | while read -r f; do
  [ -f "$f" ] && head -1 "$f" | grep -qaE '^#!.*\b(ba)?sh\b' && echo "$f"
done)

layout() { clang-format --dry-run -Werror "${files[@]}"; }

compile() { # COMPILER FLAGS...
  local compiler=$1 rc=0 packages
  shift
  read -ra packages < <(make -s print-PACKAGE_CFLAGS)
  make -s build/release/gen/proto/atelier.pb-c.c build/release/gen/coordinator/runfolder/gallery.inc || return 1
  printf '%s\n' "${sources[@]}" | OMPI_CC=$compiler xargs -P2 -n8 mpicc -std=c11 -I. -Ibuild/release/gen -D_GNU_SOURCE -Wall -Wextra -Wshadow \
    -Wconversion -Wstrict-prototypes -Werror -fopenmp "$@" "${packages[@]}" -c -fsyntax-only || rc=1
  return $rc
}

static_checks() {
  cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr --enable=warning,portability \
    --suppressions-list=scripts/cppcheck.txt -j2 -I. -Ibuild/release/gen -D_GNU_SOURCE \
    --library=scripts/cppcheck.cfg common model partition proto workers coordinator
}

spelling() {
  git ls-files --cached --others --exclude-standard | grep -E '\.(c|h|sh|md|py|proto|html|txt|sbatch)$|^Makefile$|^tests/run$|^\.ci/run$' |
    grep -vE '^(tests/(golden|fixtures)/.*\.txt|weights/|model/tokenizer/html_entities)' |
    while read -r f; do [ -f "$f" ] && echo "$f"; done | xargs codespell --ignore-words scripts/codespell.txt
}

# Text files contain neither merge conflict markers nor trailing blanks.
tidy() { ! git grep -nIE '^(<<<<<<<|>>>>>>>) |[[:blank:]]$' -- '*.c' '*.h' '*.sh' '*.md' Makefile; }

# Every global symbol that the library defines begins with atl_, or with protobuf's prefix of the message types.
symbols() {
  make -s build/release/libatelier.a || return 1
  ! nm --defined-only --extern-only build/release/libatelier.a | awk 'NF == 3 && $3 !~ /^(atl_|atelier__)/ { print $3 }' | grep .
}

step "formatting (make format fixes it)" layout
step "include rules" scripts/check-includes.sh
step "gcc without warnings" compile gcc -Wno-psabi
step "clang without warnings" compile clang -Wno-psabi -Wno-string-conversion
step "cppcheck" static_checks
step "shellcheck" shellcheck -x -S warning "${scripts[@]}"
step "examples in headers compile" scripts/check-examples.sh
step "names in comments and documents exist" scripts/check-names.sh
step "spelling" spelling
step "words (scripts/words.txt)" scripts/check-words.sh
step "tidy text" tidy
step "names of symbols" symbols
echo "$n_passed passed, $n_failed failed"
[ $n_failed = 0 ]
