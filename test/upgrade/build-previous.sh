#!/bin/sh
# Builds Berth as it was at a commit, by that commit's own Makefile, into build/previous/<commit>/build/bin.
# Usage: test/upgrade/build-previous.sh COMMIT; prints the folder of the programs.
set -eu
commit=$(git rev-parse --verify --short=12 "$1^{commit}")
tree=$PWD/build/previous/$commit
programs=$tree/build/bin
if ! test -e "$tree/built"; then
  rm -rf "$tree"
  mkdir -p "$tree/build" "$tree/native" build/previous/target
  git archive "$commit" | tar -xm -C "$tree"
  # Dependencies are compiled once for all commits, what is of a commit again as its files are newest; the tools are those of this tree.
  ln -s ../../target "$tree/native/target"
  if test -e build/tools; then ln -s ../../../tools "$tree/build/tools"; fi
  # What it does is asked for, not how fast it is.
  CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
    make --no-print-directory -C "$tree" build/stamps/native build/stamps/bundle >&2
  touch "$tree/built"
fi
echo "$programs"
