#!/bin/bash
# check-examples.sh: checks that the example in each header's opening comment compiles. Prints the compiler's errors.
#
# An example is the text of a header's first comment that is indented by five blanks after the star, calls an atl_ function and has
# a semicolon. Formats, formulas and diagrams are skipped. Each example becomes a function in one source file that includes all
# public headers, and the compiler checks its syntax. Variables that an example does not declare, and functions without our prefix,
# may be undeclared. Every atl_ and ATL_ name must exist, and calls must match their declarations. In an example,
#     -- words, or two blanks and words after a semicolon     is a comment
#     ... words ...    ...;    ...,                            stands for other code
cd "$(dirname "$0")/.." || exit 1
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
read -ra packages < <(make -s print-PACKAGE_CFLAGS)

mapfile -t headers < <(git ls-files --cached --others --exclude-standard -- '*.h' | while read -r f; do [ -f "$f" ] && echo "$f"; done)
{
  printf '#include <%s.h>\n' omp stdio stdlib string
  printf '%s\n' "${headers[@]}" | grep -vE '^tests/|_(instances|tiles|private|impl)\.h$|/lanes\.h$' | sed 's/.*/#include "&"/'
  printf '#include "tests/support/%s.h"\n' tap forward random_model transformer_twin
  awk '
    function close_block() {
      if (block ~ /atl_[a-z0-9_]*\(/ && block ~ /;/) {
        n++
        printf "atl_status_t example_%d(void);\natl_status_t example_%d(void) {\n#line %d \"%s\"\n%s  return ATL_OK;\n}\n", n, n, start, FILENAME_OF, block
      }
      block = ""
    }
    FNR == 1 { close_block(); in_comment = 1 }
    in_comment && /^ \*     / {
      if (block == "") { start = FNR; FILENAME_OF = FILENAME }
      line = substr($0, 3)
      sub(/[ ]+-- .*/, "", line)                  # a comment
      if (line ~ /;  +[^ ]/) sub(/;  +[^ ].*/, ";", line)
      if (line ~ /\);  +or /) sub(/\);.*/, ");", line)
      if (line ~ /^ *\.\.\./ || line ~ /^ *for each /) line = ""
      sub(/, *\.\.\.}/, "}", line)
      sub(/= *\.\.\.}/, "= 0}", line)
      gsub(/\.\.\.[;,] */, "", line)
      sub(/ \.\.\. .*/, " ;", line)
      sub(/ \.\.\.$/, ";", line)
      block = block line "\n"
      next
    }
    in_comment && /^ \*$/ { close_block(); next }
    in_comment { close_block() }
    /\*\// { in_comment = 0 }
    END { close_block(); print "/* " n " examples */" }' "${headers[@]}"
} >"$scratch/examples.c"

${MPICC:-mpicc} -std=gnu11 -I. -Ibuild/release/gen -D_GNU_SOURCE -fopenmp -Wno-psabi -Wno-unused "${packages[@]}" -fmax-errors=0 -fsyntax-only \
  "$scratch/examples.c" 2>"$scratch/log"
n=$(sed -n 's/^\/\* \([0-9]*\) examples.*/\1/p' "$scratch/examples.c")
# Errors and warnings count, except for undeclared names without our prefix.
if grep -E '(error|warning): ' "$scratch/log" | grep -vE "error: '[^']*' undeclared|error: ‘[^’]*’ undeclared|implicit declaration of function" >"$scratch/bad" ||
  grep -E "(error|warning): .*(‘|')(atl_|ATL_)[A-Za-z0-9_]*(’|') undeclared|implicit declaration of function (‘|')(atl_|ATL_)" "$scratch/log" >>"$scratch/bad"; then
  grep -E "(‘|')(atl_|ATL_)[A-Za-z0-9_]*(’|') undeclared|implicit declaration of function (‘|')(atl_|ATL_)" "$scratch/log" >>"$scratch/bad"
  sort -u "$scratch/bad"
  exit 1
fi
echo "examples: $n compile"
[ "${n:-0}" -gt 30 ]
