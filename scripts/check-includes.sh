#!/bin/bash
# check-includes.sh: checks which folder includes which (docs/architecture.md), that MPI names stay in partition/, and that each
# header compiles alone. Prints one line per violation.
cd "$(dirname "$0")/.." || exit 1
rc=0
complain() {
  echo "$1"
  rc=1
}

# may_include FOLDER: prints the folders whose headers files in FOLDER may include.
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
    *) complain "$file:$line: includes \"$included\"; expected a path from the root of the repository" && continue ;;
    esac
    [ "$file" = coordinator/main.c ] && [ "$target" = workers ] && continue
    case "$allowed" in *" $target "*) ;; *) complain "$file:$line: files in $folder/ may not include $target/ ($included)" ;; esac
    case "$included" in *.pb-c.h) case $file in proto/wire*) ;; *) complain "$file:$line: only proto/wire may include $included" ;; esac ;; esac
  done < <(grep -nE '^ *# *include +"' "$file" | sed -E 's/^([0-9]+):[^"]*"([^"]*)".*/\1 \2/')

  # Each source includes its own header first.
  own=${file%.c}.h
  if [ "$file" != "$own" ] && [ -f "$own" ]; then
    first=$(grep -m1 -E '^ *# *include' "$file")
    case $first in *"\"$own\""*) ;; *) complain "$file: its first include must be \"$own\"" ;; esac
  fi
done

# Names of MPI, BLACS and ScaLAPACK may appear only in partition/.
# shellcheck disable=SC2046 # one file per word
grep -nE '\bMPIX?_[A-Z]|<mpi\.h>|\b(Cblacs_|Csys2blacs|Cfree_blacs|numroc_|descinit_|p[sd](gemm|syev|gels|potr))' \
  $(for f in $sources; do [ -f "$f" ] && case $f in partition/*) ;; *) echo "$f" ;; esac; done) /dev/null |
  grep -vE ':[0-9]+: *(/?\*|//)' && complain "MPI, BLACS and ScaLAPACK names belong to partition/"

# Each header compiles alone, except headers that are part of one source, which their suffix marks.
for header in $(echo "$sources" | grep '\.h$'); do
  [ -f "$header" ] || continue
  case $header in *_instances.h | *_tiles.h | *_private.h | *_impl.h) continue ;; esac
  ${MPICC:-mpicc} -std=c11 -D_GNU_SOURCE -I. -Wall -Wextra -Werror -Wno-psabi -fopenmp -fsyntax-only -x c "$header" 2>/tmp/header.$$ ||
    { complain "$header does not compile alone:" && head -5 /tmp/header.$$; }
done
rm -f /tmp/header.$$
[ $rc = 0 ] && echo "includes: $(echo "$sources" | wc -l) files follow the rules"
exit $rc
