#!/bin/bash
# check-words.sh [FILE ...]: prints the lines that use a word of scripts/words.txt, with its replacement. Reads all sources, scripts
# and documents, or the given files. The last line counts the lines found; exit code 1 if there are any.
cd "$(dirname "$0")/.." || exit 1
if [ $# -gt 0 ]; then files=("$@"); else
  mapfile -t files < <(git ls-files --cached --others --exclude-standard | grep -E '\.(c|h|sh|md|proto|html|txt|sbatch)$|^Makefile$|^tests/run$|^\.ci/run$' |
    grep -vE '^(tests/(golden|fixtures)/|weights/|scripts/words.txt|scripts/check-words.sh|docs/glossary.md|CHANGELOG.md|LICENSE)' |
    while read -r f; do [ -f "$f" ] && echo "$f"; done)
fi
n=0
while IFS=$'\t' read -r pattern instead; do
  case $pattern in '' | '#'*) continue ;; esac
  found=$(grep -niHE -- "$pattern" "${files[@]}" | grep -v 'words: usual sense')
  [ -z "$found" ] && continue
  n=$((n + $(wc -l <<<"$found")))
  sed "s|\$|   [$instead]|" <<<"$found"
done <scripts/words.txt
echo "words: $n lines to fix"
[ $n = 0 ]
