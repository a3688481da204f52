#!/bin/sh
# check-deps.sh [build|check|all]: lists what is missing of scripts/packages.txt, one line each with the packages to install.
# check-deps.sh --packages debian|fedora [build|check|all]: prints only the names of the missing packages.
# Exit code 1 if anything is missing. With MPI=0 in the environment MPI is not needed. Libraries in $HAVE count as present, because
# the user has set their flags.
here=$(dirname "$0")
column=
if [ "$1" = --packages ]; then
  column=$2
  shift 2
fi
need=${1:-build}

has_header() { # HEADER or HEADER@COMPILER
  compiler=${MPICC:-mpicc}
  case $1 in *@*) compiler=${1#*@} ;; esac
  echo "#include <${1%@*}>" | $compiler -fopenmp -fsyntax-only -x c - >/dev/null 2>&1
}

is_there() { # HOW NAME
  case $1 in
  pc) ${PKG_CONFIG:-pkg-config} --exists "$2" 2>/dev/null ;;
  command) command -v "$2" >/dev/null 2>&1 ;;
  header) has_header "$2" ;;
  esac
}

rc=0
while read -r how name wanted debian fedora purpose; do
  case $how in '' | '#'*) continue ;; esac
  if [ "$wanted" = mpi ]; then
    [ "$MPI" = 0 ] && continue
    wanted=build
  fi
  [ "$need" = all ] || [ "$need" = "$wanted" ] || continue
  case " $HAVE " in *" $name "*) continue ;; esac
  is_there "$how" "$name" && continue
  rc=1
  case $column in
  debian) echo "$debian" ;;
  fedora) echo "$fedora" ;;
  *) echo "missing $name ($purpose): $debian on Debian and Ubuntu, $fedora on Fedora" ;;
  esac
done <"$here/packages.txt"
exit $rc
