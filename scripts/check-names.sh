#!/bin/bash
# check-names.sh: checks that every atl_ name, ATL_ name, file and test that comments and documents mention exists. Prints those
# that do not.
#
# It reads the comments of C files, shell scripts and the Makefile, and all Markdown files. A name exists if it appears in code;
# NAME_* and NAME_ match any name with that prefix. A path exists if it is a file or folder of the repository, with or without
# its extension; a test may be named without tests/, as in unit/rng. Paths with placeholders in capitals (DIR, NAME) and paths
# below build/ are skipped. A line of a document that mentions something planned must contain the word "planned".
cd "$(dirname "$0")/.." || exit 1
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
mapfile -t files < <(git ls-files --cached --others --exclude-standard | while read -r f; do [ -f "$f" ] && echo "$f"; done)
of() { printf '%s\n' "${files[@]}" | grep -E "$1"; }
mapfile -t sources < <(of '\.(c|h)$')
mapfile -t scripts < <({ of '\.(sh|sbatch|py)$|^Makefile$|^tests/run$|^\.ci/run$|\.txt$' | grep -vE '^tests/(golden|fixtures)/|^weights/|\.py$'; })
mapfile -t documents < <(of '\.md$')

# Splits C into "file:line: comment" and code.
awk -v code="$scratch/code" '
  FNR == 1 { inside = 0 }
  { rest = $0; comment = ""; plain = ""
    while (rest != "") {
      if (inside) {
        i = index(rest, "*/")
        if (i) { comment = comment " " substr(rest, 1, i - 1); rest = substr(rest, i + 2); inside = 0 }
        else { comment = comment " " rest; rest = "" }
      } else if (match(rest, /\/\*|\/\/|"([^"\\]|\\.)*"/)) {
        plain = plain substr(rest, 1, RSTART - 1)
        found = substr(rest, RSTART, RLENGTH); rest = substr(rest, RSTART + RLENGTH)
        if (found == "/*") inside = 1
        else if (found == "//") { comment = comment " " rest; rest = "" }
        else plain = plain found
      } else { plain = plain rest; rest = "" }
    }
    if (comment != "") print FILENAME ":" FNR ":" comment
    print plain > code
  }' "${sources[@]}" >"$scratch/text"
grep -nHE '^ *#|[^$]# ' "${scripts[@]}" | sed 's/\(:[0-9]*:\)[^#]*#/\1/' >>"$scratch/text"
grep -vE '^ *#' "${scripts[@]}" proto/atelier.proto >>"$scratch/code"
grep -nH '' "${documents[@]}" | grep -vE ' planned|^CHANGELOG' >>"$scratch/text"
printf '%s\n' "${files[@]}" >"$scratch/files"

awk -v files="$scratch/files" -v code="$scratch/code" '
  function known(name) {
    if (name in names) return 1
    if (name ~ /_$/) return name in prefixes
    return 0
  }
  BEGIN {
    while ((getline line < code) > 0)
      while (match(line, /[Aa][Tt][Ll]_[A-Za-z0-9_]+/)) {
        name = substr(line, RSTART, RLENGTH); line = substr(line, RSTART + RLENGTH)
        if (name in names) continue
        names[name] = 1
        for (i = 5; i <= length(name); i++) if (substr(name, i, 1) == "_") prefixes[substr(name, 1, i)] = 1
      }
    while ((getline line < files) > 0) {
      paths[line] = 1
      sub(/\.[a-z]+$/, "", line); paths[line] = 1
      while (sub(/\/[^\/]*$/, "", line)) paths[line] = 1
    }
  }
  { match($0, /^[^:]*:[0-9]*:/); where = substr($0, 1, RLENGTH); text = substr($0, RLENGTH + 1)
    line = text
    while (match(line, /(atl_[a-z0-9_]+|ATL_[A-Z0-9_]+)/)) {
      before = RSTART > 1 ? substr(line, RSTART - 1, 1) : " "
      name = substr(line, RSTART, RLENGTH); line = substr(line, RSTART + RLENGTH)
      if (before !~ /[A-Za-z0-9_]/ && !known(name)) { print where " no " name; bad = 1 }
    }
    line = text
    while (match(line, /(common|model|partition|proto|workers|coordinator|tests|scripts|docs|slurm|weights)\/[A-Za-z0-9_.\/-]+/)) {
      before = RSTART > 1 ? substr(line, RSTART - 1, 1) : " "
      path = substr(line, RSTART, RLENGTH); line = substr(line, RSTART + RLENGTH)
      sub(/[.\/-]+$/, "", path)
      if (before ~ /[A-Za-z0-9_.\/-]/ || path ~ /[A-Z]/ && path !~ /README|LICENSE|[A-Z]+\.md/ || line ~ /^[*{<$]/) continue
      if (!(path in paths)) { print where " no file " path; bad = 1 }
    }
    line = text
    while (match(line, /(unit|mpi|fuzz|e2e|extra)\/[A-Za-z0-9_-]+/)) {
      before = RSTART > 1 ? substr(line, RSTART - 1, 1) : " "
      path = substr(line, RSTART, RLENGTH); line = substr(line, RSTART + RLENGTH)
      if (before ~ /[A-Za-z0-9_.\/-]/ || path ~ /[A-Z]/) continue
      if (!("tests/" path in paths)) { print where " no test " path; bad = 1 }
    }
  }
  END { exit bad }' "$scratch/text" || exit 1
echo "names: all exist in $(wc -l <"$scratch/text") lines of comments and documents"
