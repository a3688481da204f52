#!/bin/sh
# deps.sh [build|check|all]: installs what is missing of scripts/packages.txt with apt-get or dnf, as root or through sudo. If that
# is not possible, it prints what to install or load and exits with 1.
cd "$(dirname "$0")/.." || exit 1
need=${1:-build}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else return 1; fi
}

if scripts/check-deps.sh "$need" >/dev/null; then
  echo "deps: nothing is missing"
  exit 0
fi

# shellcheck disable=SC2046 # one package per word
if command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  as_root apt-get update -q && as_root apt-get install -yq --no-install-recommends $(scripts/check-deps.sh --packages debian "$need")
elif command -v dnf >/dev/null; then
  as_root dnf install -y $(scripts/check-deps.sh --packages fedora "$need")
fi

missing=$(scripts/check-deps.sh "$need") && exit 0
echo "$missing"
cat <<'TEXT'
deps: these are still missing. Without root, ask for the packages or load the site's modules, for example
        module load gcc openmpi openblas        # names differ: module avail openmpi
      On Fedora, add Open MPI's programs to PATH with: module load mpi/openmpi-x86_64
      For a library in a non-standard folder, set PKG_CONFIG_PATH or pass its flags: make jansson_CFLAGS=-I... jansson_LIBS=...
TEXT
exit 1
