#!/bin/bash
# check-includes.sh: who may include whom (docs/architecture.md), and that headers stand alone. Prints what breaks a rule.
cd "$(dirname "$0")/.." || exit 1
rc=0
complain() {
  echo "$1"
  rc=1
}

# Our folders that a folder's files may include.
may_include() {
  case $1 in
  common) echo common ;;
  model) echo common model ;;
  partition) echo common partition ;;
  proto) echo common proto ;;
  workers) echo common model partition proto workers ;;
  coordinator) echo common model partition proto coordinator ;;
  esac
}

sources=$(git ls-files --cached --others --exclude-standard -- '*.c' '*.h' ':!tests')
for file in $sources; do
  [ -f "$file" ] || continue
  folder=${file%%/*}
  allowed=" $(may_include "$folder") "
  while read -r line included; do
    target=${included%%/*}
    case $included in
    */*) ;;
    *) complain "$file:$line: includes \"$included\"; write the path from the root" && continue ;;
    esac
    [ "$file" = coordinator/main.c ] && [ "$target" = workers ] && continue
    case "$allowed" in *" $target "*) ;; *) complain "$file:$line: $folder may not include $target ($included)" ;; esac
    case "$included" in *.pb-c.h) [ "$file" = proto/wire.c ] || complain "$file:$line: only proto/wire.c includes $included" ;; esac
  done < <(grep -nE '^ *# *include +"' "$file" | sed -E 's/^([0-9]+):[^"]*"([^"]*)".*/\1 \2/')

  # A source includes its own header first.
  own=${file%.c}.h
  if [ "$file" != "$own" ] && [ -f "$own" ]; then
    first=$(grep -m1 -E '^ *# *include' "$file")
    case $first in *"\"$own\""*) ;; *) complain "$file: its first include must be \"$own\"" ;; esac
  fi
done

# The names of MPI, BLACS and ScaLAPACK live in partition/ alone.
# shellcheck disable=SC2046 # a file a word
grep -nE '\bMPIX?_[A-Z]|<mpi\.h>|\b(Cblacs_|Csys2blacs|Cfree_blacs|numroc_|descinit_|p[sd](gemm|syev|gels|potr))' \
  $(for f in $sources; do [ -f "$f" ] && case $f in partition/*) ;; *) echo "$f" ;; esac; done) /dev/null |
  grep -vE ':[0-9]+: *(/?\*|//)' && complain "MPI, BLACS and ScaLAPACK names belong to partition/"

# Each header compiles alone. Headers that are parts of one source say so by their name.
for header in $(echo "$sources" | grep '\.h$'); do
  [ -f "$header" ] || continue
  case $header in *_instances.h | *_tiles.h | *_private.h | *_impl.h) continue ;; esac
  ${MPICC:-mpicc} -std=c11 -D_GNU_SOURCE -I. -Wall -Wextra -Werror -Wno-psabi -fopenmp -fsyntax-only -x c "$header" 2>/tmp/header.$$ ||
    { complain "$header does not compile alone:" && head -5 /tmp/header.$$; }
done
rm -f /tmp/header.$$
[ $rc = 0 ] && echo "includes: $(echo "$sources" | wc -l) files keep the rules"
exit $rc
